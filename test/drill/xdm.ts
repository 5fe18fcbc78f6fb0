/**
 * XDM: the format of an authenticated inlet that accepts finished ExperienceEvents in batches. A large event arrives in
 * parts, possibly from different posts of it, and is whole when all parts are there.
 */
import { isDeepStrictEqual } from 'node:util'
import { DEFAULT_SETTINGS } from '../../src/local-adobe/settings.ts'
import type { LakeRecord } from '../../src/local-adobe/streaming/lake.ts'
import { joinParts } from '../unit/aep/join-parts.ts'
import type { JsonObject } from './fields.ts'
import { differences, type Expected, type Format, receiptFaults } from './format.ts'
import { type XdmContents, xdmContents } from './xdm-expected.ts'
import { XDM_FAULTS } from './xdm-faults.ts'

const { tenant } = DEFAULT_SETTINGS
const BASE = [`_${tenant}`, 'chatlio'] as const
const IN_PARTS = ['message', 'textBody', 'htmlBody', 'messages', 'unmapped'] as const
/** Texts that only repeat the messages. */
const DROPPABLE = ['htmlBody', 'textBody']
/** Above this Profile may drop an event silently. */
const MAX_BYTES = 9_500

export const XDM: Format = {
  name: 'xdm',
  // Short-lived tokens, so that many are requested; strict, so that records AEP would drop silently become dead letters.
  settings: { mode: 'xdm', strict: true, auth: true, tokenLifetimeS: 3 },
  vars: ({ orgId, datasetId, schemaId, clientId, clientSecret }, url) => ({
    AEP_FORMAT: 'xdm',
    AEP_ORG_ID: orgId,
    AEP_DATASET_ID: datasetId,
    AEP_SCHEMA_ID: schemaId,
    AEP_TENANT: tenant,
    AEP_CLIENT_ID: clientId,
    AEP_CLIENT_SECRET: clientSecret,
    AEP_IMS_URL: url,
  }),
  faults: XDM_FAULTS,
  eventOf: ({ _id }) => _id?.replace(/-\d+$/, '') ?? null,
  isWhole,
  faultsOf(records, expected) {
    if (records.length === 0) return []
    const contents = xdmContents(expected.webhook, tenant)
    return [
      ...records.flatMap((record) =>
        recordFaults(record, expected, contents).map((at) => `#${record.seq} ${at}`),
      ),
      ...copyFaults(records),
      // All parts are stored before the first is sent, so an event may not stay incomplete, answered or not.
      ...(isWhole(records) ? wholeFaults(records, contents) : ['is incomplete: parts are missing']),
    ]
  },
}

function isWhole(records: readonly LakeRecord[]): boolean {
  const [first] = records
  if (!first) return false
  const part = partOf(first)
  return !part || new Set(records.map(({ _id }) => _id)).size === part.count
}

/** Faults in the fields that every part repeats, and in its id. */
function recordFaults(
  { _id, record, bytes }: LakeRecord,
  expected: Expected,
  contents: XdmContents,
): string[] {
  const { timestamp, ...rest } = structuredClone<JsonObject>(record)
  const own = ownOf(rest)
  const { part, receivedAt } = own
  for (const name of [...IN_PARTS, 'part', 'receivedAt']) delete own[name]
  const faults = receiptFaults({ timestamp, receivedAt }, expected)
  if (bytes > MAX_BYTES) faults.push(`${bytes} bytes`)
  const { id } = expected
  const name = isObject(part) ? `${id}-${part.index}` : id
  if (isObject(part) && !isPart(part, id)) faults.push(`part ${JSON.stringify(part)}`)
  return [...faults, ...differences(rest, withOwn({ ...contents.record, _id: name }), '')].concat(
    _id === name ? [] : [`_id ${_id}`],
  )
}

function isPart({ index, count, of, dropped = [] }: JsonObject, id: string): boolean {
  const isInRange = Number.isInteger(index) && Number(index) >= 0 && Number(index) < Number(count)
  const isDroppable =
    Array.isArray(dropped) &&
    isDeepStrictEqual(
      dropped,
      DROPPABLE.filter((name) => dropped.includes(name)),
    )
  return of === id && isInRange && isDroppable
}

/** Copies of a part are equal except for their time of receipt. */
function copyFaults(records: readonly LakeRecord[]): string[] {
  const firsts = new Map<string | null, JsonObject>()
  return records.flatMap(({ _id, record, seq }) => {
    const own = { ...ownOf(structuredClone<JsonObject>(record)), receivedAt: undefined }
    const first = firsts.get(_id)
    if (!first) firsts.set(_id, own)
    return !first || isDeepStrictEqual(own, first) ? [] : [`#${seq} is not as its first copy`]
  })
}

/** Joins one copy of each part and compares the whole. */
function wholeFaults(records: readonly LakeRecord[], expected: XdmContents): string[] {
  const firsts = new Map(records.map(({ _id, record }) => [_id, record]))
  try {
    const parts = [...firsts.values()].map((record) => structuredClone<JsonObject>(record))
    const { texts, messages, unmapped, dropped } = joinParts(parts, BASE)
    const kept = Object.entries(expected.texts).filter(([name]) => !dropped.includes(name))
    const { messages: own } = expected
    const unread = dropped.length > 0 && !own.some(({ text }) => text !== undefined)
    const held = { texts: Object.fromEntries(kept), messages: own, unmapped: expected.unmapped }
    return differences({ texts, messages, unmapped }, held, '').concat(
      unread ? ['dropped texts that no message repeats'] : [],
    )
  } catch (error) {
    return [`its parts do not join: ${error}`]
  }
}

function partOf({ record }: LakeRecord): JsonObject | null {
  const { part } = ownOf(structuredClone<JsonObject>({ [BASE[0]]: record[BASE[0]] }))
  return isObject(part) ? part : null
}

/** The tenant's object of a record; adds an empty one if there is none. */
function ownOf(record: JsonObject): JsonObject {
  let holder = record
  for (const key of BASE) {
    if (!isObject(holder[key])) holder[key] = {}
    holder = holder[key] as JsonObject
  }
  return holder
}

/** A copy with the tenant's object, which an event has even if only its receipt is in it. */
function withOwn(record: JsonObject): JsonObject {
  const copy = structuredClone(record)
  ownOf(copy)
  return copy
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
