/**
 * Validate: checks an XDM entity against a resolved schema and reports violations in the words of AEP's
 * streaming validation: type, presence, enum, pattern, format, range, and no key that the schema lacks.
 *
 * Covers the keywords that XDM uses, not all of JSON Schema; written by hand since it also runs in workerd,
 * which does not let a schema be compiled. Messages quote values, as AEP's do.
 */
import type { Violation } from '../../problem.ts'
import { isObject } from '../../streaming/message.ts'
import type { Schema } from './resolve.ts'

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$/i
export const isDateTime = (value: string): boolean =>
  DATE_TIME.test(value) && !Number.isNaN(Date.parse(value))
const FORMATS: Readonly<Record<string, (value: string) => boolean>> = {
  'date-time': isDateTime,
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)),
  uri: (value) => /^[a-z][a-z0-9+.-]*:\S*$/i.test(value),
  'uri-reference': (value) => /^\S+$/.test(value),
  email: (value) => /^\S+@\S+$/.test(value),
  ipv4: (value) =>
    /^\d{1,3}(\.\d{1,3}){3}$/.test(value) && value.split('.').every((part) => Number(part) <= 255),
  ipv6: (value) => /^[0-9a-f:.]+$/i.test(value) && value.includes(':'),
}

export function validate(schema: Schema, value: unknown, pointer = ''): readonly Violation[] {
  const at = (keyword: string, message: string): Violation => ({ pointer, keyword, message })
  const { type } = schema
  if (type && !hasType(type, value)) {
    return [at('type', `expected type: ${title(type)}, found: ${found(value)}`)]
  }
  if (schema.enum && !schema.enum.includes(value)) {
    return [at('enum', `instance value (${JSON.stringify(value)}) not found in enum`)]
  }
  if (typeof value === 'string') return ofText(schema, value, at)
  if (typeof value === 'number') return ofNumber(schema, value, at)
  if (Array.isArray(value)) {
    const { items } = schema
    return items ? value.flatMap((item, i) => validate(items, item, `${pointer}/${i}`)) : []
  }
  return isObject(value) ? ofObject(schema, value, pointer, at) : []
}

type At = (keyword: string, message: string) => Violation

function ofText(schema: Schema, value: string, at: At): readonly Violation[] {
  const { format, pattern, minLength = 0, maxLength = Infinity } = schema
  const wrong: Violation[] = []
  if (format && FORMATS[format]?.(value) === false) {
    wrong.push(at('format', `[${value}] is not a valid ${format}`))
  }
  if (pattern && !new RegExp(pattern).test(value)) {
    wrong.push(at('pattern', `string [${value}] does not match pattern ${pattern}`))
  }
  if (value.length < minLength) wrong.push(at('minLength', `expected minLength: ${minLength}`))
  if (value.length > maxLength) wrong.push(at('maxLength', `expected maxLength: ${maxLength}`))
  return wrong
}

function ofNumber(schema: Schema, value: number, at: At): readonly Violation[] {
  const { minimum = -Infinity, maximum = Infinity } = schema
  if (value < minimum) return [at('minimum', `${value} is not greater or equal to ${minimum}`)]
  if (value > maximum) return [at('maximum', `${value} is not less or equal to ${maximum}`)]
  return []
}

function ofObject(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  pointer: string,
  at: At,
): readonly Violation[] {
  const { properties, required = [], additionalProperties = properties === undefined } = schema
  const missing = required
    .filter((key) => !Object.hasOwn(value, key))
    .map((key) => at('required', `required key [${key}] not found`))
  const inside = Object.entries(value).flatMap(([key, item]): readonly Violation[] => {
    const own = properties && Object.hasOwn(properties, key) ? properties[key] : undefined
    if (own) return validate(own, item, `${pointer}/${key}`)
    if (typeof additionalProperties === 'object') {
      return validate(additionalProperties, item, `${pointer}/${key}`)
    }
    if (additionalProperties) return []
    return [at('additionalProperties', `extraneous key [${key}] is not permitted`)]
  })
  return [...missing, ...inside]
}

export function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value)
    case 'array':
      return Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return typeof value === 'number'
    case 'string':
    case 'boolean':
      return typeof value === type
    default:
      return true
  }
}

const title = (type: string) => `${type[0]?.toUpperCase()}${type.slice(1)}`

/** Java's names, which AEP's texts have. */
function found(value: unknown): string {
  if (value === null) return 'Null'
  if (Array.isArray(value)) return 'JSONArray'
  if (typeof value === 'object') return 'JSONObject'
  if (typeof value !== 'number') return title(typeof value)
  return Number.isInteger(value) ? 'Long' : 'Double'
}
