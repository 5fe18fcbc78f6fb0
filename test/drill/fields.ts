/**
 * Fields: values as Chatlio sends them, each with the value that AEP must receive. Both are generated together and
 * without the relay's code, so that the comparison is independent of it.
 * `undefined` on a side: the field is absent there.
 */
import type { Random } from './random.ts'

export type JsonObject = Record<string, unknown>
export type Field = { readonly wire: unknown; readonly aep: unknown }
export type Fields = Record<string, Field>

/** Joins fields into one object for each side. */
export function join(fields: Fields): { wire: JsonObject; aep: JsonObject } {
  const side = (which: keyof Field) =>
    Object.fromEntries(
      Object.entries(fields)
        .map(([name, field]) => [name, field[which]] as const)
        .filter(([, value]) => value !== undefined),
    )
  return { wire: side('wire'), aep: side('aep') }
}

export const same = (value: unknown): Field => ({ wire: value, aep: value })

export function object(fields: Fields): Field {
  return join(fields)
}

/** A documented text, or, with probability `absent`, one of the ways in which Chatlio sends an absent one. */
export function maybe(random: Random, field: Field, absent = 0.25): Field {
  if (!random.chance(absent)) return field
  return { wire: random.pick(['', null, undefined]), aep: undefined }
}

export function email(random: Random): Field {
  const address = `${random.pick(['ada', 'bo', 'çelik'])}.${random.hex(4)}@example.com`
  const shown = random.chance(0.5) ? address : ` ${address.toUpperCase()} `
  return { wire: shown, aep: shown.trim().toLowerCase() }
}

/** A moment in the past in Go's RFC 3339, with nanoseconds and an offset. */
export function pastTime(random: Random): Field {
  const ms = Date.UTC(2024, 0, 1) + random.int(0, 300 * 86_400_000)
  const aep = new Date(ms).toISOString()
  const nanos = String(random.int(0, 999_999)).padStart(6, '0')
  const local = new Date(ms + 2 * 3_600_000).toISOString()
  const wire = random.chance(0.5)
    ? aep.replace('Z', `${nanos}Z`)
    : local.replace('Z', `${nanos}+02:00`)
  return { wire, aep }
}

/** Go's zero time, which Chatlio sends for an absent time. */
export const zeroTime: Field = { wire: '0001-01-01T00:00:00Z', aep: undefined }

const WORDS = [
  'parcel',
  'refund',
  'hello',
  'naïve',
  '你好',
  'مرحبا',
  '👩‍👩‍👧',
  '"quoted"',
  'a\\b',
  '\u2028',
  '\u0000',
] as const

export function words(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.pick(WORDS)).join(' ')
}
