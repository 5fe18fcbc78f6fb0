/**
 * Outbox: keeps events in custody until AEP has taken them.
 *
 * Promises: an event whose `store` resolved is durable, and is delivered at least once or ends where an operator finds
 * it, counted; one event never stops the others; the object never sleeps while work is owed: the alarm is set again
 * whatever happens in it, by the constructor, and by a poke from the cron trigger.
 * Does not promise: order, or exactly once (Real-Time Customer Profile drops the copy by its `_id`).
 * Accepts: a crash between AEP's answer and our note of it sends that event twice.
 */
import { DurableObject } from 'cloudflare:workers'
import type { TokenResult } from '../aep/client/ims.ts'
import type { TokenSource } from '../aep/client/token.ts'
import { holdOf, type UpstreamState } from '../aep/upstream/state.ts'
import { type Config, configOf } from '../config/config.ts'
import { withAbort } from '../lib/timeout.ts'
import { logLine } from '../log.ts'
import { ShardAlarm } from './delivery/alarm.ts'
import { tryOfRequest } from './delivery/attempt-outcome.ts'
import { drain, logDeadLetter, logDrain } from './delivery/drain.ts'
import { Selection } from './delivery/selection.ts'
import { Signal } from './delivery/signal.ts'
import { UpstreamWatch } from './delivery/upstream-watch.ts'
import { WorkSchedule } from './delivery/work-schedule.ts'
import { expire } from './expire.ts'
import { ageOf, shardHealth } from './health.ts'
import { type RedrivePage, type RedriveRequest, redrive } from './redrive.ts'
import type {
  EventDetail,
  EventState,
  Listed,
  ListFilter,
  ShardHealth,
  ShardStatus,
  StoreRequest,
  StoreResult,
} from './state.ts'
import { LedgerStore } from './storage/ledger.ts'
import { Listing } from './storage/listing.ts'
import { migrate } from './storage/migrations.ts'
import { EventReader } from './storage/reader.ts'
import { EventStore } from './storage/store.ts'
import { tokenSource } from './token-keeper.ts'

