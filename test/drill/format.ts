/**
 * Format: how the Worker is configured for a format, and how the records in AEP are compared with the posts.
 * Only a value of this type knows what a record looks like.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Settings } from '../../src/local-adobe/settings.ts'
import type { LakeRecord } from '../../src/local-adobe/streaming/lake.ts'
import type { Fault } from './faults.ts'
import type { JsonObject } from './fields.ts'
import type { Webhook } from './webhooks.ts'

/** An event as its posts describe it. */
export type Expected = {
  readonly id: string
  readonly webhook: Webhook
  /** Earliest and latest time of receipt, in epoch milliseconds. */
  readonly from: number
  readonly to: number
}

export type Format = {
  readonly name: Settings['mode']
  /** How the local AEP is set up for it. */
  readonly settings: Partial<Settings>
  /** Variables of the Worker. `url` is the local AEP's. */
  vars(settings: Settings, url: string): Record<string, string>
  /** Faults that only this format can meet, beside those of `faults.ts`. */
  readonly faults: readonly Fault[]
  /** Id of the event to which a record belongs. */
  eventOf(record: Pick<LakeRecord, '_id'>): string | null
  /** Whether these are all the records of their event. */
  isWhole(records: readonly LakeRecord[]): boolean
  /** One line for each fault in the records that AEP has of one event. */
  faultsOf(records: readonly LakeRecord[], expected: Expected): string[]
}

export const FLOW_ID = 'drill-flow'

export const RAW: Format = {
  name: 'raw',
  settings: { mode: 'raw' },
  vars: () => ({ AEP_FORMAT: 'raw' }),
  faults: [],
  eventOf: ({ _id }) => _id,
  isWhole: (records) => records.length > 0,
  faultsOf: (records, expected) =>
    records.flatMap(({ record, seq }) => rawFaults(record, expected).map((at) => `#${seq} ${at}`)),
}

/** Records by event id; those without an id under ''. */
export function byEvent(lake: readonly LakeRecord[], format: Format): Map<string, LakeRecord[]> {
  return Map.groupBy(lake, (record) => format.eventOf(record) ?? '')
}

/** A raw record is the payload as posted, plus what the relay says of it. */
function rawFaults(record: JsonObject, expected: Expected): string[] {
  const { timestamp, receivedAt, delaySeconds, identity, chatMetrics, ...rest } = record
  const { eventType, payload } = expected.webhook
  const posted = { ...payload, _id: expected.id, eventType }
  const isDelay = Number.isInteger(delaySeconds) && Number(delaySeconds) >= 0
  return [
    ...differences(rest, posted, ''),
    ...differences(identity ?? {}, identityOf(payload), 'identity'),
    ...differences(authorsOf(chatMetrics), authorsIn(payload.messages), 'chatMetrics'),
    ...(isDelay ? [] : [`delaySeconds: ${short(delaySeconds)}`]),
    ...receiptFaults({ timestamp, receivedAt }, expected),
  ]
}

function identityOf({ visitor, visitorEmail, email }: JsonObject): JsonObject {
  const known = (visitor ?? {}) as JsonObject
  const address = known.email ?? visitorEmail ?? email
  return {
    ...(known.UUID !== undefined && { visitor: known.UUID }),
    ...(address !== undefined && { email: address }),
  }
}

/** How many messages the visitor and agents wrote. */
function authorsOf(metrics: unknown): unknown[] {
  const { visitorMessages, agentMessages } = (metrics ?? {}) as JsonObject
  return [visitorMessages, agentMessages]
}

function authorsIn(messages: unknown): unknown[] {
  if (!Array.isArray(messages)) return [undefined, undefined]
  const by = (isVisitorMsg: boolean) =>
    messages.filter((message: JsonObject) => message.isVisitorMsg === isVisitorMsg).length
  return [by(true), by(false)]
}

/** Checks the two times of a record. */
export function receiptFaults(
  { timestamp, receivedAt }: { timestamp: unknown; receivedAt: unknown },
  { webhook, from, to }: Expected,
): string[] {
  const received = typeof receivedAt === 'string' ? Date.parse(receivedAt) : Number.NaN
  const faults = differences(timestamp, webhook.happenedAt ?? receivedAt, 'timestamp')
  const isInTime = received >= from && received <= to
  return isInTime ? faults : [...faults, `receivedAt ${JSON.stringify(receivedAt)}`]
}

/** Where two values differ: one line for each dotted path, with the actual and the expected value. */
export function differences(actual: unknown, expected: unknown, path: string): string[] {
  if (isDeepStrictEqual(actual, expected)) return []
  if (!isContainer(actual) || !isContainer(expected)) {
    return [`${path}: ${short(actual)} instead of ${short(expected)}`]
  }
  const names = new Set([...Object.keys(actual), ...Object.keys(expected)])
  const found = [...names].flatMap((name) =>
    differences(actual[name], expected[name], path === '' ? name : `${path}.${name}`),
  )
  return found.length > 0 ? found : [`${path}: of another type`]
}

const isContainer = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
