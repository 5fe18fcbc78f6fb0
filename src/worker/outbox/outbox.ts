/**
 * Outbox: keeps events in custody until AEP has accepted them.
 *
 * Promises: an event whose `store` resolved is durable, and is delivered at least once or ends where an operator finds
 * it, counted; one event never stops the others; the object never sleeps while work is owed (`Delivery`).
 * Does not promise: order, or exactly once (Real-Time Customer Profile drops the copy by its `_id`).
 * Accepts: a crash between AEP's answer and our note of it sends that event twice.
 *
 * This file only wires: storage, delivery, and the RPC methods that the Worker calls.
 */
import type { TokenResult } from '../aep/client/ims.ts'
import type { TokenSource } from '../aep/client/token.ts'
import { settingsOf } from '../aep/upstream/settings.ts'
import { holdOf, type UpstreamState } from '../aep/upstream/state.ts'
import { type Config, parseConfig } from '../config/config.ts'
import type { DriftKey, DriftReport, DriftRow, DriftSummary } from '../drift/drift.ts'
import { metricsOf } from '../metrics.ts'
import { AlertStore } from './alerts/alert-store.ts'
import { expiringFacts } from './alerts/expiring.ts'
import { holdFacts, type ShardFacts } from './alerts/facts.ts'
import { tryOfRequest } from './delivery/attempt-outcome.ts'
import { Delivery } from './delivery/delivery.ts'
import { logDeadLetter } from './delivery/record-outcome.ts'
import { UpstreamWatch } from './delivery/upstream-watch.ts'
import type { EventEnd } from './delivery/waiters.ts'
import { DriftStore } from './drift/drift-store.ts'
import { shardHealth } from './health.ts'
import { ReceiptsObject, type RecordsParts } from './receipts/receipts-object.ts'
import { Records } from './receipts/records.ts'
import { type RedrivePage, type RedriveRequest, redrive } from './redrive.ts'
import type {
  EventDetail,
  HeldState,
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

export class Outbox extends ReceiptsObject {
  protected override readonly parts: RecordsParts
  readonly #shard = this.ctx.id.name ?? 'outbox'
  readonly #config: Config = parseConfig(this.env)
  readonly #backoff = { baseMs: this.#config.retryBaseMs, capMs: this.#config.retryCapMs }
  readonly #ledger: LedgerStore
  readonly #watch: UpstreamWatch
  readonly #reader: EventReader
  readonly #store: EventStore
  readonly #listing: Listing
  readonly #records: Records
  readonly #tokens: TokenSource
  readonly #delivery: Delivery
  readonly #alerts: AlertStore
  readonly #drift: DriftStore
  /** A write has become durable since the object started. */
  #hasWritten = false

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { storage } = ctx
    migrate(storage)
    this.#ledger = new LedgerStore(storage)
    this.#watch = new UpstreamWatch(this.#ledger, {
      shard: this.#shard,
      settings: settingsOf(this.#config.destination),
      backoff: this.#backoff,
      rejecting: (hold) => this.#delivery.takeBackRefusals(hold),
      now: Date.now,
      random: Math.random,
    })
    this.#reader = new EventReader(storage.sql)
    this.#records = new Records({
      shard: this.#shard,
      config: this.#config,
      storage,
      env,
      reader: this.#reader,
      now: Date.now,
    })
    this.#store = new EventStore(
      storage.sql,
      this.#ledger,
      this.#reader,
      () => this.#watch.state,
      this.#records,
    )
    this.#listing = new Listing(storage.sql)
    this.parts = {
      records: this.#records,
      reader: this.#reader,
      store: this.#store,
      listing: this.#listing,
      erased: (id) => this.#delivery.waiters.ended(id, 'erased'),
    }
    this.#alerts = new AlertStore(storage.sql)
    this.#drift = new DriftStore(storage)
    this.#tokens = tokenSource(storage, env, this.#shard, this.#config)
    this.#delivery = new Delivery({
      shard: this.#shard,
      config: this.#config,
      backoff: this.#backoff,
      storage,
      reader: this.#reader,
      store: this.#store,
      ledger: this.#ledger,
      watch: this.#watch,
      tokens: this.#tokens,
      metrics: metricsOf(env),
    })
    void ctx.blockConcurrencyWhile(() => this.#delivery.start())
  }

  async store(request: StoreRequest): Promise<StoreResult> {
    const state = await this.#put(request)
    return { state, upstream: this.#watch.state }
  }

  /** Stores an event, and waits up to `waitMs` for its delivery. `state` is then how it ended, if it did. */
  async storeAndWait(
    request: StoreRequest,
    waitMs: number,
  ): Promise<{ state: HeldState | EventEnd; upstream: UpstreamState }> {
    const state = await this.#put(request)
    const end = state === 'pending' ? await this.#delivery.waiters.wait(request.id, waitMs) : null
    return { state: end ?? state, upstream: this.#watch.state }
  }

  async #put(request: StoreRequest): Promise<HeldState> {
    const { hashes, suppressed } = await this.#records.admit(request)
    if (suppressed) return 'suppressed'
    this.#watch.mergeFrom(request.upstream)
    const asStored = this.#watch.rejecting ? withoutRefusal(request) : request
    const tried = tryOfRequest(asStored, this.#backoff, Math.random)
    const { position, state } = this.#store.put({ ...asStored, hashes }, tried)
    if (state === 'dead' && request.state === 'dead' && request.attempt) {
      logDeadLetter(this.#shard, request, request.attempt.error)
    }
    this.#delivery.added(position)
    await this.#delivery.scheduleNewWork()
    return state
  }

  /** A token other than `refused`. Shard 0 keeps it for all; credentials that no longer work are a hold. */
  async token(refused: string | null): Promise<TokenResult> {
    return this.#tokens.get(refused)
  }

  /** Both sides learn what the other knows of AEP. */
  async refresh(upstream: UpstreamState): Promise<UpstreamState> {
    this.#watch.mergeFrom(upstream)
    await this.#delivery.scheduleNewWork()
    return this.#watch.state
  }

  /** Called by cron; re-arms a lost alarm, and forgets records that are over. Returns how many events are pending. */
  async wake(): Promise<number> {
    this.#records.sweep()
    await this.#delivery.wake()
    await this.#records.addMissingHashes()
    return this.#ledger.read().pending
  }

  /** Called by cron when no shard has anything pending. */
  async endRejecting(): Promise<void> {
    this.#watch.endRejecting()
  }

  /** Resuming opens at once: a hold, a backoff and AEP's `Retry-After` end; the next answer closes again if it must. */
  async pause(paused: boolean, now: number): Promise<UpstreamState> {
    this.#watch.command(paused, now)
    this.#watch.noteConfiguration(this.#config.destination !== null)
    await this.#delivery.scheduleNewWork()
    return this.#watch.state
  }

  status(): ShardStatus {
    return {
      ...this.#ledger.read(),
      ...this.#records.status(),
      oldestPendingAt: this.#reader.oldestPendingAt(),
      hold: holdOf(this.#watch.state),
      nextAttemptAt: this.#delivery.nextAttemptAt(Date.now()),
    }
  }

  /** Both sides learn what the other knows of AEP. */
  async health(upstream: UpstreamState): Promise<ShardHealth> {
    await this.refresh(upstream)
    return shardHealth(this.#watch.state, {
      writable: await this.#isWritable(),
      oldestAt: this.#reader.oldestAt(),
      retentionMs: this.#config.retentionMs,
      now: Date.now(),
    })
  }

  /** What may be worth an alert, at a run of the cron trigger. */
  async alertFacts(): Promise<ShardFacts> {
    return {
      ...holdFacts(this.#watch.state),
      pending: this.#ledger.read().pending,
      oldestPendingAt: this.#reader.oldestPendingAt(),
      expiring: expiringFacts(
        this.ctx.storage.sql,
        this.#reader.oldestAt(),
        this.#config.retentionMs,
        Date.now(),
      ),
      writable: await this.#isWritable(),
      refusals: this.#alerts.refusals(),
    }
  }

  refusalsCounted(upTo: number): void {
    this.#alerts.refusalsCounted(upTo)
  }

  /** Shard 0 keeps the states of alerts for all. JSON text; `null` before the first run. */
  alertStates(): string | null {
    return this.#alerts.states()
  }

  async saveAlertStates(states: string): Promise<void> {
    this.#alerts.saveStates(states)
    await this.ctx.storage.sync()
  }

  /** Shard 0 keeps what isolates have seen of changes in what Chatlio sends. */
  reportDrift(reports: readonly DriftReport[]): void {
    this.#drift.record(reports, Date.now())
  }

  driftRows(): DriftRow[] {
    return this.#drift.rows()
  }

  driftSummary(): DriftSummary {
    return this.#drift.summary()
  }

  /** The row, accepted; `null` where there is none. */
  acceptDrift(key: DriftKey): DriftRow | null {
    return this.#drift.accept(key)
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
    if (place) {
      this.#store.erase(place)
      this.#delivery.waiters.ended(id, 'erased')
    }
    return place !== null
  }

  async redrive(request: RedriveRequest): Promise<RedrivePage> {
    await this.#records.addMissingHashes()
    const page = redrive(
      request,
      { store: this.#store, reader: this.#reader, listing: this.#listing },
      (position) => this.#delivery.added(position),
      (place) => this.#records.isSuppressed(place),
    )
    await this.#delivery.scheduleNewWork()
    return page
  }

  override async alarm(): Promise<void> {
    await this.#delivery.run()
    this.#records.flush()
  }

  /** Proves it by a write when the last one failed, or when there has been none yet. */
  async #isWritable(): Promise<boolean> {
    if (this.#hasWritten && !this.#ledger.failing) return true
    try {
      this.#ledger.change({}, this.#watch.state, () => undefined)
      await this.ctx.storage.sync()
      this.#hasWritten = true
    } catch {
      this.#hasWritten = false
    }
    return this.#hasWritten
  }
}

/** While AEP refuses everything, its refusal of one event is no reason to give that event up. */
function withoutRefusal(request: StoreRequest): StoreRequest {
  const isRefusal = request.state === 'dead' && request.attempt?.error.status !== 413
  return isRefusal ? { ...request, state: 'pending' } : request
}
