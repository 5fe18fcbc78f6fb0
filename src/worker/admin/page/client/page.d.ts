export function client(): void
