/**
 * Takes events into the outbox.
 *
 * Promises: an event that `store` resolved for is written, and what delivers it knows of it. Those that arrive together are
 * written together (`GroupCommit`); what decides how an event is stored (its person, what is known of AEP) is looked at in
 * the moment of writing, since both may change while it waits.
 */
import type { Ending } from '../aep/client/verdict.ts'
import {
  MAX_ARRIVAL_AGE_MS,
  MAX_BODY_BYTES,
  MAX_WAITING_BYTES,
  WRITE_PROBE_INTERVAL_MS,
} from '../limits.ts'
import { NO_HISTORY } from './blame.ts'
import type { Delivery, DeliveryDeps } from './delivery/delivery.ts'
import { logDeadLetter } from './delivery/outcome.ts'
import type { ArrivingEvent, EventState, StoredAttempt, StoredError } from './event.ts'
import { GroupCommit } from './group-commit.ts'

/** The attempt that a request made before it stored its event. */
export type RequestAttempt = { beganAt: number; endedAt: number; ending: Ending }

/** A request's order to store an event. */
export type StoreRequest = Omit<ArrivingEvent, 'hashes' | 'state' | 'attempt'> & {
  /** What it is looked up by; `null`: the outbox finds out. */
  hashes: string | null
  state: 'pending' | 'quarantined'
  /** `null` if it made none. */
  attempt: RequestAttempt | null
  /** Why it is quarantined, or why our own code fails on it; otherwise `null`. */
  error: StoredError | null
  /** The newest acceptance that its isolate has seen, and the settings that it sends under. */
  accepted: { beganAt: number; at: number } | null
  settings: string
}

/** Where an event is; `suppressed`: nothing of its person is stored. */
export type ArrivedState = EventState | 'suppressed'

type ArrivalsDeps = { delivery: Delivery } & Pick<
  DeliveryDeps,
  'config' | 'storage' | 'events' | 'watch' | 'records' | 'now'
>

/** A write that has been tried, when, and how large its largest body was. */
type Write = { at: number; worked: boolean; bytes: number }

/** The write to judge the next one by, once these events have been added. */
function afterWrite(last: Write | null, added: readonly ArrivingEvent[], at: number): Write | null {
  const bytes = largest(added)
  // A smaller write that works does not prove that one as large as the refused one would.
  const isProof = last === null || last.worked || bytes >= last.bytes
  return added.length > 0 && isProof ? { at, worked: true, bytes } : last
}

const largest = (events: readonly ArrivingEvent[]) =>
  Math.max(0, ...events.map(({ body }) => body.length))

type HashedRequest = StoreRequest & { hashes: string }

export class Arrivals {
  readonly #deps: ArrivalsDeps
  readonly #commit: GroupCommit<HashedRequest, ArrivedState>
  /** Bytes of the bodies that wait, at most. */
  #waitingBytes = 0
  /** The write to judge the next one by; `null` before the first. */
  #lastWrite: Write | null = null
  #probed: { at: number; worked: Promise<boolean> } | null = null

