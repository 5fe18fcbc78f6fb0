/**
 * Outbox: keeps events in custody until AEP has accepted them.
 *
 * Promises: an event whose `store` resolved is durable, and is delivered at least once or ends where an operator finds it,
 * counted; one event never stops the others; the object never sleeps while there is work (`Delivery`).
 * Does not promise: order, or exactly once (Real-Time Customer Profile drops the copy by its `_id`).
 * Accepts: a crash between AEP's answer and our note of it sends that event twice.
 *
 * This file only wires, and lists the methods that other Workers' isolates call.
 */
import { DurableObject } from 'cloudflare:workers'
import { AepClient } from '../aep/client/client.ts'
import type { TokenResult } from '../aep/client/ims.ts'
import { settingsOf } from '../aep/client/settings.ts'
import { TokenSource } from '../aep/client/token.ts'
import { type Config, parseConfig } from '../config/config.ts'
import { postThrough } from '../sender.ts'
import type { Aep } from './aep.ts'
import { Bulk, type BulkRequest, type ErasePage, type RedrivePage } from './bulk.ts'
import { Delivery } from './delivery/delivery.ts'
import type { EventEnd } from './delivery/outcome.ts'
import type { Ledger } from './event.ts'
import { Events } from './events.ts'
import { type Health, healthOf, WriteProbe } from './health.ts'
import { type HeldState, Intake, type StoreRequest } from './intake.ts'
import type { Hold } from './known.ts'
import {
  type CauseRow,
  type EventDetail,
  EventList,
  type ListedPage,
  type ListFilter,
} from './list.ts'
import { migrate } from './schema.ts'
import { TokenKeeper } from './token-keeper.ts'
import { AepWatch } from './watch.ts'

/** The one object that the relay stores in. Those of an earlier set-up deliver what they hold by their own alarms. */
export const OUTBOX_NAME = 'shard-0'

export type OutboxStub = DurableObjectStub<Outbox>

/** A new stub for every call: one that threw may stay broken (durable-objects/best-practices/error-handling). */
export function outboxOf({ OUTBOX }: Env): OutboxStub {
  return OUTBOX.getByName(OUTBOX_NAME)
}

export type OutboxStatus = Ledger & {
  oldestPendingAt: number | null
  hold: Hold | null
  nextAttemptAt: number | null
}

export class Outbox extends DurableObject<Env> {
  readonly #config: Config = parseConfig(this.env)
  readonly #events: Events
  readonly #list: EventList
  readonly #bulk: Bulk
  readonly #watch: AepWatch
  readonly #tokens: TokenKeeper
  readonly #delivery: Delivery
  readonly #intake: Intake
  readonly #writes: WriteProbe

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { storage } = ctx
    migrate(storage)
    const config = this.#config
    const { destination } = config
    const now = () => Date.now()
    const random = () => Math.random()
    const fetchIms = (url: string, init: RequestInit) => fetch(url, init)
    const policy = { backoff: { baseMs: config.retryBaseMs, capMs: config.retryCapMs }, random }
    const settings = settingsOf(destination)
    const events = new Events(storage)
    const sync = () => storage.sync()
    const people = { hashesOf: async () => '', isSuppressed: (_: string) => false }

