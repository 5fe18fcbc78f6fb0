/**
 * Writes down what AEP made of an event, and what that says of AEP.
 *
 * Promises: an event that an operator erased meanwhile stays erased; a write that fails is logged with what is lost
 * by it (the note, never the event), and thrown.
 */
import type { Verdict } from '../../aep/client/verdict.ts'
import type { AttemptInfo } from '../../aep/upstream/blame.ts'
import { logLine } from '../../log.ts'
import type { EventReader, PendingEvent } from '../storage/reader.ts'
import type { EventStore } from '../storage/store.ts'
import { type AttemptOutcome, attemptOutcome, type FailedVerdict } from './attempt-outcome.ts'
import type { Backoff } from './backoff.ts'
import type { Prepared } from './prepare.ts'
import type { Selection } from './selection.ts'
import type { UpstreamWatch } from './upstream-watch.ts'
import type { EventEnd } from './waiters.ts'

/** What a run did, in events, and the latest failure in it. */
export type DrainReport = {
  sent: number
  accepted: number
  deferred: number
  rejected: number
  held: number
  failure: { code: string; status: number | null } | null
}

export function newReport(): DrainReport {
  return { sent: 0, accepted: 0, deferred: 0, rejected: 0, held: 0, failure: null }
}

export type OutcomeDeps = {
  shard: string
  reader: EventReader
  store: EventStore
  watch: UpstreamWatch
  selection: Selection
  backoff: Backoff
  now: () => number
  random: () => number
  report: DrainReport
  /** Called when an event has left the pending ones. */
  left: (id: string, end: EventEnd) => void
}

/** The end of an event's attempt. */
export type End = { prepared: Prepared; verdict: Verdict }
type Accepted = { event: PendingEvent; verdict: Verdict }
type FailedEnd = { event: PendingEvent; verdict: FailedVerdict }

export class OutcomeRecorder {
  readonly #deps: OutcomeDeps

  constructor(deps: OutcomeDeps) {
    this.#deps = deps
  }

  partAccepted = ({ event }: Prepared, part: number, verdict: Verdict, beganAt: number): void => {
    const { reader, store, watch, now } = this.#deps
    try {
      watch.recordAttempt(verdict, { ...attemptOf(event, beganAt), isPart: true }, now())
      if (reader.isPending(event)) store.partDelivered(event.position, part)
    } catch (thrown) {
      this.#logUnrecorded(event, 'part delivered', thrown)
      throw thrown
    }
  }

  /**
   * Events whose attempts ended with one request. Acceptances first: they show that what else failed in the same request
   * did so through its own fault. One that cannot be written keeps no other from being written.
   */
  ended = (ends: readonly End[], beganAt: number): void => {
    const { selection, report } = this.#deps
    const delivered: Accepted[] = []
    const failed: FailedEnd[] = []
    for (const { prepared, verdict } of ends) {
      const { event } = prepared
      report[verdict.verdict === 'unknown' ? 'deferred' : verdict.verdict] += 1
      if (verdict.verdict === 'accepted') {
        delivered.push({ event, verdict })
        continue
      }
      failed.push({ event, verdict })
      report.failure = { code: verdict.error.code, status: verdict.error.status }
    }
    const faults = [
      ...this.#delivered(delivered, beganAt),
      ...failed.flatMap((each) => this.#failed(each, beganAt)),
    ]
    for (const { prepared } of ends) selection.done(prepared.event.position)
    if (faults.length > 0) throw faults[0]
  }

  /** All in one transaction; if that fails, each in a separate one. Returns what was thrown. */
  #delivered(accepted: readonly Accepted[], beganAt: number): unknown[] {
    const { store, watch, left, now } = this.#deps
    if (accepted.length === 0) return []
    try {
      const at = now()
      for (const { event, verdict } of accepted) {
        watch.recordAttempt(verdict, attemptOf(event, beganAt), at)
      }
      for (const { id } of store.delivered(accepted.map(({ event }) => event)))
        left(id, 'delivered')
      return []
    } catch (thrown) {
      const [first] = accepted
      if (accepted.length > 1) return accepted.flatMap((each) => this.#delivered([each], beganAt))
      if (first) this.#logUnrecorded(first.event, 'delivered', thrown)
      return [thrown]
    }
  }

  #failed({ event, verdict }: FailedEnd, beganAt: number): unknown[] {
    const { reader, watch, backoff, now, random } = this.#deps
    const at = now()
    const attempt = attemptOf(event, beganAt)
    const { state } = watch
    try {
      watch.recordAttempt(verdict, attempt, at)
      if (!reader.isPending(event)) return []
      const { tries } = event
      const { rejecting } = watch
      this.#record(
        event,
        attemptOutcome(verdict, { at, attempt, tries, state, rejecting, backoff, random }),
      )
      return []
    } catch (thrown) {
      this.#logUnrecorded(event, verdict.verdict, thrown)
      return [thrown]
    }
  }

  #record(event: PendingEvent, { end, tried }: AttemptOutcome): void {
    const { shard, store, left } = this.#deps
    if (end === 'retry') {
      store.retryLater(event.position, tried)
      return
    }
    store.park(event.position, 'dead', tried)
    logDeadLetter(shard, event, tried.error)
    left(event.id, 'dead')
  }

  /** In this line `outcome: "delivered"` means: AEP has the event, and will get it again under the same `_id`. */
  #logUnrecorded({ id, kind }: PendingEvent, outcome: string, thrown: unknown): void {
    const name = thrown instanceof Error ? thrown.name : 'unknown'
    logLine('error', { event: 'not-recorded', shard: this.#deps.shard, id, kind, outcome, name })
  }
}

function attemptOf({ id, tries }: PendingEvent, beganAt: number): AttemptInfo {
  return {
    id,
    beganAt,
    previousAt: tries?.triedAt ?? null,
    throttles: tries?.throttles ?? 0,
    refusedBefore: tries?.refused ?? false,
    isPart: false,
  }
}

/** AEP refused this event for good, or it ran out of strikes: it waits for an operator. */
export function logDeadLetter(
  shard: string,
  { id, kind }: { id: string; kind: string },
  { code, status }: { code: string; status: number | null },
): void {
  logLine('error', { event: 'dead-letter', shard, id, kind, code, status })
}
