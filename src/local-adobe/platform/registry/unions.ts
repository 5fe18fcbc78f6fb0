/**
 * Unions: for each class, the view of all schemas that are enabled for Profile. Made from the schemas,
 * never stored. A schema that has joined a union cannot leave it.
 */
import { isObject, type JsonObject } from '../../streaming/message.ts'
import { xdmError } from '../errors.ts'
import type { Resource, Store } from '../store.ts'
import { fieldAt, resolve } from './resolve.ts'
import { altIdOf, classOf, findGlobal } from './resources.ts'

export function isUnion(body: JsonObject): boolean {
  const tags = body['meta:immutableTags']
  return Array.isArray(tags) && tags.includes('union')
}

/** An identityMap, which some classes bring themselves, or a primary identity descriptor. */
export function requireUnionIdentity(
  store: Store,
  sandbox: string,
  schemaId: string | null,
  body: JsonObject,
): void {
  if (fieldAt({ ...resolve(store, sandbox, body), additionalProperties: false }, ['identityMap'])) {
    return
  }
  const primary = store
    .list('descriptors', sandbox)
    .some(
      ({ body: own }) =>
        own['@type'] === 'xdm:descriptorIdentity' &&
        own['xdm:sourceSchema'] === schemaId &&
        own['xdm:isPrimary'] === true,
    )
  if (primary) return
  throw xdmError(
    '1528-400',
    'Union descriptor validation error',
    'To participate in a union, a schema must include an identityMap fieldgroup or a primary identity descriptor.',
  )
}

/** Both values are the schema's body, before and after a change. */
export function requireUnionKept(before: JsonObject, after: JsonObject): void {
  if (!isUnion(before) || isUnion(after)) return
  throw xdmError(
    '1526-400',
    'Union descriptor validation error',
    'A schema that is enabled for Profile cannot be disabled: the tag union cannot be removed.',
  )
}

export function unionViews(store: Store, sandbox: string): readonly JsonObject[] {
  const members = new Map<string, Resource[]>()
  for (const schema of store.list('schemas', sandbox).filter(({ body }) => isUnion(body))) {
    const $id = classOf(store, sandbox, schema.body)?.$id
    if ($id) members.set($id, [...(members.get($id) ?? []), schema])
  }
  return [...members].map(([classId, schemas]) => {
    const $id = `${classId}__union`
    return {
      $id,
      'meta:altId': altIdOf($id),
      'meta:resourceType': 'unions',
      version: '1.0',
      title: findGlobal(classId, ['classes'])?.title ?? classId,
      type: 'object',
      'meta:class': classId,
      'meta:containerId': 'tenant',
      'meta:xdmType': 'object',
      allOf: [
        { $ref: classId },
        ...distinctReferences(schemas).filter(({ $ref }) => $ref !== classId),
      ],
      'meta:extends': [classId, ...schemas.map((schema) => schema.id)],
    }
  })
}

function distinctReferences(schemas: readonly Resource[]): readonly { $ref: string }[] {
  const refs = schemas.flatMap(({ body }) => (Array.isArray(body.allOf) ? body.allOf : []))
  const names = refs.flatMap((ref: unknown) =>
    isObject(ref) && typeof ref.$ref === 'string' ? [ref.$ref] : [],
  )
  return [...new Set(names)].map(($ref) => ({ $ref }))
}
