/** Stats: an organization's use of the registry; the documented way to learn its tenant id. */
import type { JsonObject } from '../../streaming/message.ts'
import type { Caller } from '../gateway.ts'
import type { Resource, Store } from '../store.ts'
import { classOf, RESOURCE_TYPES, type RegistryKind } from './resources.ts'
import { unionViews } from './unions.ts'

const KINDS: readonly RegistryKind[] = ['schemas', 'fieldgroups', 'datatypes', 'classes']
const RECENT = 10

export function statsOf(store: Store, { sandbox, orgId }: Caller, tenantId: string): JsonObject {
  const all = KINDS.flatMap((kind) =>
    store.list(kind, sandbox).map((resource) => ({ kind, resource })),
  )
  const count = (kind: RegistryKind) => store.list(kind, sandbox).length
  const recent = (key: 'created' | 'updated') =>
    all
      .toSorted((a, b) => b.resource[`${key}At`] - a.resource[`${key}At`])
      .slice(0, RECENT)
      .map(({ kind, resource }) => ({
        ...brief(resource),
        'meta:resourceType': RESOURCE_TYPES[kind],
        [`meta:${key}`]: new Date(resource[`${key}At`]).toString(),
        version: resource.hidden.version,
      }))
  const byClass = Map.groupBy(
    store.list('schemas', sandbox),
    (schema) => classOf(store, sandbox, schema.body)?.$id ?? '',
  )
  return {
    imsOrg: orgId,
    tenantId,
    counts: {
      schemas: count('schemas'),
      mixins: count('fieldgroups'),
      datatypes: count('datatypes'),
      classes: count('classes'),
      unions: unionViews(store, sandbox).length,
    },
    recentlyCreatedResources: recent('created'),
    recentlyUpdatedResources: recent('updated'),
    classUsage: Object.fromEntries([...byClass].map(([id, schemas]) => [id, schemas.map(brief)])),
  }
}

const brief = ({ id, body }: Resource) => ({
  $id: id,
  title: body.title,
  description: body.description ?? '',
})
