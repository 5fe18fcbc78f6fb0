/**
 * JSON Schema of what Chatlio posts, read from the valibot schemas that check it.
 *
 * Promises: says what is taken, so what normalizing drops (empty text, null) is allowed, and unknown fields are too.
 * Knows only what `chatlio/payload.ts` is made of, and throws on anything else, so that nothing is left out silently.
 */
import type { JsonSchema } from './describe.ts'

/** The parts of a valibot schema that are looked at. */
type Part = {
  kind: string
  type: string
  message?: unknown
  pipe?: readonly Part[]
  entries?: Readonly<Record<string, Part>>
  wrapped?: Part
}

/** What `v.custom` checks is code; its message says what is expected. */
const CUSTOM: Readonly<Record<string, JsonSchema>> = {
  'expected a string or an object': { type: ['string', 'object', 'null'] },
  'expected an array': { anyOf: [{ type: ['array', 'null'] }, { const: '' }] },
  'expected true or false': { anyOf: [{ type: ['boolean', 'null'] }, { const: '' }] },
}

/** `items`: the schema of what a list of unknown things holds. */
export function payloadSchema(schema: unknown, items: unknown): JsonSchema {
  return convert(schema as Part, items as Part).schema
}

type Converted = { schema: JsonSchema; optional: boolean }

function convert(part: Part, items: Part): Converted {
  const { pipe } = part
  if (pipe) {
    const schemas = pipe.filter(({ kind }) => kind === 'schema')
    const [first] = schemas
    const last = schemas.at(-1)
    if (!first || !last) throw new Error('a pipe without a schema')
    if (first.type === 'array') {
      return { schema: { type: 'array', items: convert(items, items).schema }, optional: false }
    }
    const isNonEmpty = pipe.some(({ type }) => type === 'non_empty')
    const converted = convert(last, items)
    return isNonEmpty
      ? { ...converted, schema: { ...converted.schema, minLength: 1 } }
      : orBlank(first, converted)
  }
  switch (part.type) {
    case 'string':
      return { schema: { type: 'string' }, optional: false }
    case 'nullish':
      return { schema: orNull(convert(wrapped(part), items).schema), optional: true }
    case 'custom':
      return { schema: custom(part), optional: true }
    case 'loose_object':
      return { schema: objectSchema(part.entries ?? {}, items), optional: false }
    default:
      throw new Error(`payload-schema.ts does not know "${part.type}" of valibot`)
  }
}

function wrapped({ wrapped }: Part): Part {
  if (!wrapped) throw new Error('nothing is wrapped')
  return wrapped
}

function custom({ message }: Part): JsonSchema {
  const known = CUSTOM[String(message)]
  if (!known) throw new Error(`payload-schema.ts does not know the check "${String(message)}"`)
  return known
}

/** A holder that is dropped when it is empty text: read as unknown first, then again as what it is. */
function orBlank(first: Part, { schema, optional }: Converted): Converted {
  const readsAnything = first.type === 'nullish' && wrapped(first).type === 'unknown'
  return readsAnything && optional
    ? { schema: { anyOf: [schema, { const: '' }] }, optional }
    : { schema, optional }
}

function orNull(schema: JsonSchema): JsonSchema {
  const { type } = schema
  if (type === undefined) return schema
  return { ...schema, type: [...new Set([type, 'null'].flat())] }
}

function objectSchema(entries: Readonly<Record<string, Part>>, items: Part): JsonSchema {
  const converted = Object.entries(entries).map(
    ([name, part]) => [name, convert(part, items)] as const,
  )
  const required = converted.filter(([, { optional }]) => !optional).map(([name]) => name)
  return {
    type: 'object',
    properties: Object.fromEntries(converted.map(([name, { schema }]) => [name, schema])),
    ...(required.length > 0 && { required }),
  }
}