  constructor(deps: ArrivalsDeps) {
    this.#deps = deps
    this.#commit = new GroupCommit(
      (requests) => this.#write(requests),
      () => deps.storage.sync(),
    )
  }

  async store(request: StoreRequest): Promise<ArrivedState> {
    const { records, delivery } = this.#deps
    const hashes = request.hashes ?? (await records.hashesOf(request))
    this.#waitingBytes += request.body.length
    const stored = this.#commit.add({ ...request, hashes })
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.flush()
    const state = await stored
    // A refused one, too: a minute later the refusals may turn out not to be the events' fault.
    if (state === 'pending' || state === 'dead') await delivery.scheduleNewWork()
    return state
  }

  /** Writes what waits, so that an operator's command sees it. */
  flush(): void {
    this.#commit.flush()
  }

  /**
   * Whether a row as large as an event's can be written: by storing one, at most once a minute, and not while stores
   * succeed. What has just refused a store is not writable.
   */
  async isWritable(): Promise<boolean> {
    const now = this.#deps.now()
    const isRecent = (at: number) => at <= now && now - at < WRITE_PROBE_INTERVAL_MS
    const stored = this.#lastWrite
    if (stored !== null && isRecent(stored.at)) return stored.worked
    if (this.#probed === null || !isRecent(this.#probed.at)) {
      this.#probed = { at: now, worked: this.#probe() }
    }
    return this.#probed.worked
  }

  async #probe(): Promise<boolean> {
    const { storage } = this.#deps
    const { sql } = storage
    try {
      sql.exec('CREATE TABLE IF NOT EXISTS probe (zeros BLOB)')
      sql.exec('INSERT INTO probe VALUES (zeroblob(?))', MAX_BODY_BYTES)
      await storage.sync()
      return true
    } catch {
      return false
    } finally {
      try {
        // Durable with whatever is written next.
        sql.exec('DELETE FROM probe')
      } catch {
        // The next probe removes it.
      }
    }
  }

  #write(requests: readonly HashedRequest[]): ArrivedState[] {
    const { records, events, delivery, watch, now } = this.#deps
    this.#waitingBytes = 0
    const at = now()
    const wanted = requests.filter(({ hashes }) => !records.suppressions.has(hashes, at))
    const before = watch.known().refusedFrom
    const arrivals = wanted.map((request) => this.#arrival(request))
    const lastWrite = this.#lastWrite
    this.#lastWrite = { at, worked: false, bytes: largest(arrivals) }
    let places = events.store(arrivals)
    if (before === null && watch.known().refusedFrom !== null) {
      // One of them has shown that AEP refuses everything: what it refused of the others was not their fault either.
      watch.takeBack()
      places = places.map((place) => ({ ...place, ...events.at(place.position) }))
    }
    events.ledger.save()
    records.stored(
      places.flatMap(({ position, isNew }, index) =>
        isNew ? { position, hashes: arrivals[index]?.hashes ?? '' } : [],
      ),
    )
    // What was there before, and whose person is suppressed, has written nothing.
    const added = arrivals.filter((_, index) => places[index]?.isNew)
    this.#lastWrite = afterWrite(lastWrite, added, at)
    const states = new Map(wanted.map((request, index) => [request, places[index]?.state]))
    const pending = places.filter(({ state }) => state === 'pending')
    delivery.added(pending.map(({ position }) => position))
    for (const [index, arrival] of arrivals.entries()) {
      const { state, attempt } = arrival
      if (state === 'dead' && places[index]?.state === 'dead' && attempt) {
        logDeadLetter(arrival, attempt.error)
      }
    }
    return requests.map((request) => states.get(request) ?? 'suppressed')
  }

  #arrival({ attempt, error, accepted, settings, ...waiting }: HashedRequest): ArrivingEvent {
    const { watch, config, now } = this.#deps
    // The clock of an isolate may be far off, and what seems to be weeks old would be erased for its age.
    const at = now()
    const receivedAt = Math.min(Math.max(waiting.receivedAt, at - MAX_ARRIVAL_AGE_MS), at)
    const request = { ...waiting, receivedAt }
    if (accepted) watch.happened({ what: 'report', accepted, settings }, 'with-events')
    if (attempt) {
      const { id } = request
      const outcome = watch.attempted(
        { id, settings, history: NO_HISTORY, isPart: false, ...attempt },
        'with-events',
      )
      if (outcome.end !== 'accepted') {
        const state = outcome.end === 'dead' ? 'dead' : 'pending'
        return { ...request, state, attempt: outcome.recorded }
      }
    }
    if (!error) return { ...request, attempt: null }
    // One that our own code fails on is tried again, and not at once.
    const nextAt = request.state === 'pending' ? request.receivedAt + config.retryCapMs : null
    const failed: StoredAttempt = { ...NO_HISTORY, nextAt, askedToWait: false, error, answer: null }
    return { ...request, attempt: failed }
  }
}
