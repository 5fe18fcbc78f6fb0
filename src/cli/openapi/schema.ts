/** JSON Schema (2020-12) as data, and short ways to write it. */

export type JsonSchema = { readonly [keyword: string]: unknown }

export const string: JsonSchema = { type: 'string' }
export const boolean: JsonSchema = { type: 'boolean' }
/** A count, bytes, milliseconds. */
export const whole: JsonSchema = { type: 'integer', minimum: 0 }
/** RFC 3339, UTC, with milliseconds. */
export const time: JsonSchema = { type: 'string', format: 'date-time' }

export const oneOf = (names: readonly string[]): JsonSchema => ({
  type: 'string',
  enum: [...names],
})

export const list = (items: JsonSchema): JsonSchema => ({ type: 'array', items })

export const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })

export const orNull = (schema: JsonSchema): JsonSchema =>
  typeof schema.type === 'string' && !('enum' in schema)
    ? { ...schema, type: [schema.type, 'null'] }
    : { anyOf: [schema, { type: 'null' }] }

/** All fields are there unless `optional` names them; there are no others. */
export function object(
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, required, additionalProperties: false }
}
