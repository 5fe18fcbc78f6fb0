/**
 * Takes an event into custody: relays it to AEP inside the request, or stores it in the outbox.
 *
 * Promises: an answer other than `unavailable` means that AEP accepted the event or that it is durably stored. The
 * healthy path is one request to AEP and nothing else; while AEP fails, requests do not wait for it.
 * One per isolate and configuration: what it remembers is only what it has seen of the destination, and losing that
 * costs at most one slow request.
 */

import { type DeliverDeps, deliverOne } from './aep/client/deliver.ts'
import type { Verdict } from './aep/client/verdict.ts'
import { encode } from './aep/record/encode.ts'
import { identityOf, type PrimaryIdentity } from './aep/record/identity.ts'
import { afterAttempt, isFailed } from './aep/upstream/blame.ts'
import { allowsRequest, type Breaker, CLOSED } from './aep/upstream/breaker.ts'
import {
  activeFailure,
  holdOf,
  INITIAL_UPSTREAM,
  merge,
  type UpstreamState,
} from './aep/upstream/state.ts'
import type { Arrival, ChatEvent, Reading } from './chatlio/event.ts'
import type { Config } from './config/config.ts'
import { within } from './lib/timeout.ts'
import { REFRESH_INTERVAL_MS, STORE_TIMEOUT_MS } from './limits.ts'
import { logLine } from './log.ts'
import { quarantineError } from './outbox/quarantine.ts'
import type { Shards } from './outbox/shards.ts'
import type { EventState, FailedAttempt, StoreRequest } from './outbox/state.ts'

/** Where an event is now. `upstreamStatus`: what AEP answered, `null` where it did not, or was not asked. */
export type RelayResult = {
  outcome: 'forwarded' | 'buffered' | 'dead-lettered' | 'quarantined' | 'unavailable'
  upstreamStatus: number | null
  /** Why it was not forwarded. */
  code?: string
  /** Of an event for xdm: whose it is. `none` reaches the lake, but not Profile. */
  identity?: PrimaryIdentity
}

/** An event and its bytes, as they came. */
export type Received = Arrival & { body: Uint8Array }

const OUTCOMES = {
  pending: 'buffered',
  dead: 'dead-lettered',
  quarantined: 'quarantined',
} as const satisfies Record<EventState, RelayResult['outcome']>

type StoredAs = Pick<StoreRequest, 'state' | 'error' | 'attempt' | 'parts'>

const AS_PENDING: StoredAs = { state: 'pending', error: null, attempt: null, parts: [] }

export class Relay {
  readonly #config: Config
  readonly #shards: Shards
  readonly #deps: DeliverDeps
  #state: UpstreamState = INITIAL_UPSTREAM
  #breaker: Breaker = CLOSED
  #refreshedAt = 0

  constructor(config: Config, shards: Shards, deps: DeliverDeps) {
    this.#config = config
    this.#shards = shards
    this.#deps = deps
  }

  get state(): UpstreamState {
    return this.#state
  }

