/**
 * Outbox: keeps events in custody until AEP has accepted them.
 *
 * Promises: an event whose `store` resolved is durable, and is delivered at least once or ends where an operator finds it,
 * counted; one event never stops the others; the object never sleeps while there is work (`Delivery`).
 * Does not promise: order, or exactly once (Real-Time Customer Profile drops the copy by its `_id`).
 * Accepts: a crash between AEP's answer and the write of it sends that event twice.
 *
 * This file only wires, and lists the methods that isolates call; what a method promises, the one that it calls says.
 */
import { DurableObject } from 'cloudflare:workers'
import { AepClient } from '../aep/client/client.ts'
import { keptTokens, type TokenResult, TokenSource } from '../aep/client/ims.ts'
import type { ComparedHour, LandedCursor } from '../aep/landed.ts'
import { warnings } from '../alerts/alerts.ts'
import type { LandedFacts, OutboxFacts, RefusedCause } from '../alerts/facts.ts'
import { type Config, parseConfig } from '../config/config.ts'
import { settingsOf } from '../config/destination.ts'
import type { DriftKey, DriftRow } from '../drift/detector.ts'
import { type Rim, rimOf } from '../lib/rim.ts'
import { EXPORT_PAGE } from '../limits.ts'
import { postThrough } from '../sender.ts'
import type { Aep } from './aep.ts'
import { Alerts } from './alerts.ts'
import { Arrivals, type ArrivedState, type StoreRequest } from './arrivals.ts'
import {
  Bulk,
  type BulkRequest,
  type DeletePage,
  type ErasePage,
  type EraseRequest,
  type RedrivePage,
  withinBytes,
} from './bulk.ts'
import { Delivery } from './delivery/delivery.ts'
import { DriftStore } from './drift.ts'
import type { Counters, EventEnd } from './event.ts'
import { Events } from './events.ts'
import { AepWatch, type Hold } from './known.ts'
import { type CauseRow, type EventDetail, EventList, type Listed, type ListFilter } from './list.ts'
import type { CountRow, Step } from './records/activity.ts'
import type { Completeness } from './records/completeness.ts'
import type { FindRequest, Found, TimelinePage } from './records/find.ts'
import type { LandedDay, LandedRead, LandedStore } from './records/landed.ts'
import type { ListedSuppression, Suppression } from './records/lookup.ts'
import type { ListedEntry, LogEntry, Progress } from './records/operator-log.ts'
import { Records, type RecordsStatus } from './records/records.ts'
import type { Exchanged, Report } from './records/reports.ts'
import { migrate } from './schema.ts'

/** The one object that the relay stores in. Those of an earlier set-up deliver what they hold by their own alarms. */
const OUTBOX_NAME = 'shard-0'

export type OutboxStub = DurableObjectStub<Outbox>

/**
 * A new stub for every call: one that threw may stay broken (durable-objects/best-practices/error-handling).
 * `jurisdiction`: where the object lives (`OUTBOX_JURISDICTION`). The one of another jurisdiction is another object.
 */
export function outboxOf({ OUTBOX }: Env, jurisdiction: Config['outboxJurisdiction'] = null) {
  const objects = jurisdiction === null ? OUTBOX : OUTBOX.jurisdiction(jurisdiction)
  return objects.getByName(OUTBOX_NAME)
}

/** An event in full, or what is left of one that was delivered. */
type ExportPage = { events: (EventDetail | Listed | Found)[]; readTo: number | null }

type PendingStatus = {
  oldestPendingAt: number | null
  hold: Hold | null
  nextAttemptAt: number | null
}
type OutboxStatus = Counters & RecordsStatus & PendingStatus