    this.#events = events
    this.#list = new EventList(storage.sql)
    this.#bulk = new Bulk({ events, list: this.#list, isSuppressed: people.isSuppressed })
    const takeBack = (from: number, since: number) => this.#delivery.takeBack(from, since)
    this.#watch = new AepWatch({ events, policy, now, takeBack })
    const credentials = destination?.credentials ?? null
    this.#tokens = new TokenKeeper(storage, credentials, { fetch: fetchIms, now })
    const tokens = new TokenSource((refused) => this.#tokens.get(refused), now)
    const post = postThrough(ctx.exports.Sender)
    this.#delivery = new Delivery({
      config,
      policy,
      storage,
      events,
      watch: this.#watch,
      client: destination && new AepClient(destination, { post, now, tokens }),
      settings,
      now,
      record: () => undefined,
    })
    this.#intake = new Intake({
      events,
      watch: this.#watch,
      delivery: this.#delivery,
      people,
      retryCapMs: config.retryCapMs,
      now,
      sync,
    })
    this.#writes = new WriteProbe({ storage, now })
    const deployment = env.CF_VERSION_METADATA?.id ?? null
    this.#watch.happened({ what: 'start', settings, usable: destination !== null, deployment })
    const { hold, refusedFrom } = this.#watch.known()
    if (hold && refusedFrom !== null) this.#delivery.takeBack(refusedFrom, hold.since)
    void ctx.blockConcurrencyWhile(() => this.#delivery.start())
  }

  async store(request: StoreRequest): Promise<{ state: HeldState; aep: Aep }> {
    const state = await this.#intake.store(request)
    return { state, aep: this.#watch.aep }
  }

  /** Stores an event, and waits up to `waitMs` for its delivery. `state` is then how it ended, if it did. */
  async storeAndWait(
    request: StoreRequest,
    waitMs: number,
  ): Promise<{ state: HeldState | EventEnd; aep: Aep }> {
    const state = await this.#intake.store(request)
    const end = state === 'pending' ? await this.#delivery.waitFor(request.id, waitMs) : null
    return { state: end ?? state, aep: this.#watch.aep }
  }

  /** A token other than `refused`. Credentials that no longer work are a hold. */
  async token(refused: string | null): Promise<TokenResult> {
    return this.#tokens.get(refused)
  }

  /** Called by cron; re-arms a lost alarm, and erases what has expired. Returns how many events are pending. */
  async wake(): Promise<number> {
    await this.#delivery.wake()
    return this.#events.ledger().pending
  }

  /** Resuming opens at once: a hold, a backoff and AEP's `Retry-After` end; the next answer closes again if it must. */
  async pause(paused: boolean): Promise<Aep> {
    this.#watch.happened({ what: paused ? 'pause' : 'resume' })
    await this.#delivery.scheduleNewWork()
    return this.#watch.aep
  }

  status(): OutboxStatus {
    return {
      ...this.#events.ledger(),
      oldestPendingAt: this.#events.oldestPendingAt(),
      hold: this.#watch.known().hold,
      nextAttemptAt: this.#delivery.nextAttemptAt(),
    }
  }

  async health(): Promise<Health> {
    return healthOf({
      known: this.#watch.known(),
      writable: await this.#writes.isWritable(this.#intake.lastWrite),
      oldestAt: this.#events.oldestAt(),
      retentionMs: this.#config.retentionMs,
      now: Date.now(),
    })
  }

  list(filter: ListFilter, after: number | null, limit: number, newest = false): ListedPage {
    return this.#list.list(filter, after, limit, newest)
  }

  get(id: string): EventDetail | null {
    return this.#list.get(id)
  }

  causes(): CauseRow[] {
    return this.#list.causes()
  }

  /** Whether there was such an event. */
  async erase(id: string): Promise<boolean> {
    this.#intake.flush()
    const place = this.#events.find(id)
    if (place) {
      this.#events.erase([place.position], 'deleted')
      this.#delivery.left(id, 'erased')
    }
    return place !== null
  }

  /** One page, which is found and redriven in one transaction. */
  async redrive(request: BulkRequest): Promise<RedrivePage> {
    this.#intake.flush()
    const positions: number[] = []
    const page = this.ctx.storage.transactionSync(() =>
      this.#bulk.redrive(request, (position) => positions.push(position)),
    )
    this.#delivery.added(positions)
    await this.#delivery.scheduleNewWork()
    return page
  }

  /** One page, which is found and erased in one transaction. */
  async eraseMatching(request: BulkRequest): Promise<ErasePage> {
    this.#intake.flush()
    return this.ctx.storage.transactionSync(() => this.#bulk.erase(request))
  }

  override async alarm(): Promise<void> {
    await this.#delivery.run()
  }
}
