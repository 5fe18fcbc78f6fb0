/**
 * Writes log lines: one JSON object each, whose fields Workers Logs indexes and `wrangler tail` prints.
 * Never contains a body, name, address, key, token or query string: callers pass ids, codes and counts only.
 */

type Fields = { event: string } & Record<
  string,
  string | number | boolean | null | undefined | readonly unknown[]
>

export type Level = 'log' | 'warn' | 'error'

/** Leaves out fields that are `undefined`. `event` names the kind of line; docs/operations.md explains each. */
export function logLine(level: Level, fields: Fields): void {
  console[level](JSON.stringify(fields))
}

/** Of what was thrown only the name is logged: its text may quote anything. */
export function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : 'unknown'
}
