/**
 * Coerce: a mapped value in the type that its field has, as Data Prep does by itself: numbers and booleans
 * to and from text, dates to ISO 8601, one value to an array of one. Pure.
 */
import { isObject } from '../../streaming/message.ts'
import type { Schema } from '../registry/resolve.ts'
import { hasType, isDateTime } from '../registry/validate.ts'

/** Thrown with a text that names types, never the value. */
export class NotCoercible extends Error {}

export function coerce(schema: Schema, value: unknown): unknown {
  const { type, format } = schema
  if (type === 'array' && schema.items) {
    const { items } = schema
    const list: readonly unknown[] = Array.isArray(value) ? value : [value]
    return list.map((item) => coerce(items, item))
  }
  if (type === 'object' && isObject(value)) {
    const { properties = {}, additionalProperties } = schema
    const rest = typeof additionalProperties === 'object' ? additionalProperties : {}
    const entries = Object.entries(value)
      .filter(([, item]) => item !== null && item !== undefined)
      .map(([key, item]): [string, unknown] => {
        const own = Object.hasOwn(properties, key) ? properties[key] : undefined
        return [key, coerce(own ?? rest, item)]
      })
    return Object.fromEntries(entries)
  }
  if (format === 'date-time') return dateTime(value)
  if (!type || hasType(type, value)) return value
  if (type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return String(value)
  }
  if ((type === 'integer' || type === 'number') && typeof value === 'string') {
    const number = value.trim() === '' ? Number.NaN : Number(value)
    if (type === 'integer' ? Number.isInteger(number) : Number.isFinite(number)) return number
  }
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  throw new NotCoercible(`Cannot convert ${nameOf(value)} to ${type}`)
}

function dateTime(value: unknown): unknown {
  const time =
    typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : Number.NaN
  const date = new Date(time)
  if (Number.isNaN(date.getTime())) {
    throw new NotCoercible(`Cannot convert ${nameOf(value)} to date-time`)
  }
  return typeof value === 'string' && isDateTime(value) ? value : date.toISOString()
}

const nameOf = (value: unknown): string => (Array.isArray(value) ? 'array' : typeof value)
