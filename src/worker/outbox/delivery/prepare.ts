/**
 * Turns a stored event into the records to send.
 *
 * What is stored is what arrived, so it is read, normalized and encoded anew for every attempt: a fix in the
 * normalizer or in a setting applies to everything that waits. The one exception is a split event, whose parts are
 * decided once and stored before the first is sent.
 *
 * Promises: never throws for a fault that one event brings out. An event that cannot be read any more goes to
 * quarantine; one that our own code fails on waits, and is logged; neither stops the others.
 */
import { encode, withDelay } from '../../aep/record/encode.ts'
import { readEvent } from '../../chatlio/event.ts'
import type { Destination } from '../../config/config.ts'
import { parseJson } from '../../lib/json.ts'
import { MAX_UNFINISHED_TRIES } from '../../limits.ts'
import { logLine } from '../../log.ts'
import { quarantineError } from '../quarantine.ts'
import type { EventReader, PendingEvent } from '../storage/reader.ts'
import type { EventStore } from '../storage/store.ts'
import type { UnfinishedTries } from '../storage/unfinished-tries.ts'
import { NO_TRIES } from './attempt-outcome.ts'
import type { Selected } from './selection.ts'

/** `part` is `null` when the event is one record. */
export type OutgoingRecord = { part: number | null; record: string }

/** `records`: JSON texts without their envelope, those that AEP has not accepted yet. */
export type Prepared = {
  selected: Selected
  event: PendingEvent
  records: readonly OutgoingRecord[]
}

export type PrepareDeps = {
  shard: string
  reader: EventReader
  store: EventStore
  unfinished: UnfinishedTries
  destination: Destination
  maxRecordBytes: number
  retryCapMs: number
  now: () => number
  /** Called with the id of an event that leaves the pending ones here. */
  quarantined: (id: string) => void
}

/** `null`: it is gone, or set aside. */
export function prepare(selected: Selected, deps: PrepareDeps): Prepared | null {
  const event = deps.reader.readPending(selected.position)
  if (!event) return null
  try {
    const records = recordsOf(event, deps)
    return records && { selected, event, records }
  } catch (thrown) {
    setAside(event, thrown, deps)
    return null
  }
}

function recordsOf(event: PendingEvent, deps: PrepareDeps): OutgoingRecord[] | null {
  const { reader, store, destination, maxRecordBytes } = deps
  const now = deps.now()
  const decided = reader.parts(event.position)
  if (decided.length > 0) {
    return decided.map(({ part, record }) => ({
      part,
      record: withDelay(record, event.receivedAt, now),
    }))
  }
  const reading = readEvent(event, parseJson(event.body))
  if (reading.outcome !== 'valid') {
    quarantine(event, quarantineError(reading), deps)
    return null
  }
  const encoded = encode(reading.event, destination, maxRecordBytes, { now, source: null })
  if (!encoded.split) return [{ part: null, record: encoded.record }]
  store.split(event.position, encoded.parts)
  return encoded.parts.map((record, part) => ({ part, record }))
}

/**
 * Records that processing a large event begins, durably, before it does: should it end the isolate, it must not do so
 * for ever. `quarantined`: it has, too often.
 */
export async function beginLarge(
  { position }: Selected,
  sync: () => Promise<void>,
  deps: PrepareDeps,
): Promise<'begun' | 'quarantined'> {
  const event =
    deps.unfinished.count(position) > MAX_UNFINISHED_TRIES
      ? deps.reader.readPending(position)
      : null
  if (event) {
    const message = `processing it never ended, ${MAX_UNFINISHED_TRIES + 1} times`
    quarantine(event, { code: 'processing-failed', status: null, message }, deps)
    return 'quarantined'
  }
  deps.unfinished.begin(position)
  await sync()
  return 'begun'
}

function quarantine(
  event: PendingEvent,
  error: ReturnType<typeof quarantineError>,
  { shard, store, quarantined }: PrepareDeps,
): void {
  const tries = event.tries ?? NO_TRIES
  store.park(event.position, 'quarantined', {
    ...tries,
    nextAt: null,
    askedToWait: false,
    error,
    answer: null,
  })
  const { id, kind } = event
  logLine('warn', { event: 'quarantined', shard, id, kind, code: error.code })
  quarantined(id)
}

function setAside(event: PendingEvent, thrown: unknown, deps: PrepareDeps): void {
  const message = thrown instanceof Error ? thrown.name : 'unknown'
  const { id, kind, position, tries } = event
  const { shard, store, now, retryCapMs } = deps
  logLine('error', { event: 'not-encoded', shard, id, kind, name: message })
  store.retryLater(position, {
    ...(tries ?? NO_TRIES),
    nextAt: now() + retryCapMs,
    askedToWait: false,
    error: { code: 'internal', status: null, message },
    answer: null,
  })
}
