/**
 * Checks: the rules of the Schema Registry for field groups, classes, data types and schemas. Each throws
 * Adobe's documented error.
 */
import { isObject, type JsonObject } from '../../streaming/message.ts'
import { text } from '../body.ts'
import { type Refused, xdmError } from '../errors.ts'
import type { Store } from '../store.ts'
import { classOf, findGlobal, findTenant, type RegistryKind, references } from './resources.ts'
import { isUnion, requireUnionIdentity } from './unions.ts'

const CONTAINERS: readonly RegistryKind[] = ['classes', 'fieldgroups', 'datatypes', 'schemas']
const FIELD_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*$/

type Place = { readonly store: Store; readonly sandbox: string; readonly tenant: string }

/** `id` is null for a resource that does not exist yet. */
export function checkResource(
  kind: RegistryKind,
  id: string | null,
  body: JsonObject,
  place: Place,
): void {
  const title = text(body.title)
  if (!title) throw invalid('A title is required.')
  checkTitle(title, id, place)
  if (body.type !== undefined && body.type !== 'object') {
    throw invalid(`The type of a resource must be object, found: ${String(body.type)}`)
  }
  if (kind === 'schemas') checkSchema(id, body, place)
  else checkReferences(body, place)
  if (kind === 'fieldgroups') {
    checkIntended(body)
    checkNesting(body, place.tenant)
  }
}

/** Across all resource types, Adobe's own excepted. */
function checkTitle(title: string, id: string | null, { store, sandbox }: Place): void {
  for (const kind of CONTAINERS) {
    const same = store.list(kind, sandbox).find((one) => one.body.title === title && one.id !== id)
    if (same) {
      throw xdmError(
        '1521-400',
        'Title not unique',
        `Object titles must be unique. An object ${same.id} already exists with the same title`,
      )
    }
  }
}

function checkSchema(id: string | null, body: JsonObject, place: Place): void {
  checkReferences(body, place)
  const own = classOf(place.store, place.sandbox, body)
  if (!own) throw mergeError('A schema must refer to exactly one class in allOf.')
  for (const $ref of references(body)) {
    const group = findTenant(place.store, place.sandbox, 'fieldgroups', $ref)
    const intended: readonly unknown[] = group ? extendsOf(group.body) : [own.$id]
    if (group && !intended.includes(own.$id)) {
      throw mergeError(`The field group ${$ref} is not intended to extend the class ${own.$id}.`)
    }
  }
  if (isUnion(body)) requireUnionIdentity(place.store, place.sandbox, id, body)
}

function checkReferences(body: JsonObject, { store, sandbox }: Place): void {
  for (const $ref of references(body)) {
    // Behaviors, which classes build on.
    if ($ref.startsWith('https://ns.adobe.com/xdm/data/')) continue
    const known =
      findGlobal($ref, CONTAINERS) ??
      CONTAINERS.map((kind) => findTenant(store, sandbox, kind, $ref)).find(Boolean)
    if (!known) throw mergeError(`The resource ${$ref} referenced in allOf could not be found.`)
  }
}

const extendsOf = (body: JsonObject): readonly unknown[] =>
  Array.isArray(body['meta:intendedToExtend']) ? body['meta:intendedToExtend'] : []

function checkIntended(body: JsonObject): void {
  if (extendsOf(body).length === 0) {
    throw invalid('A field group must name the classes it can extend in meta:intendedToExtend.')
  }
}

/** Own fields lie under `_{TENANT_ID}`, at whatever depth of a standard object that stands. */
function checkNesting(body: JsonObject, tenant: string): void {
  const definitions = isObject(body.definitions) ? Object.values(body.definitions) : []
  for (const part of [body, ...definitions]) {
    if (isObject(part) && isObject(part.properties)) checkLevel(part.properties, `_${tenant}`)
  }
}

function checkLevel(properties: JsonObject, namespace: string): void {
  for (const [key, value] of Object.entries(properties)) {
    const inside = isObject(value) && isObject(value.properties) ? value.properties : null
    if (key === namespace) {
      if (inside) checkNames(inside)
    } else if (inside && Object.keys(inside).length > 0) checkLevel(inside, namespace)
    else {
      throw namespaceError(
        `A custom field is defined under an invalid namespace. All custom fields must be defined under a top-level field named ${namespace}.`,
      )
    }
  }
}

function checkNames(properties: JsonObject): void {
  for (const [key, value] of Object.entries(properties)) {
    if (!FIELD_NAME.test(key)) {
      throw namespaceError(
        `The field name ${key} may contain letters, digits, dashes and underscores, and may not start with an underscore.`,
      )
    }
    if (!isObject(value)) throw invalid(`The field ${key} must be an object.`)
    if (typeof value.type !== 'string' && typeof value.$ref !== 'string') {
      throw invalid(`The field ${key} requires a type.`)
    }
    for (const part of [value, value.items]) {
      if (isObject(part) && isObject(part.properties)) checkNames(part.properties)
    }
  }
}

/** Adobe's table has no code for a resource that is not well-formed at all. */
export const invalid = (message: string): Refused =>
  xdmError('1000-400', 'Validation error', message)

const mergeError = (message: string) => xdmError('1413-400', 'Merge Schema Error', message)

const namespaceError = (message: string) =>
  xdmError('1021-400', 'Namespace validation error', message)
