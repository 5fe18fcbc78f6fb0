/**
 * Writes down what AEP made of an event, and what that says of AEP.
 *
 * Promises: an event that an operator erased meanwhile stays erased; acceptances that arrive together are written in one
 * transaction; a write that fails is logged and thrown: the event stays pending, and is sent again.
 */
import type { Ending } from '../../aep/client/verdict.ts'
import { logLine, nameOf } from '../../log.ts'
import { type Attempt, type AttemptOutcome, NO_HISTORY } from '../blame.ts'
import type { SentEvent, StoredError, StoredEvent } from '../event.ts'
import { GroupCommit } from '../group-commit.ts'
import type { DeliveryDeps } from './delivery.ts'
import type { Next } from './next.ts'
import type { Prepared } from './send.ts'

/** What a run did, in events, and the latest failure in it. */
type RunReport = ReturnType<typeof newReport>

const newReport = () => ({
  ...{ sent: 0, accepted: 0, deferred: 0, rejected: 0, held: 0 },
  failure: null as { code: string; status: number | null } | null,
})

/** The end of an event's attempt. */
export type Ended = { prepared: Prepared; ending: Ending }

type OutcomeDeps = { next: Next } & Pick<
  DeliveryDeps,
  'events' | 'watch' | 'settings' | 'now' | 'storage' | 'records'
>

export class Outcomes {
  readonly #deps: OutcomeDeps
  readonly #accepted: GroupCommit<SentEvent, 'written'>
  /** Of the current run. */
  report: RunReport = newReport()
  /** The runtime has ended an attempt: nobody's failure, and the end of the run. */
  aborted = false
  /** What an event needs before it is sent could not be written. It holds up no other: the run breaks at its end. */
  unwritten: { thrown: unknown } | null = null

  constructor(deps: OutcomeDeps) {
    this.#deps = deps
    this.#accepted = new GroupCommit(
      (events) => this.#write(events),
      () => deps.storage.sync(),
    )
  }

  /** What the run did; the next one begins with nothing. */
  takeReport(): RunReport {
    const { report } = this
    this.report = newReport()
    this.aborted = false
    this.unwritten = null
    return report
  }

  partAccepted(event: StoredEvent, part: number, ending: Ending, beganAt: number): void {
    const { events, watch, records } = this.#deps
    try {
      watch.attempted(this.#attempt(event, ending, beganAt, true))
      if (events.stillPending([event]).length > 0) events.parts.accepted(event.position, part)
      records.partSettled(event)
    } catch (thrown) {
      logUnrecorded(event, 'part delivered', thrown)
      throw thrown
    }
  }

  /**
   * Events whose attempts ended with one request. Acceptances first: they show that what else failed in the same request did
   * so through its own fault. One that cannot be written keeps no other from being written.
   */
  async ended(ended: readonly Ended[], beganAt: number): Promise<void> {
    const faults: unknown[] = []
    const unrecorded = (event: StoredEvent, outcome: string) => (thrown: unknown) => {
      logUnrecorded(event, outcome, thrown)
      faults.push(thrown)
    }
    const isAccepted = ({ ending }: Ended) => ending.verdict === 'accepted'
    const accepted = ended.filter(isAccepted).filter(({ prepared: { event }, ending }) => {
      this.report.accepted += 1
      try {
        this.#deps.watch.attempted(this.#attempt(event, ending, beganAt))
        return true
      } catch (thrown) {
        unrecorded(event, 'delivered')(thrown)
        return false
      }
    })
    const delivered = accepted.map(({ prepared: { event, redacted } }) => ({ ...event, redacted }))
    const written = this.#accepted
      .addAll(delivered)
      .map((each, index) => each.catch(unrecorded(delivered[index] as SentEvent, 'delivered')))
    for (const each of ended) {
      if (isAccepted(each)) continue
      try {
        this.#failed(each, beganAt)
      } catch (thrown) {
        unrecorded(each.prepared.event, each.ending.verdict)(thrown)
      }
    }
    await Promise.all(written)
    for (const { prepared } of ended) this.#deps.next.done(prepared.event.position)
    if (faults.length > 0) throw faults[0]
  }

  /** The event can no longer be read as a valid one: quarantine. */
  quarantined(event: StoredEvent, error: StoredError): void {
    this.#park(event, 'quarantined', error)
    const { id, kind } = event
    logLine('warn', { event: 'quarantined', id, kind, code: error.code })
  }

  /** The rest of the event cannot be sent: dead. */
  gaveUp(event: StoredEvent, error: StoredError): void {
    this.#park(event, 'dead', error)
    logDeadLetter(event, error)
  }

  #write(events: readonly SentEvent[]): 'written'[] {
    const { events: stored, records } = this.#deps
    records.delivered(stored.accepted(events))
    return events.map(() => 'written')
  }

  #failed({ prepared: { event }, ending }: Ended, beganAt: number): void {
    const { events, watch } = this.#deps
    if (ending.verdict === 'accepted') return
    this.report[COUNTED[ending.verdict]] += 1
    if (ending.verdict === 'aborted') this.aborted = true
    this.report.failure = { code: ending.error.code, status: ending.error.status }
    const outcome: AttemptOutcome = watch.attempted(this.#attempt(event, ending, beganAt))
    if (outcome.end === 'accepted' || events.stillPending([event]).length === 0) return
    if (outcome.end === 'retry') {
      events.failed(event.position, outcome.recorded)
      return
    }
    events.park(event.position, 'dead', outcome.recorded)
    logDeadLetter(event, outcome.recorded.error)
  }

  #park(event: StoredEvent, state: 'dead' | 'quarantined', error: StoredError): void {
    const history = event.history ?? NO_HISTORY
    const nothing = { nextAt: null, askedToWait: false, answer: null }
    this.#deps.events.park(event.position, state, { ...history, ...nothing, error })
  }

  #attempt({ id, history }: StoredEvent, ending: Ending, beganAt: number, isPart = false): Attempt {
    const { now, settings } = this.#deps
    const endedAt = now()
    return { id, beganAt, endedAt, settings, history: history ?? NO_HISTORY, isPart, ending }
  }
}

const COUNTED = {
  unknown: 'deferred',
  deferred: 'deferred',
  aborted: 'deferred',
  held: 'held',
  rejected: 'rejected',
} as const

/** AEP refused this event for good, or it ran out of strikes: it waits for an operator. */
export function logDeadLetter(
  { id, kind }: { id: string; kind: string },
  { code, status }: { code: string; status: number | null },
): void {
  logLine('error', { event: 'dead-letter', id, kind, code, status })
}

/** In this line `outcome: "delivered"` means: AEP has the event, and will get it again under the same `_id`. */
function logUnrecorded({ id, kind }: StoredEvent, outcome: string, thrown: unknown): void {
  const name = nameOf(thrown)
  logLine('error', { event: 'not-recorded', id, kind, outcome, name })
}
