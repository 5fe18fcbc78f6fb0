/**
 * Format: how the Worker is told what to send, and how what AEP has is compared with what was posted.
 * The only place that knows what a record looks like; another format is another value of this type.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Settings } from '../../src/local-adobe/settings.ts'
import type { LakeRecord } from '../../src/local-adobe/streaming/lake.ts'
import type { Fault } from './faults.ts'
import type { JsonObject } from './fields.ts'
import type { Webhook } from './webhooks.ts'

/** What is known of an event from its posts alone. */
export type Expected = {
  readonly id: string
  readonly webhook: Webhook
  /** Receipt was not before and not after. */
  readonly from: number
  readonly to: number
}

export type Format = {
  readonly name: Settings['mode']
  /** How the local AEP is set up for it. */
  readonly settings: Partial<Settings>
  /** `url`: the local AEP's. */
  vars(settings: Settings, url: string): Record<string, string>
  /** Faults that only its requests can meet, beside those of `faults.ts`. */
  readonly faults: readonly Fault[]
  /** The event that a record is of, or is a part of. */
  eventOf(record: Pick<LakeRecord, '_id'>): string | null
  /** Whether these are all the records of their event. */
  isWhole(records: readonly LakeRecord[]): boolean
  /** What is wrong with the records that AEP has of one event; nothing, one line each. */
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

/** Records without an id are under the empty one. */
export function byEvent(lake: readonly LakeRecord[], format: Format): Map<string, LakeRecord[]> {
  return Map.groupBy(lake, (record) => format.eventOf(record) ?? '')
}

/** The payload as posted, and four fields beside it. */
function rawFaults(record: JsonObject, expected: Expected): string[] {
  const { timestamp, receivedAt, ...rest } = record
  const { eventType, payload } = expected.webhook
  const whole = { ...payload, _id: expected.id, eventType }
  return [...differences(rest, whole, ''), ...receiptFaults({ timestamp, receivedAt }, expected)]
}

/** The two times of an event, wherever a record has them. */
export function receiptFaults(
  { timestamp, receivedAt }: { timestamp: unknown; receivedAt: unknown },
  { webhook, from, to }: Expected,
): string[] {
  const received = typeof receivedAt === 'string' ? Date.parse(receivedAt) : Number.NaN
  const faults = differences(timestamp, webhook.happenedAt ?? receivedAt, 'timestamp')
  const isInTime = received >= from && received <= to
  return isInTime ? faults : [...faults, `receivedAt ${JSON.stringify(receivedAt)}`]
}

/** Where two values differ: dotted places, with what stands there and what should. */
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
