/**
 * JSON Schema (draft 2020-12) of the valibot schemas that operators' commands are made of.
 *
 * Of those alone: a schema of another type throws, and a test asks for each command. A part of a schema that JSON Schema has no
 * word for (a check, a transformation) is left out. Pure.
 */
import type * as v from 'valibot'

export type JsonSchema = { readonly [keyword: string]: unknown }

/** `input`: what is taken; otherwise what comes out. */
type Side = 'input' | 'output'

/** As valibot's schemas and actions say of themselves. */
type Part = {
  readonly kind: string
  readonly type: string
  readonly pipe?: readonly Part[]
  readonly entries?: Readonly<Record<string, Part>>
  readonly item?: Part
  readonly wrapped?: Part
  readonly key?: Part
  readonly value?: Part
  readonly options?: readonly unknown[]
  readonly literal?: unknown
  readonly default?: unknown
  readonly requirement?: unknown
  readonly metadata?: object
  readonly title?: string
  readonly description?: string
}

export function jsonSchemaOf(schema: v.GenericSchema, side: Side = 'output'): JsonSchema {
  return ofPart(schema as unknown as Part, side)
}

function ofPart(part: Part, side: Side): JsonSchema {
  const [own = part, ...others] = part.pipe ?? []
  let json = own.pipe && own !== part ? ofPart(own, side) : ofSchema(own, side)
  for (const each of others) {
    if (each.kind !== 'schema') json = { ...json, ...ofAction(each, json) }
    else if (side === 'input') break
    else json = { ...json, ...ofPart(each, side) }
  }
  return json
}

function ofSchema(part: Part, side: Side): JsonSchema {
  const of = (each: Part | undefined) => (each ? ofPart(each, side) : {})
  switch (part.type) {
    case 'string':
    case 'number':
    case 'boolean':
      return { type: part.type }
    case 'any':
    case 'unknown':
      return {}
    case 'literal':
      return { const: part.literal }
    case 'picklist':
      return { enum: part.options, type: 'string' }
    case 'array':
      return { type: 'array', items: of(part.item) }
    case 'record':
      return {
        type: 'object',
        propertyNames: of(part.key),
        additionalProperties: of(part.value),
      }
    case 'union':
      return { anyOf: (part.options as readonly Part[]).map(of) }
    case 'nullable':
      return { anyOf: [of(part.wrapped), { type: 'null' }] }
    case 'optional':
      return { ...of(part.wrapped), ...(part.default !== undefined && { default: part.default }) }
    case 'object':
    case 'loose_object':
    case 'strict_object': {
      const entries = Object.entries(part.entries ?? {})
      return {
        type: 'object',
        properties: Object.fromEntries(entries.map(([name, each]) => [name, of(each)])),
        required: entries.filter(([, { type }]) => type !== 'optional').map(([name]) => name),
        ...(part.type === 'strict_object' && { additionalProperties: false }),
      }
    }
  }
  throw new Error(`no JSON Schema of ${part.type}`)
}

function ofAction(
  { type, requirement, metadata, title, description }: Part,
  { type: of }: JsonSchema,
): JsonSchema {
  switch (type) {
    case 'integer':
      return { type: 'integer' }
    case 'iso_timestamp':
      return { format: 'date-time' }
    case 'regex':
      return { pattern: (requirement as RegExp).source }
    case 'min_value':
      return isNumber(of) ? { minimum: requirement } : {}
    case 'max_value':
      return isNumber(of) ? { maximum: requirement } : {}
    case 'min_length':
      return { [of === 'array' ? 'minItems' : 'minLength']: requirement }
    case 'max_length':
      return { [of === 'array' ? 'maxItems' : 'maxLength']: requirement }
    case 'metadata':
      return { ...metadata }
    case 'title':
      return { title }
    case 'description':
      return { description }
  }
  return {}
}

/** A number that is checked after a text has been turned into it says nothing of the text. */
function isNumber(type: unknown): boolean {
  return type === 'number' || type === 'integer'
}
