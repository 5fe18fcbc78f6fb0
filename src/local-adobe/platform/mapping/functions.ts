/**
 * Functions: the documented functions of Data Prep that this server computes. Hashing, user agent,
 * URL and date-pattern functions are not among them: an expression with one of these is refused as such.
 * Pure but for the current time, which is passed in.
 */
import { isObject } from '../../streaming/message.ts'

export type Values = readonly unknown[]
type DataPrepFunction = (args: Values, now: number) => unknown

const isNull = (value: unknown) => value === null || value === undefined
const str = (value: unknown): string => (isNull(value) ? '' : String(value))
const num = (value: unknown): number => Number(value)
/** A function of text: nothing comes of nothing. */
const ofText =
  (of: (text: string, ...rest: Values) => unknown): DataPrepFunction =>
  ([value, ...rest]) =>
    isNull(value) ? null : of(String(value), ...rest)
const list = (value: unknown): Values =>
  Array.isArray(value) ? value : isNull(value) ? [] : [value]
/** Functions that take an array also take its elements one by one. */
const spread = (args: Values): Values => (args.length === 1 ? list(args[0]) : args)

function pad(args: Values, side: 'start' | 'end'): string {
  const [value, count, padding] = args
  const fill = str(padding) || ' '
  return side === 'start'
    ? str(value).padStart(num(count), fill)
    : str(value).padEnd(num(count), fill)
}

function isoDate(value: unknown): string | null {
  if (isNull(value)) return null
  const text =
    typeof value === 'number'
      ? value
      : String(value)
          .trim()
          .replace(/^(\S+) (?=\d)/, '$1T')
  const zoned = typeof text === 'string' && !/(Z|[+-]\d\d:?\d\d)$/.test(text) && text.includes('T')
  const date = new Date(zoned ? `${text}Z` : text)
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}

function decode([key, ...options]: Values): unknown {
  for (let at = 0; at + 1 < options.length; at += 2) if (options[at] === key) return options[at + 1]
  return options.length % 2 === 1 ? options.at(-1) : null
}

function pairs(args: Values): unknown {
  const entries: [string, unknown][] = []
  for (let at = 0; at + 1 < args.length; at += 2) entries.push([str(args[at]), args[at + 1]])
  return Object.fromEntries(entries)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function isEmpty([value]: Values): boolean {
  if (isNull(value) || value === '') return true
  return Array.isArray(value)
    ? value.length === 0
    : isObject(value) && Object.keys(value).length === 0
}

function sizeOf([value]: Values): number {
  if (Array.isArray(value) || typeof value === 'string') return value.length
  return isObject(value) ? Object.keys(value).length : 0
}

const objectOrNull = (value: unknown) => (isObject(value) ? value : null)

const least = (args: Values, sign: 1 | -1): unknown =>
  spread(args).reduce((best, one) => {
    const smaller = typeof best === 'number' ? num(one) < best : str(one) < str(best)
    return smaller === (sign === 1) ? one : best
  })

export const FUNCTIONS: Readonly<Record<string, DataPrepFunction>> = {
  concat: (args) => args.map(str).join(''),
  explode: ofText((text, by) => text.split(new RegExp(str(by) || ','))),
  split: ofText((text, by) => text.split(str(by))),
  instr: ofText((text, part, start) => text.indexOf(str(part), num(start ?? 0))),
  replacestr: ofText((text, from, to) => text.replaceAll(str(from), str(to))),
  substr: ofText((text, start, length) => text.substring(num(start), num(start) + num(length))),
  lower: ofText((text) => text.toLowerCase()),
  lcase: ofText((text) => text.toLowerCase()),
  upper: ofText((text) => text.toUpperCase()),
  ucase: ofText((text) => text.toUpperCase()),
  join: ([by, values]) => list(values).map(str).join(str(by)),
  lpad: (args) => pad(args, 'start'),
  rpad: (args) => pad(args, 'end'),
  left: ofText((text, count) => text.slice(0, num(count))),
  right: ofText((text, count) => text.slice(Math.max(0, text.length - num(count)))),
  trim: ofText((text) => text.trim()),
  ltrim: ofText((text) => text.trimStart()),
  rtrim: ofText((text) => text.trimEnd()),
  equals: ([a, b]) => a === b,
  equalsIgnoreCase: ([a, b]) => str(a).toLowerCase() === str(b).toLowerCase(),
  extract_regex: ofText((text, pattern) => [...(new RegExp(str(pattern)).exec(text) ?? [])]),
  matches_regex: ofText((text, pattern) => new RegExp(str(pattern)).test(text)),
  now: (_, now) => new Date(now).toISOString(),
  timestamp: (_, now) => now,
  date: ([value, _format, fallback]) => isoDate(value) ?? fallback ?? null,
  zone_date_to_utc: ([value]) => isoDate(value),
  size_of: sizeOf,
  is_empty: isEmpty,
  is_set: ([value]) => !isNull(value),
  contains_key: ([value]) => !isNull(value),
  to_object: pairs,
  to_map: (args) => (args.length === 1 ? objectOrNull(args[0]) : pairs(args)),
  object_to_map: (args) => (args.length === 1 ? objectOrNull(args[0]) : pairs(args)),
  nullify: () => null,
  get_keys: ([value]) => (isObject(value) ? Object.keys(value) : null),
  coalesce: (args) => spread(args).find((value) => !isNull(value)) ?? null,
  nvl: ([value, fallback]) => value ?? fallback,
  first: (args) => spread(args)[0] ?? null,
  last: (args) => spread(args).at(-1) ?? null,
  add_to_array: ([values, ...more]) => [...list(values), ...more],
  join_arrays: (args) => args.flatMap(list),
  to_array: ([nulls, ...values]) =>
    nulls === true ? values : values.filter((value) => !isNull(value)),
  decode,
  min: (args) => least(args, 1),
  max: (args) => least(args, -1),
  to_bigint: ofText(Number),
  to_decimal: ofText(Number),
  to_float: ofText(Number),
  to_integer: ofText((text) => Math.trunc(Number(text))),
  json_to_object: ofText(parsed),
}
