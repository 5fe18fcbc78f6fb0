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
import { type AttemptOutcome, attemptOutcome } from './attempt-outcome.ts'
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

export class OutcomeRecorder {
  readonly #deps: OutcomeDeps

  constructor(deps: OutcomeDeps) {
    this.#deps = deps
  }

  partAccepted = ({ event }: Prepared, part: number, verdict: Verdict, beganAt: number): void => {
    const { reader, store, watch, now } = this.#deps
    this.#write(event, 'part delivered', () => {
      watch.recordAttempt(verdict, { ...attemptOf(event, beganAt), isPart: true }, now())
      if (reader.stillPending(event)) store.partDelivered(event.position, part)
    })
  }

  ended = ({ event }: Prepared, verdict: Verdict, beganAt: number): void => {
    const { reader, watch, selection, backoff, now, random, report } = this.#deps
    const at = now()
    const attempt = attemptOf(event, beganAt)
    const { state } = watch
    const { tries } = event
    const outcomeOf = () =>
      attemptOutcome(verdict, {
        at,
        attempt,
        tries,
        state,
        rejecting: watch.rejecting,
        backoff,
        random,
      })
    report[verdict.verdict === 'unknown' ? 'deferred' : verdict.verdict] += 1
    if (verdict.verdict !== 'accepted') {
      report.failure = { code: verdict.error.code, status: verdict.error.status }
    }
    try {
      this.#write(event, verdict.verdict === 'accepted' ? 'delivered' : verdict.verdict, () => {
        watch.recordAttempt(verdict, attempt, at)
        if (reader.stillPending(event)) this.#record(event, outcomeOf())
      })
    } finally {
      selection.done(event.position)
    }
  }

  #record(event: PendingEvent, outcome: AttemptOutcome): void {
    const { shard, store, left } = this.#deps
    switch (outcome.end) {
      case 'delivered':
        store.delivered(event)
        break
      case 'retry':
        store.retryLater(event.position, outcome.tried)
        return
      case 'dead':
        store.park(event.position, 'dead', outcome.tried)
        logDeadLetter(shard, event, outcome.tried.error)
    }
    left(event.id, outcome.end)
  }

  /** In this line `outcome: "delivered"` means: AEP has the event, and will get it again under the same `_id`. */
  #write({ id, kind }: PendingEvent, outcome: string, write: () => void): void {
    try {
      write()
    } catch (thrown) {
      const name = thrown instanceof Error ? thrown.name : 'unknown'
      logLine('error', { event: 'not-recorded', shard: this.#deps.shard, id, kind, outcome, name })
      throw thrown
    }
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
