/**
 * What goes into one slot of the pool: one event, or, where the destination takes batches, as many as fit.
 *
 * Promises: only events never tried share a request: if it fails as a whole, each is sent alone the next time, so that
 * one that poisons a request takes no other with it. What cannot be read any more goes to quarantine here.
 */
import { fitsBatch } from '../../aep/client/deliver.ts'
import { encode } from '../../aep/record/encode.ts'
import { readEvent } from '../../chatlio/event.ts'
import type { Destination } from '../../config/config.ts'
import { parseJson } from '../../lib/json.ts'
import { utf8Length } from '../../lib/json-text.ts'
import { logLine } from '../../log.ts'
import { quarantineError } from '../quarantine.ts'
import type { EventReader, PendingEvent } from '../storage/reader.ts'
import type { EventStore } from '../storage/store.ts'
import type { Selected, Selection } from './selection.ts'

/** `part` is `null` where the event is one record. */
export type OutgoingRecord = { part: number | null; record: string }
export type Prepared = { event: PendingEvent; records: readonly OutgoingRecord[] }
export type Job = readonly Prepared[]

export type JobDeps = {
  reader: EventReader
  store: EventStore
  selection: Selection
  destination: Destination
  maxEventBytes: number
  retryCapMs: number
  now: () => number
}

/** `null`: nothing is due. `probe`: the destination fails, one event is to ask. */
export function nextJob(deps: JobDeps, probe: boolean, now: number): Job | null {
  const { selection, destination } = deps
  const first = nextPrepared(deps, () => (probe ? selection.nextProbe() : selection.next(now)))
  if (!first) return null
  if (probe || destination.format === 'raw' || first.event.tries) return [first]
  return fill(first, deps)
}

function fill(first: Prepared, deps: JobDeps): Job {
  const job = [first]
  let { messages, bytes } = sizeOf(first)
  for (;;) {
    const more = nextPrepared(deps, () => deps.selection.nextUntried())
    if (!more) return job
    const size = sizeOf(more)
    messages += size.messages
    bytes += size.bytes
    if (!fitsBatch(messages, bytes)) {
      deps.selection.giveBack(more.event.position)
      return job
    }
    job.push(more)
  }
}

function sizeOf({ records }: Prepared) {
  const bytes = records.reduce((sum, { record }) => sum + utf8Length(record), 0)
  return { messages: records.length, bytes }
}

/** The next one that is really there and can be read. */
function nextPrepared(deps: JobDeps, select: () => Selected | null): Prepared | null {
  for (let selected = select(); selected !== null; selected = select()) {
    const event = deps.reader.readPending(selected.position)
    const prepared = event && tryToPrepare(event, deps)
    if (prepared) return prepared
    deps.selection.done(selected.position)
  }
  return null
}

/** A fault of our own that one event brings out must not stop the others: that one waits, and is seen. */
function tryToPrepare(event: PendingEvent, deps: JobDeps): Prepared | null {
  try {
    return prepare(event, deps)
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.name : 'unknown'
    const { id, kind, position, tries } = event
    logLine('error', { event: 'not-encoded', id, kind, name: message })
    deps.store.failed(position, {
      ...(tries ?? { attempts: 0, strikes: 0, triedAt: null }),
      nextAt: deps.now() + deps.retryCapMs,
      error: { code: 'internal', status: null, message },
      answer: null,
    })
    return null
  }
}

function prepare(event: PendingEvent, { reader, store, destination, maxEventBytes }: JobDeps) {
  const decided = reader.parts(event.position)
  if (decided.length > 0) return { event, records: decided }
  // What is stored is what arrived: a newer version of the relay may read it differently.
  const reading = readEvent(event, parseJson(event.body))
  if (reading.outcome !== 'valid') {
    const tries = event.tries ?? { attempts: 0, strikes: 0, triedAt: null }
    const error = quarantineError(reading)
    store.park(event.position, 'quarantined', { ...tries, nextAt: null, error, answer: null })
    return null
  }
  const encoded = encode(reading.event, destination, maxEventBytes)
  if (!encoded.split) return { event, records: [{ part: null, record: encoded.record }] }
  store.split(event.position, encoded.parts)
  return { event, records: encoded.parts.map((record, part) => ({ part, record })) }
}
