/**
 * Resources: classes, field groups, data types and schemas, Adobe's own (`global`) and the
 * organization's (`tenant`), by `$id` or `meta:altId`, and in the form in which the registry shows them.
 */
import { isObject, type JsonObject } from '../../streaming/message.ts'
import type { Resource, Store } from '../store.ts'
import globals from './global.json' with { type: 'json' }

export type RegistryKind = 'classes' | 'fieldgroups' | 'datatypes' | 'schemas'

/** Behaviors, on which classes build. */
export const BEHAVIORS = [
  { $id: 'https://ns.adobe.com/xdm/data/record', title: 'Record Schema' },
  { $id: 'https://ns.adobe.com/xdm/data/time-series', title: 'Time-series Schema' },
  { $id: 'https://ns.adobe.com/xdm/data/adhoc', title: 'Ad Hoc Schema' },
] as const

/** The registry still calls field groups by their former name, mixins. */
export const RESOURCE_TYPES: Readonly<Record<RegistryKind, string>> = {
  classes: 'classes',
  fieldgroups: 'mixins',
  datatypes: 'datatypes',
  schemas: 'schemas',
}

/** An Adobe resource; without `schema` its fields are not known here, and anything is taken for them. */
type GlobalResource = {
  readonly $id: string
  readonly title: string
  readonly extends?: readonly string[]
  readonly behavior?: string
  readonly schema?: JsonObject
}

const GLOBALS: Readonly<Record<RegistryKind, readonly GlobalResource[]>> = {
  classes: globals.classes,
  fieldgroups: globals.fieldgroups,
  datatypes: [],
  schemas: [],
}

export function globalResources(kind: RegistryKind): readonly GlobalResource[] {
  return GLOBALS[kind]
}

export function findGlobal(id: string, kinds: readonly RegistryKind[]): GlobalResource | undefined {
  return kinds
    .flatMap((kind) => GLOBALS[kind])
    .find((one) => one.$id === id || altIdOf(one.$id) === id)
}

/** `https://ns.adobe.com/xdm/context/profile` → `_xdm.context.profile` */
export function altIdOf($id: string): string {
  return `_${$id.replace('https://ns.adobe.com/', '').replaceAll('/', '.')}`
}

export function findTenant(
  store: Store,
  sandbox: string,
  kind: RegistryKind,
  id: string,
): Resource | undefined {
  return store.list(kind, sandbox).find((one) => one.id === id || altIdOf(one.id) === id)
}

/** The `$ref`s of `allOf`, other than those into the resource itself. */
export function references(body: JsonObject): readonly string[] {
  const parts: readonly unknown[] = Array.isArray(body.allOf) ? body.allOf : []
  return parts.flatMap((part) =>
    isObject(part) && typeof part.$ref === 'string' && !part.$ref.startsWith('#')
      ? [part.$ref]
      : [],
  )
}

/** The class that a schema implements; null when it names none that exists. */
export function classOf(
  store: Store,
  sandbox: string,
  body: JsonObject,
): { $id: string; behavior: string } | null {
  for (const $id of references(body)) {
    const known = findGlobal($id, ['classes'])
    if (known) return { $id, behavior: known.behavior ?? 'https://ns.adobe.com/xdm/data/record' }
    const own = findTenant(store, sandbox, 'classes', $id)
    if (own) return { $id, behavior: references(own.body)[0] ?? '' }
  }
  return null
}

export function globalView(kind: RegistryKind, one: GlobalResource): JsonObject {
  return {
    $id: one.$id,
    'meta:altId': altIdOf(one.$id),
    'meta:resourceType': RESOURCE_TYPES[kind],
    version: '1',
    title: one.title,
    type: 'object',
    ...(one.extends && { 'meta:intendedToExtend': one.extends }),
    ...(one.behavior && { 'meta:extends': [one.behavior] }),
    ...one.schema,
    'meta:xdmType': 'object',
    'meta:containerId': 'global',
    'meta:extensible': kind === 'classes',
    'meta:abstract': kind !== 'schemas',
  }
}

type ViewContext = { readonly store: Store; readonly orgId: string; readonly tenant: string }

export function tenantView(
  kind: RegistryKind,
  one: Resource,
  { store, orgId, tenant }: ViewContext,
): JsonObject {
  const own = kind === 'schemas' ? classOf(store, one.sandbox, one.body) : null
  const refs = references(one.body)
  return {
    ...one.body,
    $id: one.id,
    'meta:altId': altIdOf(one.id),
    'meta:resourceType': RESOURCE_TYPES[kind],
    version: String(one.hidden.version),
    type: 'object',
    ...(own && { 'meta:class': own.$id }),
    ...(kind === 'schemas' || kind === 'classes'
      ? { 'meta:extends': own ? [...refs, own.behavior] : refs }
      : {}),
    'meta:extensible': kind !== 'schemas',
    'meta:abstract': kind !== 'schemas',
    'meta:xdmType': 'object',
    'meta:containerId': 'tenant',
    'meta:sandboxId': one.sandbox,
    'meta:sandboxType': one.sandbox === 'prod' ? 'production' : 'development',
    'meta:tenantNamespace': `_${tenant}`,
    imsOrg: orgId,
    'meta:registryMetadata': {
      'repo:createdDate': one.createdAt,
      'repo:lastModifiedDate': one.updatedAt,
      'xdm:createdClientId': 'local-client',
      'xdm:lastModifiedClientId': 'local-client',
      'xdm:createdUserId': 'local-user',
      'xdm:lastModifiedUserId': 'local-user',
      eTag: one.etag.replaceAll('"', ''),
      'meta:globalLibVersion': '1.0.0',
    },
  }
}

export function summary(view: JsonObject): JsonObject {
  const { $id, version, title } = view
  return { $id, 'meta:altId': view['meta:altId'], version, title }
}
