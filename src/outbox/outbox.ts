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
import { fullJitterMs } from '../aep/backoff.ts'
import {
  afterFailure,
  type DestinationState,
  type Hold,
  holdOf,
  standingFailure,
} from '../aep/destination.ts'
import type { TokenResult } from '../aep/ims.ts'
import { TokenSource } from '../aep/token-source.ts'
import { type Config, configOf } from '../config.ts'
import { EXPIRE_BATCH, EXPIRY_WARNING_MS } from '../limits.ts'
import { logLine } from '../log.ts'
import { type DrainReport, drain, logDeadLetter } from './drain.ts'
import { LedgerStore } from './ledger.ts'
import { Listing } from './listing.ts'
import { migrate } from './migrations.ts'
import { type RedrivePage, type RedriveRequest, redrive } from './redrive.ts'
import { type Gate, nextAttemptAt, nextWakeAt, type Owed } from './schedule.ts'
import { Selection } from './selection.ts'
import { TOKEN_SHARD } from './shards.ts'
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
import { EventStore, type FailedTry } from './store.ts'
import { TokenKeeper } from './token.ts'
import { DestinationWatch } from './watch.ts'

export class Outbox extends DurableObject<Env> {
  readonly #shard = this.ctx.id.name ?? 'outbox'
  readonly #config: Config = configOf(this.env)
  readonly #backoff = { baseMs: this.#config.retryBaseMs, capMs: this.#config.retryCapMs }
  readonly #ledger: LedgerStore
  readonly #watch: DestinationWatch
  readonly #store: EventStore
  readonly #listing: Listing
  readonly #selection: Selection
  /** What the alarm is set to, as far as known: saves a row written for every event. */
  #alarmAt: number | null = null
  #running = false
  #crashes = 0
  #change = Promise.withResolvers<void>()
  #settlement = Promise.withResolvers<void>()
  readonly #tokens = this.#tokenSource()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage)
    this.#ledger = new LedgerStore(ctx.storage)
    this.#watch = new DestinationWatch(this.#ledger, {
      shard: this.#shard,
      backoff: this.#backoff,
      now: Date.now,
      random: Math.random,
    })
    this.#store = new EventStore(ctx.storage.sql, this.#ledger, () => this.#watch.state)
    this.#listing = new Listing(ctx.storage.sql)
    this.#selection = new Selection(this.#store)
    void ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = await ctx.storage.getAlarm()
      this.#watch.resumeWait(this.#alarmAt ?? 0)
      this.#noteConfiguration()
      await this.#arm()
    })
  }

  async store(request: StoreRequest): Promise<StoreResult> {
    this.#watch.exchange(request.destination)
    const { position, state } = this.#store.put(request, this.#triedByRequest(request))
    if (state === 'dead' && request.state === 'dead' && request.attempt) {
      logDeadLetter(this.#shard, request, request.attempt.error)
    }
    this.#selection.added(position)
    await this.#workOwed()
    return { state, destination: this.#watch.state }
  }

  /**
   * Where an event is once it has left the pending ones, or when the time is over. `gone`: AEP has it (or an operator
   * has erased it).
   */
  async settled(id: string, timeoutMs: number): Promise<EventState | 'gone'> {
    let over = false
    const timeout = scheduler.wait(timeoutMs).then(() => {
      over = true
    })
    for (;;) {
      const state = this.#store.find(id)?.state ?? 'gone'
      if (state !== 'pending' || over) return state
      await Promise.race([this.#settlement.promise, timeout])
    }
  }

  /** A token other than `refused`. Shard 0 keeps it for all; credentials that are gone are a hold. */
  async token(refused: string | null): Promise<TokenResult> {
    return this.#tokens.get(refused)
  }

  /** Both learn what the other has seen of the destination. */
  async refresh(destination: DestinationState): Promise<DestinationState> {
    this.#watch.exchange(destination)
    await this.#workOwed()
    return this.#watch.state
  }

  /** From the cron trigger: whatever put this shard to sleep with work owed ends here. */
  async poke(): Promise<void> {
    if (!this.#running) this.#alarmAt = await this.ctx.storage.getAlarm()
    this.#expire()
    await this.#workOwed()
  }

  /** The operator's last word wins, also over one told by a machine whose clock is ahead. */
  async pause(paused: boolean, now: number): Promise<DestinationState> {
    const { state } = this.#watch
    const at = Math.max(now, state.pause.at + 1)
    this.#watch.set({ ...state, pause: { paused, at } })
    await this.#workOwed()
    return this.#watch.state
  }

  status(): ShardStatus {
    return {
      ...this.#ledger.read(),
      oldestPendingAt: this.#store.oldestPendingAt(),
      hold: this.#hold(),
      nextAttemptAt: nextAttemptAt(this.#owed(), this.#gate(), Date.now()),
    }
  }

  health(): ShardHealth {
    const { retentionMs } = this.#config
    const oldest = this.#store.oldestPendingAt()
    const warnMs = Math.min(EXPIRY_WARNING_MS, retentionMs / 2)
    return {
      hold: this.#hold()?.reason ?? null,
      upstream:
        standingFailure(this.#watch.state)?.reason === 'upstream' ||
        this.#watch.state.notBefore > Date.now(),
      expiring: oldest !== null && oldest + retentionMs - warnMs <= Date.now(),
    }
  }

  list(filter: ListFilter, after: number, limit: number): Listed[] {
    return this.#listing.list(filter, after, limit)
  }

  get(id: string): EventDetail | null {
    return this.#listing.get(id)
  }

  /** Whether there was such an event. */
  async erase(id: string): Promise<boolean> {
    const place = this.#store.find(id)
    if (place) this.#store.erase(place)
    return place !== null
  }

  async redrive(request: RedriveRequest): Promise<RedrivePage> {
    const page = redrive(request, this.#store, this.#listing, (position) =>
      this.#selection.added(position),
    )
    await this.#workOwed()
    return page
  }

  /**
   * Never throws: an alarm that has thrown seven times never fires again. A run that breaks is tried again after a
   * wait of its own.
   */
  override async alarm(): Promise<void> {
    this.#alarmAt = null
    this.#running = true
    try {
      this.#expire()
      if (this.#config.destination) await this.#drain()
      this.#crashes = 0
    } catch (thrown) {
      this.#crashes += 1
      const name = thrown instanceof Error ? thrown.name : 'unknown'
      logLine('error', { event: 'drain-failed', shard: this.#shard, name, crashes: this.#crashes })
    } finally {
      this.#running = false
      await this.#arm()
    }
  }

  #tokenSource(): TokenSource {
    const deps = { fetch: (url: string, init: RequestInit) => fetch(url, init), now: Date.now }
    const credentials = this.#config.destination?.credentials
    const keeper =
      credentials && this.#shard === TOKEN_SHARD
        ? new TokenKeeper(this.ctx.storage, credentials, deps)
        : null
    const ask = (refused: string | null): Promise<TokenResult> =>
      keeper ? keeper.get(refused) : this.env.OUTBOX.getByName(TOKEN_SHARD).token(refused)
    return new TokenSource(ask, Date.now)
  }

  async #drain(): Promise<void> {
    const { destination } = this.#config
    if (!destination) return
    const report = await drain({
      shard: this.#shard,
      store: this.#store,
      watch: this.#watch,
      selection: this.#selection,
      config: this.#config,
      destination,
      fetch: (url, init) => fetch(url, init),
      now: Date.now,
      random: Math.random,
      token: (refused) => this.#tokens.get(refused),
      changed: () => this.#change.promise,
      settled: () => {
        this.#settlement.resolve()
        this.#settlement = Promise.withResolvers<void>()
      },
    })
    if (report.sent > 0) this.#logDrain(report)
  }

  #logDrain(report: DrainReport): void {
    const now = Date.now()
    const oldest = this.#store.oldestPendingAt()
    logLine(report.accepted === report.sent ? 'log' : 'warn', {
      event: 'drain',
      shard: this.#shard,
      ...report,
      pending: this.#ledger.read().pending,
      oldestAgeMs: oldest === null ? null : now - oldest,
      nextAttemptAt: nextAttemptAt(this.#owed(), this.#gate(), now),
    })
  }

  /** The note of the try that a request has made: not repeated at once, whoever was to blame for it. */
  #triedByRequest({ attempt, error, state }: StoreRequest): FailedTry | null {
    if (!attempt) {
      return error && { attempts: 0, strikes: 0, triedAt: null, nextAt: null, error, answer: null }
    }
    const wait = fullJitterMs(1, this.#backoff, Math.random)
    return {
      attempts: 1,
      strikes: 0,
      triedAt: attempt.at,
      nextAt: state === 'pending' ? attempt.at + wait : null,
      error: attempt.error,
      answer: attempt.answer,
    }
  }

  /** A configuration that does not parse is a hold like AEP's own: it is lifted by the first acceptance after it is mended. */
  #noteConfiguration(): void {
    if (this.#config.destination || this.#hold()?.reason === 'configuration') return
    const at = Date.now()
    this.#watch.set(afterFailure(this.#watch.state, { at, since: at, reason: 'configuration' }))
  }

  #hold(): Hold | null {
    return holdOf(this.#watch.state)
  }

  /** Everything stored is erased when its time is over, and counted. */
  #expire(): void {
    const before = Date.now() - this.#config.retentionMs
    let erased = 0
    for (;;) {
      const expired = this.#store.receivedBefore(before, EXPIRE_BATCH)
      for (const place of expired) this.#store.erase(place)
      erased += expired.length
      if (expired.length === 0) break
    }
    if (erased > 0) logLine('warn', { event: 'expired', shard: this.#shard, erased })
  }

  #owed(): Owed {
    const oldest = this.#store.oldestAt()
    return {
      untried: this.#selection.hasUntried(),
      dueAt: this.#store.nextDueAt(),
      expiresAt: oldest === null ? null : oldest + this.#config.retentionMs,
    }
  }

  #gate(): Gate {
    return {
      paused: this.#watch.state.pause.paused,
      usable: this.#config.destination !== null,
      failing: this.#watch.failing,
      retryAt: this.#watch.retryAt,
      notBefore: this.#watch.state.notBefore,
    }
  }

  /** A run that goes on takes up what is new by itself; otherwise the alarm does. */
  async #workOwed(): Promise<void> {
    if (this.#running) {
      this.#change.resolve()
      this.#change = Promise.withResolvers<void>()
      return
    }
    await this.#arm()
  }

  /** Sets the alarm for the next moment that work is owed, unless it is set for then or before. */
  async #arm(): Promise<void> {
    const now = Date.now()
    const owedAt = nextWakeAt(this.#owed(), this.#gate(), now, this.#config.retryCapMs)
    if (owedAt === null) return
    const rest = this.#crashes === 0 ? 0 : fullJitterMs(this.#crashes, this.#backoff, Math.random)
    const wakeAt = Math.max(owedAt, now + rest)
    if (this.#alarmAt !== null && this.#alarmAt <= wakeAt) return
    await this.ctx.storage.setAlarm(wakeAt)
    this.#alarmAt = wakeAt
  }
}
