/**
 * Profile: the events of the lake that Real-Time Customer Profile would keep: the first of each `_id`, up to
 * 10 KB (larger ones are dropped silently), with an identity it can use.
 *
 * At the inlet of the settings no mapping turns a raw record into an ExperienceEvent: its identities are
 * found by `settings.identity`, and its size is that of the raw record.
 */

import type { Settings } from '../settings.ts'
import type { LakeRecord } from './lake.ts'
import { isObject, type JsonObject, type MarkedIdentity } from './message.ts'

/** Adobe says 10 KB and not which: the smaller reading, 10 × 1000 bytes of UTF-8 JSON. */
const MAX_EVENT_BYTES = 10_000

type Identity = { readonly namespace: string; readonly id: string }

type ProfileEvent = {
  readonly _id: string
  readonly seq: number
  readonly identities: readonly Identity[]
}

type Dropped = {
  readonly _id: string | null
  readonly seq: number
  readonly why:
    | 'no _id'
    | 'duplicate'
    | 'over 10 KB'
    | 'no identity'
    | 'unknown namespace'
    | 'not exactly one primary identity'
    | 'dataset not enabled for Profile'
}

export type Profile = { readonly kept: ProfileEvent[]; readonly dropped: Dropped[] }

export function profileOf(lake: readonly LakeRecord[], settings: Settings): Profile {
  const profile: Profile = { kept: [], dropped: [] }
  const seen = new Set<string>()
  for (const received of lake) {
    const { _id, seq } = received
    const verdict = judge(received, settings, seen)
    if (typeof verdict === 'string') {
      profile.dropped.push({ _id, seq, why: verdict })
    } else {
      seen.add(verdict._id)
      profile.kept.push(verdict)
    }
  }
  return profile
}

/** The identity under which Profile keeps an event; null for an event that has none. */
export function primaryIdentity(
  { record, header, profile }: LakeRecord,
  settings: Settings,
): Identity | null {
  if (profile === null) return null
  const items = profile ?? (header === null ? [] : identityItems(record))
  if (profile === undefined && header === null) return mappedIdentities(record, settings)[0] ?? null
  const { namespace, id } = items.find(({ primary }) => primary) ?? {}
  return namespace !== undefined && id !== undefined ? { namespace, id } : null
}

function judge(
  { _id, seq, record, header, bytes, profile }: LakeRecord,
  settings: Settings,
  seen: ReadonlySet<string>,
): ProfileEvent | Dropped['why'] {
  if (!_id) return 'no _id'
  if (seen.has(_id)) return 'duplicate'
  if (profile === null) return 'dataset not enabled for Profile'
  if (bytes > MAX_EVENT_BYTES) return 'over 10 KB'
  if (profile) return judgeMarked(_id, seq, profile)
  if (header === null) {
    const identities = mappedIdentities(record, settings)
    return identities.length > 0 ? { _id, seq, identities } : 'no identity'
  }
  const items = identityItems(record)
  if (items.length === 0) return 'no identity'
  if (items.some((item) => !settings.namespaces.includes(item.namespace))) {
    return 'unknown namespace'
  }
  if (items.filter((item) => item.primary).length !== 1) return 'not exactly one primary identity'
  return { _id, seq, identities: items.map(({ namespace, id }) => ({ namespace, id })) }
}

function judgeMarked(
  _id: string,
  seq: number,
  marked: readonly MarkedIdentity[],
): ProfileEvent | Dropped['why'] {
  if (marked.length === 0) return 'no identity'
  if (marked.some((one) => !one.known)) return 'unknown namespace'
  // The same person may be marked twice: in identityMap and by a descriptor.
  const primary = new Set(
    marked.filter((one) => one.primary).map((one) => `${one.namespace} ${one.id}`),
  )
  if (primary.size !== 1) return 'not exactly one primary identity'
  return { _id, seq, identities: marked.map(({ namespace, id }) => ({ namespace, id })) }
}

function mappedIdentities(record: JsonObject, settings: Settings): Identity[] {
  return Object.entries(settings.identity).flatMap(([namespace, paths]) => {
    const values = [paths].flat().map((path) => valueAt(record, path))
    const id = values.find((value) => typeof value === 'string' && value !== '')
    return typeof id === 'string' ? [{ namespace, id }] : []
  })
}

function identityItems(record: JsonObject): (Identity & { primary: boolean })[] {
  const map = record.identityMap
  if (!isObject(map)) return []
  return Object.entries(map).flatMap(([namespace, list]) =>
    (Array.isArray(list) ? list : []).flatMap((item: unknown) =>
      isObject(item) && typeof item.id === 'string' && item.id !== ''
        ? [{ namespace, id: item.id, primary: item.primary === true }]
        : [],
    ),
  )
}

function valueAt(record: JsonObject, path: string): unknown {
  let value: unknown = record
  for (const key of path.split('.')) value = isObject(value) ? value[key] : undefined
  return value
}
