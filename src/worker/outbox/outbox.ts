/**
 * Outbox: keeps events in custody until AEP has accepted them.
 *
 * Promises: an event whose `store` resolved is durable, and is delivered at least once or ends where an operator finds
 * it, counted; one event never stops the others; the object never sleeps while work is owed (`Delivery`).
 * Does not promise: order, or exactly once (Real-Time Customer Profile drops the copy by its `_id`).
 * Accepts: a crash between AEP's answer and our note of it sends that event twice.
 *
 * This file only wires: storage, delivery, and the RPC methods that a webhook or the cron trigger calls. Those of operators
 * are in `ReceiptsObject`.
 */

import type { TokenResult } from '../aep/client/ims.ts'
import type { TokenSource } from '../aep/client/token.ts'
import { settingsOf } from '../aep/upstream/settings.ts'
import { holdOf, type UpstreamState } from '../aep/upstream/state.ts'
import type { OutboxFacts } from '../alerts/alerts.ts'
import { type Config, parseConfig } from '../config/config.ts'
import type { DriftKey, DriftReport, DriftRow } from '../drift/drift.ts'
import { metricsOf } from '../metrics.ts'
import { Alerts } from './alerts.ts'
import { Delivery } from './delivery/delivery.ts'
import { UpstreamWatch } from './delivery/upstream-watch.ts'
import type { EventEnd } from './delivery/waiters.ts'
import { DriftStore } from './drift.ts'
import { shardHealth } from './health.ts'
import { Intake } from './intake.ts'
import { type OperatorParts, ReceiptsObject } from './receipts/receipts-object.ts'
import { Records } from './receipts/records.ts'
import type { HeldState, ShardHealth, ShardStatus, StoreRequest, StoreResult } from './state.ts'
import { Arrivals } from './storage/arrivals.ts'
import { LedgerStore } from './storage/ledger.ts'
import { Listing } from './storage/listing.ts'
import { migrate } from './storage/migrations.ts'
import { EventReader } from './storage/reader.ts'
import { EventStore } from './storage/store.ts'
import { tokenSource } from './token-keeper.ts'

export class Outbox extends ReceiptsObject {
  protected override readonly parts: OperatorParts
  readonly #shard = this.ctx.id.name ?? 'outbox'
  readonly #config: Config = parseConfig(this.env)
  readonly #backoff = { baseMs: this.#config.retryBaseMs, capMs: this.#config.retryCapMs }
  readonly #ledger: LedgerStore
  readonly #watch: UpstreamWatch
  readonly #reader: EventReader
  readonly #store: EventStore
  readonly #records: Records
  readonly #tokens: TokenSource
  readonly #delivery: Delivery
  readonly #intake: Intake
  readonly #drift: DriftStore
  readonly #alerts: Alerts
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
      now: Date.now,
    })
    const upstream = () => this.#watch.state
    this.#store = new EventStore(storage.sql, this.#ledger, this.#reader, upstream, this.#records)
    this.parts = {
      records: this.#records,
      reader: this.#reader,
      store: this.#store,
      listing: new Listing(storage.sql),
      flush: () => this.#intake.flush(),
      erased: (id) => this.#delivery.waiters.ended(id, 'erased'),
      requeued: (position) => this.#delivery.added(position),
      schedule: () => this.#delivery.scheduleNewWork(),
    }
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
    this.#intake = new Intake({
      shard: this.#shard,
      backoff: this.#backoff,
      watch: this.#watch,
      records: this.#records,
      arrivals: new Arrivals(storage.sql, this.#store, this.#records),
      delivery: this.#delivery,
      sync: () => storage.sync(),
      random: Math.random,
    })
    this.#drift = new DriftStore(storage)
    this.#alerts = new Alerts({
      sql: storage.sql,
      upstream,
      pending: () => this.#ledger.read().pending,
      oldestPendingAt: () => this.#reader.oldestPendingAt(),
      oldestAt: () => this.#reader.oldestAt(),
      isWritable: () => this.#isWritable(),
      drift: () => this.#drift.summary(),
      retentionMs: this.#config.retentionMs,
      now: Date.now,
    })
    void ctx.blockConcurrencyWhile(() => this.#delivery.start())
  }

  async store(request: StoreRequest): Promise<StoreResult> {
    const state = await this.#intake.store(request)
    return { state, upstream: this.#watch.state }
  }

  /** Stores an event, and waits up to `waitMs` for its delivery. `state` is then how it ended, if it did. */
  async storeAndWait(
    request: StoreRequest,
    waitMs: number,
  ): Promise<{ state: HeldState | EventEnd; upstream: UpstreamState }> {
    const state = await this.#intake.store(request)
    const end = state === 'pending' ? await this.#delivery.waiters.wait(request.id, waitMs) : null
    return { state: end ?? state, upstream: this.#watch.state }
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
    await this.scrubFurther()
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
  alertFacts(): Promise<OutboxFacts> {
    return this.#alerts.facts()
  }

  /** JSON text of the states of the alerts; `null` before the first run. */
  alertStates(): string | null {
    return this.#alerts.states()
  }

  /** `upTo`: the refusals that these states count. */
  async saveAlertStates(states: string, upTo: number): Promise<void> {
    this.ctx.storage.transactionSync(() => this.#alerts.save(states, upTo))
    await this.ctx.storage.sync()
  }

  /** What isolates have seen of changes in what Chatlio sends. */
  reportDrift(reports: readonly DriftReport[]): void {
    this.#drift.record(reports, Date.now())
  }

  driftRows(): DriftRow[] {
    return this.#drift.rows()
  }

  /** The row, now accepted; `null` if there is no such row. */
  acceptDrift(key: DriftKey): DriftRow | null {
    return this.#drift.accept(key)
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
