/**
 * Log lines: one JSON object each, for `wrangler tail` and Workers Logs, which index the fields.
 * Never a body, a name, an address, a key, a token or a query string: callers pass ids, codes and counts only.
 */

type Fields = { event: string } & Record<
  string,
  string | number | boolean | null | undefined | readonly unknown[]
>

export type Level = 'log' | 'warn' | 'error'

/** Fields that are `undefined` are left out. */
export function logLine(level: Level, fields: Fields): void {
  console[level](JSON.stringify(fields))
}