export class Outbox extends DurableObject<Env> {
  readonly #config: Config = parseConfig(this.env)
  readonly #rim: Rim = rimOf(this.env)
  readonly #events: Events
  readonly #list: EventList
  readonly #bulk: Bulk
  readonly #watch: AepWatch
  readonly #tokens: TokenSource
  readonly #delivery: Delivery
  readonly #arrivals: Arrivals
  readonly #records: Records
  readonly #alerts: Alerts
  readonly #drift: DriftStore

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { storage } = ctx
    migrate(storage)
    const config = this.#config
    const { destination, retryCapMs, receiptMs, readAccess } = config
    const rim = this.#rim
    const { now, random, timers } = rim
    const policy = { backoff: { baseMs: config.retryBaseMs, capMs: retryCapMs }, random }
    const settings = settingsOf(destination)
    const { sql } = storage
    const events = new Events(storage, (id, end) => this.#delivery.left(id, end))
    const list = new EventList(sql)
    const records = new Records({ storage, receiptMs, readAccess, list, now, rim })
    const watch = new AepWatch({ events, policy, now })
    this.#tokens = keptTokens(storage.kv, destination?.credentials ?? null, rim)
    const tokens = new TokenSource((refused) => this.#tokens.get(refused), now)
    const post = postThrough(ctx.exports.Sender, timers)
    const client = destination && new AepClient(destination, { post, now, timers, tokens })
    const room = { config, policy, storage, events, watch, client, settings, now, timers, records }
    const delivery = new Delivery(room)
    const drift = new DriftStore(storage)
    this.#events = events
    this.#list = list
    this.#records = records
    this.#bulk = new Bulk({ events, list, records, now })
    this.#watch = watch
    this.#delivery = delivery
    this.#arrivals = new Arrivals({ ...room, delivery })
    this.#drift = drift
    this.#alerts = new Alerts({ ...room, list, drift })
    const deployment = env.CF_VERSION_METADATA?.id ?? null
    watch.happened({ what: 'start', settings, usable: destination !== null, deployment })
    watch.takeBack()
    void ctx.blockConcurrencyWhile(() => delivery.start())
  }

  async store(request: StoreRequest): Promise<{ state: ArrivedState; aep: Aep }> {
    const state = await this.#arrivals.store(request)
    return { state, aep: this.#watch.aep }
  }

  /** Stores an event, and waits up to `waitMs` for its delivery. `state` is then how it ended, if it did. */
  async storeAndWait(
    request: StoreRequest,
    waitMs: number,
  ): Promise<{ state: ArrivedState | EventEnd; aep: Aep }> {
    const state = await this.#arrivals.store(request)
    const end = state === 'pending' ? await this.#delivery.waitFor(request.id, waitMs) : null
    return { state: end ?? state, aep: this.#watch.aep }
  }

  /**
   * An isolate reports, and gets pauses, holds and suppressions. `accepted`: its newest acceptance, under `settings`;
   * `version`: of the suppressions that it knows.
   */
  async exchange(
    known: { accepted: StoreRequest['accepted']; settings: string },
    report: Report | null,
    version: string | null,
  ): Promise<Exchanged> {
    const { accepted, settings } = known
    if (accepted) this.#watch.happened({ what: 'report', accepted, settings })
    const taken =
      report === null ||
      this.#records.take(report, (now) => {
        if (report.drift.length > 0) this.#drift.record(report.drift, now)
      })
    if (accepted) await this.#delivery.scheduleNewWork()
    return { aep: this.#watch.aep, taken, lookup: this.#records.lookup(version) }
  }

  /** A token other than `refused`. Credentials that no longer work are a hold. */
  async token(refused: string | null): Promise<TokenResult> {
    return this.#tokens.get(refused)
  }

  /** Called by cron; re-arms a lost alarm, and erases what has expired. Returns how many events are pending. */
  async wake(): Promise<number> {
    this.#records.sweep()
    await this.#delivery.wake()
    return this.#events.ledger.read().pending
  }

  /** Resuming opens at once: a hold, a backoff and AEP's `Retry-After` end; the next answer closes again if it must. */
  async pause(paused: boolean): Promise<Aep> {
    this.#watch.happened({ what: paused ? 'pause' : 'resume' })
    await this.#delivery.scheduleNewWork()
    return this.#watch.aep
  }

  status(): OutboxStatus {
    return {
      ...this.#events.ledger.read(),
      ...this.#records.status(),
      oldestPendingAt: this.#events.oldestPendingAt(),
      hold: this.#watch.known().hold,
      nextAttemptAt: this.#delivery.nextAttemptAt(),
    }
  }

  /** What `/health` asks: whether an operator should look, never how much is stored. */
  async health() {
    const { hold, failing } = this.#watch.known()
    const { retentionMs } = this.#config
    const oldestAt = this.#events.oldestAt()
    return {
      /** Whether a row as large as an event's can be written. */
      writable: await this.#arrivals.isWritable(),
      hold: hold?.reason ?? null,
      /** AEP is down, or has asked for a wait. */
      failing,
      /** The oldest event, of any state, is close to its erasure. */
      expiring:
        oldestAt !== null &&
        this.#rim.now() - oldestAt >= retentionMs - warnings(retentionMs).soonMs,
    }
  }

  list(filter: ListFilter, after: number | null, limit: number, newest = false): TimelinePage {
    this.#arrivals.flush()
    return this.#records.finder.timeline(filter, after, limit, newest)
  }

  /** Events in full, and receipts, oldest first: as many as one step of an export holds. */
  exported(filter: ListFilter, after: number | null): ExportPage {
    const { events, readTo } = this.list(filter, after, EXPORT_PAGE)
    const taken = withinBytes<(typeof events)[number]>(events)
    return {
      // One that was delivered and has come again has a receipt, and is stored as well.
      events: taken.map(
        (event) => ('settledAt' in event ? event : this.#list.get(event.id)) ?? event,
      ),
      readTo: taken.length < events.length ? (taken.at(-1)?.position ?? null) : readTo,
    }
  }

  get(id: string): EventDetail | null {
    return this.#list.get(id)
  }

  causes(): CauseRow[] {
    return this.#list.causes()
  }

  /** Whether there was such an event. */
  async erase(id: string): Promise<boolean> {
    this.#arrivals.flush()
    const place = this.#events.find(id)
    if (!place) return false
    this.#events.erase([place.position], 'deleted')
    return true
  }

  /** One page, which is found and redriven in one transaction. */
  async redrive(request: BulkRequest): Promise<RedrivePage> {
    this.#arrivals.flush()
    const page = this.ctx.storage.transactionSync(() => this.#bulk.redrive(request))
    this.#delivery.added(page.positions)
    await this.#delivery.scheduleNewWork()
    return page
  }

  /** One page, which is found and erased in one transaction. */
  async eraseMatching(request: BulkRequest): Promise<DeletePage> {
    this.#arrivals.flush()
    return this.ctx.storage.transactionSync(() => this.#bulk.erase(request))
  }

  /** For finding and erasing: who is looked for is known as a hash alone. */
  lookupKey(): Uint8Array {
    return this.#records.hash.raw
  }

  find(request: FindRequest): Found[] {
    this.#arrivals.flush()
    return this.#records.finder.find(request)
  }

  activity(from: number, to: number, step: Step): CountRow[] {
    return this.#records.points(from, to, step)
  }

  completeness(since: number, overdueAt: number): Completeness & { from: number } {
    this.#arrivals.flush()
    return this.#records.finder.completeness(since, overdueAt)
  }

  /** Returns the end of the suppression, in epoch milliseconds. */
  async suppress(hash: string, now: number, until: number): Promise<number> {
    const end = this.#records.suppressions.add(hash, now, until)
    await this.ctx.storage.sync()
    return end
  }

  suppressedUntil(hash: string, now: number): number | null {
    return this.#records.suppressions.until(hash, now)
  }

  endSuppression(hash: string, now: number): boolean {
    return this.#records.suppressions.end(hash, now)
  }

  /** Indexes of the hashes (`packHashes`) whose person is suppressed. */
  screen(hashes: readonly string[]): number[] {
    const now = this.#rim.now()
    const { suppressions } = this.#records
    return hashes.flatMap((each, index) => (suppressions.has(each, now) ? index : []))
  }

  suppressions(now: number): ListedSuppression[] {
    return this.#records.suppressions.list(now)
  }

  exportSuppressions(now: number): { key: Uint8Array; suppressions: Suppression[] } {
    const { hash, suppressions } = this.#records
    return { key: hash.raw, suppressions: suppressions.running(now) }
  }

  importSuppressions(key: Uint8Array, rows: readonly Suppression[], now: number): number | null {
    return this.#records.importSuppressions(key, rows, now)
  }

  /** Returns the new end, or `null` if no suppression has this id. */
  extendSuppression(id: string, now: number, until: number): number | null {
    return this.#records.suppressions.extend(id, now, until)
  }

  /** One page; when the last resolves, all of it is durable. */
  async erasePerson(request: EraseRequest): Promise<ErasePage> {
    this.#arrivals.flush()
    const page = this.#bulk.erasePerson(request)
    if (!request.dryRun && page.next === null) await this.ctx.storage.sync()
    return page
  }

  /** Returns the position of the entry. `redriven`: the events to be watched from now on. */
  logAction(entry: LogEntry, redriven: readonly number[] = []): number {
    const { erased } = this.#events.ledger.read()
    const watched = redriven.length > 0 ? { positions: redriven, erased } : null
    return this.#records.log.add(entry, watched)
  }

  /** One log entry, with what became of the events that it redrove; `null` if no entry stands at this position. */
  action(position: number): (ListedEntry & { progress: Progress | null }) | null {
    const found = this.#records.log.get(position)
    if (!found) return null
    const { entry, redriven } = found
    if (!redriven) return { ...entry, progress: null }
    const { erased } = this.#events.ledger.read()
    const states = this.#list.statesAt(redriven.positions)
    const gone = redriven.positions.length - states.pending - states.dead - states.quarantined
    return { ...entry, progress: { ...states, gone, someErased: erased > redriven.erased } }
  }

  actions(before: number, limit: number): ListedEntry[] {
    return this.#records.log.list(before, limit)
  }

  beginLanded(): LandedCursor | null {
    return this.#records.landed.begin()
  }

  takeLanded(read: LandedRead): void {
    this.#records.landed.take(read)
  }

  landed(): LandedFacts {
    return this.#records.landed.facts()
  }

  /** Called by isolates of 1.0.0-rc.1, while a deploy replaces them. */
  landedHours(from: number, to: number): ComparedHour[] {
    return this.#records.landed.compared(from, to).hours
  }

  landedDays(from: number, to: number): LandedDay[] {
    return this.#records.landed.days(from, to)
  }

  compared(from: number, to: number): ReturnType<LandedStore['compared']> {
    return this.#records.landed.compared(from, to)
  }

  recovered(ids: readonly string[]): void {
    this.#records.landed.recovered(ids)
  }

  async alertFacts(): Promise<OutboxFacts> {
    return this.#alerts.facts(await this.#arrivals.isWritable())
  }

  alertStates(): string | null {
    return this.#alerts.states()
  }

  async saveAlertStates(states: string, refusals: readonly RefusedCause[]): Promise<void> {
    this.ctx.storage.transactionSync(() => this.#alerts.save(states, refusals))
    await this.ctx.storage.sync()
  }

  driftRows(): DriftRow[] {
    return this.#drift.rows()
  }

  acceptDrift(key: DriftKey | null): DriftRow[] {
    return this.#drift.accept(key)
  }

  override async alarm(): Promise<void> {
    await this.#delivery.run()
    this.#records.flush()
  }
}
