/**
 * The delivering half of the outbox: it owns the alarm, and the runs that send what is pending.
 *
 * Promises: the outbox never sleeps while there is work. The alarm is set again after every run, whatever happened in it,
 * when the object starts, and when the cron trigger calls; a run that breaks is repeated after a wait.
 * Accepts: a crash between AEP's answer and the write of it sends that event twice, under the same `_id`.
 */
import type { AepClient } from '../../aep/client/client.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import type { Config } from '../../config/config.ts'
import type { Timers } from '../../lib/bounded.ts'
import { EXPIRE_BATCH } from '../../limits.ts'
import { logLine, nameOf } from '../../log.ts'
import type { Policy } from '../blame.ts'
import { withinBytes } from '../bulk.ts'
import type { EventEnd } from '../event.ts'
import type { Events } from '../events.ts'
import type { AepWatch } from '../known.ts'
import type { Records } from '../records/records.ts'
import { Alarm, Next, nextAttemptAt, nextWakeAt } from './next.ts'
import { Outcomes } from './outcome.ts'
import { Pool } from './pool.ts'
import { Send } from './send.ts'

export type DeliveryDeps = {
  config: Config
  policy: Policy
  storage: DurableObjectStorage
  events: Events
  watch: AepWatch
  /** `null`: the configuration cannot be used. */
  client: AepClient | null
  /** Text of the settings that events are sent under. */
  settings: string
  now: () => number
  timers: Timers
  records: Records
}

export class Delivery {
  readonly #deps: DeliveryDeps
  readonly #next: Next
  readonly #alarm: Alarm
  readonly #outcomes: Outcomes
  readonly #pool: Pool | null
  readonly #waiting = new Map<string, Set<(end: EventEnd) => void>>()
  #running = false

  constructor(deps: DeliveryDeps) {
    const { client, config } = deps
    const next = new Next(deps.events)
    const outcomes = new Outcomes({ ...deps, next })
    this.#deps = deps
    this.#next = next
    this.#outcomes = outcomes
    this.#alarm = new Alarm(deps.storage, deps.policy)
    const { destination } = config
    const send = destination && client && new Send({ ...deps, next, outcomes, client, destination })
    this.#pool = send && new Pool({ ...deps, send, outcomes })
  }

  /** Sets the alarm when the object starts. */
  async start(): Promise<void> {
    await this.#alarm.load()
    await this.#setAlarm()
  }

  /** Events were stored, or came back, at these positions. */
  added(positions: readonly number[]): void {
    if (positions.length === 0) return
    for (const position of positions) this.#next.added(position)
    this.#deps.watch.happened({ what: 'arrival' })
  }

  nextAttemptAt(): number | null {
    const { watch, now } = this.#deps
    const at = now()
    return nextAttemptAt({ dueAt: this.#next.dueAt(at), known: watch.known(), now: at })
  }

  /** How a pending event ends, should it do so within `timeoutMs`. */
  async waitFor(id: string, timeoutMs: number): Promise<EventEnd | null> {
    const { promise, resolve } = Promise.withResolvers<EventEnd | null>()
    const { timers } = this.#deps
    const timer = timers.set(() => resolve(null), timeoutMs)
    const same = this.#waiting.get(id) ?? new Set()
    this.#waiting.set(id, same.add(resolve))
    try {
      return await promise
    } finally {
      timers.clear(timer)
      same.delete(resolve)
      if (same.size === 0) this.#waiting.delete(id)
    }
  }

  /** An event has left the pending ones. */
  left(id: string, end: EventEnd): void {
    for (const resolve of this.#waiting.get(id) ?? []) resolve(end)
  }

  /** Called by cron: re-arms a lost alarm, and erases what has expired. */
  async wake(): Promise<void> {
    if (!this.#running) {
      await this.#alarm.load()
      this.#next.restart()
    }
    await this.#expire()
    this.#deps.watch.happened({ what: 'time' })
    if (this.#running) this.#pool?.added()
    else await this.#setAlarm()
  }

  /** One run. Never throws: an alarm that has thrown seven times never fires again. */
  async run(): Promise<void> {
    this.#alarm.fired()
    this.#running = true
    try {
      await this.#expire()
      this.#deps.watch.happened({ what: 'time' })
      await this.#pool?.drain()
      this.#alarm.runEnded('well')
    } catch (thrown) {
      this.#next.restart()
      const inARow = this.#alarm.runEnded('broken')
      const name = nameOf(thrown)
      logLine('error', { event: 'drain-failed', name, inARow })
    } finally {
      this.#running = false
      this.#logRun()
      await this.#setAlarm()
    }
  }

  /** Wakes the run that is under way; otherwise sets the alarm. */
  async scheduleNewWork(): Promise<void> {
    if (this.#running) {
      this.#pool?.added()
      return
    }
    // Every alarm looks at all pending work: one that is set for when AEP may be asked is soon enough for new work.
    const { at } = this.#alarm
    const { watch, now } = this.#deps
    if (at === null || at > Math.max(now(), watch.known().mayAskAt ?? 0)) await this.#setAlarm()
  }

  /** As many at a time as it may take bytes: a shorter retention may erase all there is, and others must not wait for that. */
  async #expire(): Promise<void> {
    const { events, config, storage, now } = this.#deps
    let erased = 0
    for (;;) {
      const found = events.receivedBefore(now() - config.retentionMs, EXPIRE_BATCH)
      if (found.length === 0) break
      const expired = withinBytes(found).map(({ position }) => position)
      events.erase(expired, 'expired')
      erased += expired.length
      await storage.sync()
    }
    if (erased > 0) logLine('warn', { event: 'expired', erased })
  }

  /** One line per run that sent anything; `code` and `upstreamStatus` are those of its latest failure. */
  #logRun(): void {
    const { events, now } = this.#deps
    const { failure, ...counts } = this.#outcomes.takeReport()
    if (counts.sent === 0) return
    const oldest = events.oldestPendingAt()
    const next = this.nextAttemptAt()
    logLine(counts.accepted === counts.sent ? 'log' : 'warn', {
      event: 'drain',
      ...counts,
      code: failure?.code,
      upstreamStatus: failure?.status ?? undefined,
      pending: events.ledger.read().pending,
      oldestAgeMs: oldest === null ? null : Math.max(now() - oldest, 0),
      nextAttemptAt: next === null ? null : toIso(next),
    })
  }

  /** Sets the alarm for the next moment at which there is something to do, unless it is set for then or before. */
  async #setAlarm(): Promise<void> {
    const { events, config, watch, now } = this.#deps
    const at = now()
    events.correctWaits(at, config.retryCapMs)
    const { pending } = events.ledger.read()
    if (pending === 0) watch.happened({ what: 'nothing-pending' })
    // By the ledger something is pending that `Next` does not know of: read again.
    else if (this.#next.dueAt(at) === null) this.#next.restart()
    const oldest = events.oldestAt()
    const wakeAt = nextWakeAt({
      dueAt: this.#next.dueAt(at),
      expiresAt: oldest === null ? null : oldest + config.retentionMs,
      known: watch.known(),
      now: at,
      recheckMs: config.retryCapMs,
    })
    if (wakeAt !== null) await this.#alarm.setFor(wakeAt, at)
  }
}
