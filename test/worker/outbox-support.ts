/** What tests of the outbox itself share: what an isolate asks it to store, and faults of its storage. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import type { Ending } from '../../src/worker/aep/client/verdict.ts'
import { parseConfig } from '../../src/worker/config/config.ts'
import { settingsOf } from '../../src/worker/config/destination.ts'
import type { RequestAttempt, StoreRequest } from '../../src/worker/outbox/arrivals.ts'
import { NO_HISTORY } from '../../src/worker/outbox/blame.ts'
import type { ArrivingEvent, StoredAttempt, StoredError } from '../../src/worker/outbox/event.ts'
import { Events } from '../../src/worker/outbox/events.ts'
import type { Outbox } from '../../src/worker/outbox/outbox.ts'
import { outbox, type Relay } from './support.ts'

const settings = () => settingsOf(parseConfig(env).destination)

/** An id for each number. */
export const idOf = (index: number) => index.toString(16).padStart(64, '0')

/** A distinct event for each index, as an isolate stores it that has not asked AEP. */
export function storeRequest(index: number, fields: Partial<StoreRequest> = {}): StoreRequest {
  return {
    id: idOf(index),
    kind: 'feedback',
    source: null,
    receivedAt: Date.now(),
    body: new TextEncoder().encode(JSON.stringify({ visitor: { UUID: `visitor-${index}` } })),
    hashes: index.toString(16).padStart(32, 'a'),
    state: 'pending',
    parts: [],
    madeFor: '',
    attempt: null,
    error: null,
    accepted: null,
    settings: settings(),
    ...fields,
  }
}

export const refusal: Ending = {
  verdict: 'rejected',
  error: { code: 'rejected', status: 400, message: 'refused' },
  answer: null,
  retryAfterMs: null,
}

/** An attempt inside a request, now. */
export const attemptOf = (ending: Ending): RequestAttempt => {
  return { beganAt: Date.now(), endedAt: Date.now(), ending }
}

/** Works inside the object that is running. */
export function inOutbox<Result>(
  work: (instance: Outbox, state: DurableObjectState) => Result | Promise<Result>,
): Promise<Result> {
  return runInDurableObject<Outbox, Result>(outbox(), work)
}

/** So many events of 1.4 MB, in quarantine since they are no JSON. Returns their ids. */
export const storeLarge = (count: number): Promise<string[]> =>
  inOutbox(async (instance) => {
    const body = new Uint8Array(1_400_000).fill(32)
    const error = { code: 'malformed-json', status: null, message: '' } as const
    const now = Date.now()
    const requests = Array.from({ length: count }, (_, each) =>
      storeRequest(each, { body, receivedAt: now + each, state: 'quarantined', error }),
    )
    for (const request of requests) await instance.store(request)
    return requests.map(({ id }) => id)
  })

/** An event for each index, one a millisecond, as the outbox writes it down. */
export function arrivingEvent(index: number, fields: Partial<ArrivingEvent> = {}): ArrivingEvent {
  return {
    id: idOf(index),
    kind: 'feedback',
    source: null,
    receivedAt: index,
    body: new TextEncoder().encode('{}'),
    hashes: '',
    state: 'pending',
    parts: [],
    madeFor: '',
    attempt: null,
    ...fields,
  }
}

/** One attempt that ended so, and what is to come of it. */
export function failedAttempt(error: StoredError, nextAt: number | null = null): StoredAttempt {
  const history = { ...NO_HISTORY, attempts: 1, triedAt: 1 }
  return { ...history, nextAt, askedToWait: false, error, answer: null }
}

/** Many at once, by the statements that the outbox has for it: without an answer for each, and without a sync. */
export function fillWith(storage: DurableObjectStorage, arriving: readonly ArrivingEvent[]): void {
  const events = new Events(storage, () => {})
  for (let from = 0; from < arriving.length; from += 1_000) {
    events.store(arriving.slice(from, from + 1_000))
  }
}

/** When the object wakes by itself, in epoch milliseconds. */
export const alarmAt = () => inOutbox((_, { storage }) => storage.getAlarm())

/**
 * From now on SQLite refuses this, as on a full disk: `INSERT ON events`, `DELETE ON events WHEN OLD.id = '…'`. Returns
 * what ends that.
 */
export async function refuseWrites(what: string, text = 'disk full'): Promise<() => Promise<void>> {
  const name = `refuses_${crypto.randomUUID().replaceAll('-', '')}`
  const run = (statement: string) => inOutbox((_, { storage }) => void storage.sql.exec(statement))
  await run(`CREATE TRIGGER ${name} BEFORE ${what} BEGIN SELECT RAISE(ABORT, '${text}'); END`)
  return () => run(`DROP TRIGGER ${name}`)
}

type ListedRow = { id: string; state: string; settledAt?: string | null }

/** One page of `GET /admin/events`. */
export async function listedBy(relay: Relay, query: string): Promise<ListedRow[]> {
  const { status, body } = await relay.get(`/events?${query}`)
  expect([query, status]).toEqual([query, 200])
  return body.events as ListedRow[]
}

/** The ids on every page of it, one after the other. */
export async function pagedBy(relay: Relay, query: string): Promise<string[]> {
  const ids: string[] = []
  for (let cursor: unknown = ''; cursor !== null; ) {
    const { body } = await relay.get(`/events?${query}&cursor=${cursor}`)
    ids.push(...(body.events as ListedRow[]).map(({ id }) => id))
    cursor = body.cursor
  }
  return ids
}
