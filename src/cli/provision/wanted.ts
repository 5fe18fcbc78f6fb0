/**
 * Wanted: what this run is to bring about, in one value. Pure.
 *
 * Namespace, field group, schema and dataset serve every kind of dataflow; source, target, mapping and flow belong to
 * one kind, which is part of their name: so raw can be followed by xdm, or by an authenticated endpoint, without
 * touching what works.
 */
import { fieldGroup } from '../../worker/aep/schema/field-group.ts'
import { DEFAULT_NAME, type Options } from './options.ts'
import type { Key } from './step.ts'

export type Wanted = {
  readonly format: 'raw' | 'xdm'
  readonly authenticated: boolean
  readonly profile: boolean
  /** Of schema and dataset. */
  readonly name: string
  readonly fieldGroupName: string
  /** Of the connections, the mapping set and the flow. */
  readonly flowName: string
  /** Without the underscore. */
  readonly tenant: string
  readonly visitorNamespace: string
  /** Whether the sandbox has Adobe's Contact Request Details, which the schema then gets. */
  readonly contact: boolean
  /** What is meant by its id, whatever it is called. */
  readonly ids: Ids
}

export type Ids = Partial<Readonly<Record<Key, string>>>

export function wantedOf(
  { format, authenticated, profile, name }: Options,
  tenant: string,
  visitorNamespace: string,
  { ids, contact }: Pick<Wanted, 'ids' | 'contact'>,
): Wanted {
  const kind = [format === 'xdm' && 'xdm', authenticated && 'authenticated']
    .filter(Boolean)
    .join(' ')
  return {
    format,
    authenticated,
    profile,
    name,
    // Titles are unique across schemas and field groups.
    fieldGroupName: name === DEFAULT_NAME ? fieldGroup.title : `${name} (fields)`,
    flowName: kind === '' ? name : `${name} (${kind})`,
    tenant,
    visitorNamespace,
    contact,
    ids,
  }
}

/** The HTTP API source: with a base connection, which is where authentication is set. */
export function usesHttpApi({ format, authenticated }: Wanted): boolean {
  return format === 'xdm' || authenticated
}

/** The same for dataset, target connection and mapping: FLOW-1425 otherwise. */
export const SCHEMA_CONTENT_TYPE = 'application/vnd.adobe.xed-full+json;version=1'