export class Outbox extends DurableObject<Env> {
  readonly #shard = this.ctx.id.name ?? 'outbox'
  readonly #config: Config = configOf(this.env)
  readonly #backoff = { baseMs: this.#config.retryBaseMs, capMs: this.#config.retryCapMs }
  readonly #ledger: LedgerStore
  readonly #watch: UpstreamWatch
  readonly #store: EventStore
  readonly #listing: Listing
  readonly #selection: Selection
  readonly #schedule: WorkSchedule
  readonly #reader: EventReader
  readonly #alarm = new ShardAlarm(this.ctx.storage, this.#backoff)
  readonly #tokens: TokenSource
  /** Something new to send has been stored. */
  readonly #added = new Signal()
  /** An event has left the pending ones. */
  readonly #leftPending = new Signal()
  #running = false

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage)
    this.#ledger = new LedgerStore(ctx.storage)
    this.#watch = new UpstreamWatch(this.#ledger, {
      shard: this.#shard,
      backoff: this.#backoff,
      now: Date.now,
      random: Math.random,
    })
    const { sql } = ctx.storage
    this.#reader = new EventReader(sql)
    this.#store = new EventStore(sql, this.#ledger, this.#reader, () => this.#watch.state)
    this.#listing = new Listing(sql)
    this.#selection = new Selection(this.#reader)
    this.#schedule = new WorkSchedule(this.#reader, this.#selection, this.#watch, this.#config)
    this.#tokens = tokenSource(ctx.storage, env, this.#shard, this.#config)
    void ctx.blockConcurrencyWhile(async () => {
      await this.#alarm.load()
      this.#watch.resumeWait(this.#alarm.at ?? 0, this.#config.destination !== null)
      this.#watch.noteConfiguration(this.#config.destination !== null)
      await this.#setAlarm()
    })
  }

  async store(request: StoreRequest): Promise<StoreResult> {
    this.#watch.mergeFrom(request.upstream)
    const { position, state } = this.#store.put(
      request,
      tryOfRequest(request, this.#backoff, Math.random),
    )
    if (state === 'dead' && request.state === 'dead' && request.attempt) {
      logDeadLetter(this.#shard, request, request.attempt.error)
    }
    this.#selection.added(position)
    await this.#scheduleNewWork()
    return { state, upstream: this.#watch.state }
  }

  /**
   * Where an event is once it has left the pending ones, or when the time is over. `gone`: AEP has it (or an operator
   * has erased it).
   */
  async waitForOutcome(id: string, timeoutMs: number): Promise<EventState | 'gone'> {
    let over = false
    const timeout = scheduler.wait(timeoutMs).then(() => {
      over = true
    })
    for (;;) {
      const state = this.#reader.find(id)?.state ?? 'gone'
      if (state !== 'pending' || over) return state
      await Promise.race([this.#leftPending.fired(), timeout])
    }
  }

  /** A token other than `refused`. Shard 0 keeps it for all; credentials that are gone are a hold. */
  async token(refused: string | null): Promise<TokenResult> {
    return this.#tokens.get(refused)
  }

  /** Both learn what the other has seen of the destination. */
  async refresh(destination: UpstreamState): Promise<UpstreamState> {
    this.#watch.mergeFrom(destination)
    await this.#scheduleNewWork()
    return this.#watch.state
  }

  /** From the cron trigger: whatever put this shard to sleep with work owed ends here. */
  async wake(): Promise<void> {
    if (!this.#running) {
      await this.#alarm.load()
      this.#selection.restart()
    }
    expire(this.#shard, this.#reader, this.#store, Date.now() - this.#config.retentionMs)
    await this.#scheduleNewWork()
  }

  /** The operator's last word wins, also over one told by a machine whose clock is ahead. */
  async pause(paused: boolean, now: number): Promise<UpstreamState> {
    const { state } = this.#watch
    const at = Math.max(now, state.pause.at + 1)
    this.#watch.set({ ...state, pause: { paused, at } })
    this.#watch.noteConfiguration(this.#config.destination !== null)
    await this.#scheduleNewWork()
    return this.#watch.state
  }

  status(): ShardStatus {
    return {
      ...this.#ledger.read(),
      oldestPendingAt: this.#reader.oldestPendingAt(),
      hold: holdOf(this.#watch.state),
      nextAttemptAt: this.#schedule.nextAttemptAt(Date.now()),
    }
  }

  /** Both learn what the other has seen of the destination. */
  async health(destination: UpstreamState): Promise<ShardHealth> {
    await this.refresh(destination)
    const oldest = this.#reader.oldestPendingAt()
    return shardHealth(this.#watch.state, oldest, this.#config.retentionMs, Date.now())
  }

  list(filter: ListFilter, after: number, limit: number): Listed[] {
    return this.#listing.list(filter, after, limit)
  }

  get(id: string): EventDetail | null {
    return this.#listing.get(id)
  }

  /** Whether there was such an event. */
  async erase(id: string): Promise<boolean> {
    const place = this.#reader.find(id)
    if (place) this.#store.erase(place)
    return place !== null
  }

  async redrive(request: RedriveRequest): Promise<RedrivePage> {
    const page = redrive(
      request,
      { store: this.#store, reader: this.#reader, listing: this.#listing },
      (position) => this.#selection.added(position),
    )
    await this.#scheduleNewWork()
    return page
  }

  /**
   * Never throws: an alarm that has thrown seven times never fires again. A run that breaks is tried again after a
   * wait of its own.
   */
  override async alarm(): Promise<void> {
    this.#alarm.fired()
    this.#running = true
    try {
      expire(this.#shard, this.#reader, this.#store, Date.now() - this.#config.retentionMs)
      if (this.#config.destination) await this.#drain()
      this.#alarm.runEnded('well')
    } catch (thrown) {
      this.#selection.restart()
      const inARow = this.#alarm.runEnded('broken')
      const name = thrown instanceof Error ? thrown.name : 'unknown'
      logLine('error', { event: 'drain-failed', shard: this.#shard, name, inARow })
    } finally {
      this.#running = false
      await this.#setAlarm()
    }
  }

  async #drain(): Promise<void> {
    const { destination } = this.#config
    if (!destination) return
    const report = await drain({
      shard: this.#shard,
      reader: this.#reader,
      store: this.#store,
      watch: this.#watch,
      selection: this.#selection,
      config: this.#config,
      destination,
      fetch: (url, init) => fetch(url, init),
      now: Date.now,
      random: Math.random,
      token: (refused) => this.#tokens.get(refused),
      deadline: withAbort,
      changed: this.#added.fired,
      leftPending: this.#leftPending.fire,
    })
    if (report.sent === 0) return
    const now = Date.now()
    logDrain(this.#shard, report, {
      pending: this.#ledger.read().pending,
      oldestAgeMs: ageOf(this.#reader.oldestPendingAt(), now),
      nextAttemptAt: this.#schedule.nextAttemptAt(now),
    })
  }

  /** A run that goes on takes up what is new by itself; otherwise the alarm does. */
  async #scheduleNewWork(): Promise<void> {
    if (this.#running) {
      this.#added.fire()
      return
    }
    // Every alarm looks at all that is owed: one that is set for when AEP may be asked is soon enough for what is new.
    const { at } = this.#alarm
    if (at === null || at > this.#schedule.earliestAttemptAt(Date.now())) await this.#setAlarm()
  }

  /** Sets the alarm for the next moment that work is owed, unless it is set for then or before. */
  async #setAlarm(): Promise<void> {
    // The ledger knows of work that the selection does not: whatever made it forget, it is to look again.
    if (this.#ledger.read().pending > 0 && !this.#schedule.knowsWork()) this.#selection.restart()
    const now = Date.now()
    const owedAt = this.#schedule.nextWakeAt(now)
    if (owedAt !== null) await this.#alarm.setFor(owedAt, now)
  }
}