  mergeUpstream(theirs: UpstreamState): void {
    this.#state = merge(this.#state, theirs)
    if (!activeFailure(this.#state)) this.#breaker = CLOSED
  }

  accept(received: Received, reading: Reading): Promise<RelayResult> {
    if (reading.outcome !== 'valid') {
      const error = quarantineError(reading)
      return this.#store(received, { ...AS_PENDING, state: 'quarantined', error }, null, error.code)
    }
    const now = this.#deps.now()
    const waits = this.#reasonToStore(now)
    const custody = waits
      ? this.#store(received, AS_PENDING, null, waits)
      : this.#forward(received, reading.event, now)
    if (this.#config.destination?.format !== 'xdm') return custody
    const identity = identityOf(reading.event)
    return custody.then((taken) => ({ ...taken, identity }))
  }

  isRefreshDue(now: number): boolean {
    return now - this.#refreshedAt >= REFRESH_INTERVAL_MS
  }

  /** Learns of pauses and holds, and tells what was seen here; after the answer, and not often. */
  async refresh(): Promise<void> {
    this.#refreshedAt = this.#deps.now()
    try {
      const states = await this.#shards.all((shard) => shard.refresh(this.#state))
      for (const state of states) this.mergeUpstream(state)
    } catch (thrown) {
      logLine('warn', { event: 'refresh-failed', name: nameOf(thrown) })
    }
  }

  /** Why the event is not to be relayed inside its request; `null` when it is. */
  #reasonToStore(now: number): string | null {
    const { destination, forwardTimeoutMs, retryBaseMs } = this.#config
    if (!destination) return 'configuration'
    if (forwardTimeoutMs === 0) return 'store-first'
    if (!allowsRequest(this.#state, this.#breaker, Math.max(forwardTimeoutMs, retryBaseMs), now)) {
      return holdOf(this.#state)?.reason ?? 'upstream'
    }
    if (activeFailure(this.#state)) this.#breaker = { ...this.#breaker, triedAt: now }
    return null
  }

  async #forward(received: Received, event: ChatEvent, beganAt: number): Promise<RelayResult> {
    const { destination, forwardTimeoutMs } = this.#config
    if (!destination) throw new Error('forwarding without a destination')
    const encoded = encode(event, destination, this.#config.maxEventBytes)
    if (encoded.split) return this.#forwardParts(received, encoded.parts)
    const verdict = await deliverOne(encoded.record, destination, forwardTimeoutMs, this.#deps)
    const at = this.#deps.now()
    this.#recordAttempt(verdict, beganAt, at)
    if (verdict.verdict === 'accepted') {
      return { outcome: 'forwarded', upstreamStatus: verdict.status }
    }
    const { error, answer } = verdict
    const attempt: FailedAttempt = { at, error, answer }
    const state = isFailed(verdict) ? 'pending' : 'dead'
    return this.#store(received, { ...AS_PENDING, state, attempt }, error.status, error.code)
  }

  /**
   * An event too large for one record: its parts are decided and stored before the first is sent, so the outbox sends
   * them; this request waits for that as long as it would for AEP.
   */
  async #forwardParts(received: Received, parts: readonly string[]): Promise<RelayResult> {
    const until = this.#deps.now() + this.#config.forwardTimeoutMs
    const stored = await this.#store(received, { ...AS_PENDING, parts }, null, 'split')
    if (stored.outcome !== 'buffered') return stored
    try {
      const leftMs = Math.max(until - this.#deps.now(), 0)
      const state = await within(
        leftMs,
        this.#shards.of(received.id).waitForOutcome(received.id, leftMs),
      )
      if (state !== 'gone') return { ...stored, outcome: OUTCOMES[state] }
      return { outcome: 'forwarded', upstreamStatus: 200 }
    } catch {
      return stored
    }
  }

  #recordAttempt(verdict: Verdict, beganAt: number, at: number): void {
    this.#state = afterAttempt(this.#state, verdict, { beganAt, previousAt: null }, at)
    this.#breaker = activeFailure(this.#state)
      ? { ...this.#breaker, failures: this.#breaker.failures + 1 }
      : CLOSED
  }

  async #store(
    { id, kind, receivedAt, body }: Received,
    as: StoredAs,
    upstreamStatus: number | null,
    code: string,
  ): Promise<RelayResult> {
    const request: StoreRequest = { id, kind, receivedAt, body, upstream: this.#state, ...as }
    try {
      const shard = this.#shards.of(id)
      // One deadline over whatever retries the runtime makes: the sender waits for this.
      const stored = await within(STORE_TIMEOUT_MS, shard.store(request))
      this.mergeUpstream(stored.upstream)
      return { outcome: OUTCOMES[stored.state], upstreamStatus, code }
    } catch (thrown) {
      logLine('error', { event: 'store-failed', id, name: nameOf(thrown) })
      return { outcome: 'unavailable', upstreamStatus, code: 'storage' }
    }
  }
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : 'unknown'
}
