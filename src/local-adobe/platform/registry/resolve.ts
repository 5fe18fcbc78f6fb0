/**
 * Resolve: one JSON Schema out of a resource and everything it refers to. Never fails: a reference that is
 * not known, or whose fields are not known here, leaves the object open, so that nothing right is refused.
 */
import { isObject, type JsonObject } from '../../streaming/message.ts'
import type { Store } from '../store.ts'
import { findGlobal, findTenant, type RegistryKind } from './resources.ts'

/** The keywords of XDM that are checked here; an object with `properties` and no
 * `additionalProperties` takes no others. */
export type Schema = {
  readonly type?: string
  readonly title?: string
  readonly description?: string
  readonly format?: string
  readonly pattern?: string
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: boolean | Schema
}

const KINDS: readonly RegistryKind[] = ['classes', 'fieldgroups', 'datatypes', 'schemas']
const OPEN: Schema = { type: 'object', additionalProperties: true }
/** Resources that refer to each other in a circle end here. */
const MAX_DEPTH = 12

export function resolve(store: Store, sandbox: string, body: JsonObject): Schema {
  return walk(body, { store, sandbox, root: body, depth: 0 })
}

type Place = { store: Store; sandbox: string; root: JsonObject; depth: number }

function walk(node: JsonObject, place: Place): Schema {
  if (place.depth > MAX_DEPTH) return OPEN
  const { allOf, $ref, properties, items, additionalProperties, definitions, ...own } = node
  const below = { ...place, depth: place.depth + 1 }
  const parts: Schema[] = [own as Schema]
  if (isObject(properties)) {
    const resolved = Object.entries(properties).map(([key, value]): [string, Schema] => [
      key,
      isObject(value) ? walk(value, below) : {},
    ])
    parts.push({ type: 'object', properties: Object.fromEntries(resolved) })
  }
  if (isObject(items)) parts.push({ items: walk(items, below) })
  if (typeof additionalProperties === 'boolean') parts.push({ additionalProperties })
  if (isObject(additionalProperties)) {
    parts.push({ additionalProperties: walk(additionalProperties, below) })
  }
  if (typeof $ref === 'string') parts.push(walkReference($ref, below))
  if (Array.isArray(allOf)) {
    for (const part of allOf) if (isObject(part)) parts.push(walk(part, below))
  }
  return parts.reduce(merge)
}

function walkReference($ref: string, place: Place): Schema {
  if ($ref.startsWith('#/')) {
    const target = $ref
      .slice(2)
      .split('/')
      .reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), place.root)
    return isObject(target) ? walk(target, place) : OPEN
  }
  const known = findGlobal($ref, KINDS)
  if (known) return known.schema ? walk(known.schema, { ...place, root: known.schema }) : OPEN
  for (const kind of KINDS) {
    const own = findTenant(place.store, place.sandbox, kind, $ref)
    if (own) return walk(fieldsOf(own.body), { ...place, root: own.body })
  }
  return OPEN
}

/** The title and the registry's own fields of a resource are not those of what refers to it. */
function fieldsOf({ $id: _id, title: _title, description: _description, ...rest }: JsonObject) {
  return Object.fromEntries(Object.entries(rest).filter(([key]) => !key.startsWith('meta:')))
}

function merge(a: Schema, b: Schema): Schema {
  const properties: Record<string, Schema> = { ...a.properties }
  for (const [key, value] of Object.entries(b.properties ?? {})) {
    const existing = Object.hasOwn(properties, key) ? properties[key] : undefined
    properties[key] = existing ? merge(existing, value) : value
  }
  const required = [...new Set([...(a.required ?? []), ...(b.required ?? [])])]
  return {
    ...a,
    ...b,
    ...(a.title !== undefined && { title: a.title }),
    ...(a.description !== undefined && { description: a.description }),
    ...(a.properties || b.properties ? { properties } : {}),
    ...(required.length > 0 && { required }),
  }
}

/** The schema at a path of field names; `undefined` if no schema is there. */
export function fieldAt(schema: Schema, path: readonly string[]): Schema | undefined {
  const [key, ...rest] = path
  if (key === undefined) return schema
  if (schema.items) return fieldAt(schema.items, path)
  const { properties, additionalProperties } = schema
  if (properties && Object.hasOwn(properties, key)) return fieldAt(properties[key] ?? {}, rest)
  if (typeof additionalProperties === 'object') return fieldAt(additionalProperties, rest)
  const open = additionalProperties === true || (!properties && schema.type !== 'string')
  return open && (schema.type ?? 'object') === 'object' ? {} : undefined
}
