/**
 * Takes an event into custody: relays it to AEP inside the request, or stores it in the outbox.
 *
 * Promises: an outcome other than `unavailable` means that AEP accepted the event or that it is durably stored. The
 * healthy path is one request to AEP and nothing else; while AEP fails, requests do not wait for it. A fault of our
 * own costs no event: it is stored, and tried again.
 * One per isolate and configuration: it remembers only what it has seen of AEP, and losing that costs at most one
 * slow request.
 */
import { Sender, type SenderDeps } from './aep/client/sender.ts'
import type { AttemptError, Verdict } from './aep/client/verdict.ts'
import { encode } from './aep/record/encode.ts'
import { identityOf } from './aep/record/identity.ts'
import { afterAttempt, isFailed } from './aep/upstream/blame.ts'
import { allowsRequest, type Breaker, CLOSED } from './aep/upstream/breaker.ts'
import { correctClock } from './aep/upstream/clock.ts'
import { takeIn, underSettings } from './aep/upstream/merge.ts'
import { isRejecting } from './aep/upstream/refusals.ts'
import { settingsOf } from './aep/upstream/settings.ts'
import {
  activeFailure,
  holdOf,
  INITIAL_UPSTREAM,
  type UpstreamState,
} from './aep/upstream/state.ts'
import type { Carrier } from './carrier.ts'
import type { ChatEvent, Reading } from './chatlio/event.ts'
import type { Config } from './config/config.ts'
import { within } from './lib/timeout.ts'
import { STORE_TIMEOUT_MS } from './limits.ts'
import { logLine } from './log.ts'
import type { EventEnd } from './outbox/delivery/waiters.ts'
import { quarantineError } from './outbox/quarantine.ts'
import type { OutboxStub, Shards } from './outbox/shards.ts'
import type { FailedAttempt, HeldState, StoreRequest } from './outbox/state.ts'
import { OUTCOMES, type Received, type RelayResult } from './relay-result.ts'

type StoreAs = Pick<StoreRequest, 'state' | 'error' | 'attempt' | 'parts'>

const AS_PENDING: StoreAs = { state: 'pending', error: null, attempt: null, parts: [] }

type Stored = { state: HeldState | EventEnd; upstream: UpstreamState }

export class Relay {
  readonly #config: Config
  readonly #shards: Shards
  readonly #now: () => number
  readonly #sender: Sender | null
  #state: UpstreamState
  #breaker: Breaker = CLOSED
  readonly #carrier: Carrier

  constructor(config: Config, shards: Shards, deps: SenderDeps, carrier: Carrier) {
    this.#config = config
    this.#shards = shards
    this.#now = deps.now
    this.#carrier = carrier
    this.#state = underSettings(INITIAL_UPSTREAM, settingsOf(config.destination))
    this.#sender = config.destination && new Sender(config.destination, deps)
  }

  get state(): UpstreamState {
    this.#state = correctClock(this.#state, this.#now())
    return this.#state
  }

  mergeUpstream(theirs: UpstreamState): void {
    this.#state = takeIn(this.state, theirs, this.#now())
    if (!activeFailure(this.#state)) this.#breaker = CLOSED
  }

  /** Accepts anything that could be read, valid or not. */
  async accept(received: Received, reading: Reading): Promise<RelayResult> {
    // Mostly nobody is suppressed, and there is nothing to wait for.
    const suppressed = this.#carrier.suppresses ? await this.#ifSuppressed(received) : null
    if (suppressed) return suppressed
    if (reading.outcome !== 'valid') {
      const error = quarantineError(reading)
      return this.#store(received, { ...AS_PENDING, state: 'quarantined', error }, null, error.code)
    }
    const reason = this.#reasonToStore(this.#now())
    const result = reason
      ? await this.#store(received, AS_PENDING, null, reason)
      : await this.#forward(received, reading.event)
    if (this.#config.destination?.format === 'xdm') result.identity = identityOf(reading.event)
    return result
  }

  /** Accepts an event that our own code fails to read: it is stored, and tried again. */
  async acceptUnread(received: Received, thrown: unknown): Promise<RelayResult> {
    return (await this.#ifSuppressed(received)) ?? this.#storeAfterFault(received, thrown)
  }

  async #ifSuppressed({ subject }: Received): Promise<RelayResult | null> {
    if (!this.#carrier.suppresses || !(await this.#carrier.isSuppressed(subject))) return null
    return { outcome: 'suppressed', upstreamStatus: null }
  }

  /** Why the event must not be relayed inside its request; `null` when it may. */
  #reasonToStore(now: number): string | null {
    const { destination, forwardTimeoutMs, retryBaseMs } = this.#config
    if (!destination) return 'configuration'
    if (forwardTimeoutMs === 0) return 'store-first'
    const { state } = this
    if (this.#breaker.triedAt > now) this.#breaker = { ...this.#breaker, triedAt: now }
    if (!allowsRequest(state, this.#breaker, Math.max(forwardTimeoutMs, retryBaseMs), now)) {
      return holdOf(state)?.reason ?? 'upstream'
    }
    if (activeFailure(state)) this.#breaker = { ...this.#breaker, triedAt: now }
    return null
  }

  async #forward(received: Received, event: ChatEvent): Promise<RelayResult> {
    const { destination, forwardTimeoutMs, maxEventBytes } = this.#config
    const sender = this.#sender
    if (!destination || !sender) return this.#store(received, AS_PENDING, null, 'configuration')
    const beganAt = this.#now()
    let verdict: Verdict
    try {
      const sending = { now: beganAt, source: null }
      const maxRecordBytes = sender.envelope.maxRecordBytes(maxEventBytes)
      const encoded = encode(event, destination, maxRecordBytes, sending)
      if (encoded.split) return await this.#forwardParts(received, encoded.parts)
      verdict = await sender.deliverOne(encoded.record, forwardTimeoutMs)
    } catch (thrown) {
      return this.#storeAfterFault(received, thrown)
    }
    const at = this.#now()
    this.#recordAttempt(received.id, verdict, beganAt, at)
    if (verdict.verdict === 'accepted') {
      return { outcome: 'forwarded', straight: true, upstreamStatus: verdict.status }
    }
    const { error, answer } = verdict
    const attempt: FailedAttempt = { at, error, answer }
    const isRefused = !isFailed(verdict) && !this.#refusesEverything(error.status)
    const state = isRefused ? 'dead' : 'pending'
    // The status of a token request is IMS's, not AEP's.
    const upstreamStatus = error.code === 'token' ? null : error.status
    return this.#store(received, { ...AS_PENDING, state, attempt }, upstreamStatus, error.code)
  }

  /**
   * An event too large for one record: its parts are decided and stored before the first is sent, so the outbox sends
   * them. The request waits for that as long as it would for AEP.
   */
  async #forwardParts(received: Received, parts: readonly string[]): Promise<RelayResult> {
    const waitMs = this.#config.forwardTimeoutMs
    return this.#store(received, { ...AS_PENDING, parts }, null, 'split', waitMs)
  }

  async #storeAfterFault(received: Received, thrown: unknown): Promise<RelayResult> {
    const name = nameOf(thrown)
    logLine('error', { event: 'not-encoded', id: received.id, kind: received.kind, name })
    const error: AttemptError = { code: 'internal', status: null, message: name }
    const attempt: FailedAttempt = { at: this.#now(), error, answer: null }
    return this.#store(received, { ...AS_PENDING, attempt }, null, error.code)
  }

  /** Then the refusal is the setting's fault, not the event's. 413 is always the event's. */
  #refusesEverything(status: number | null): boolean {
    return status !== 413 && isRejecting(this.#state.refusals)
  }

  #recordAttempt(id: string, verdict: Verdict, beganAt: number, at: number): void {
    const attempt = {
      id,
      beganAt,
      previousAt: null,
      throttles: 0,
      refusedBefore: false,
      isPart: false,
    }
    this.#state = afterAttempt(this.state, verdict, attempt, at)
    this.#breaker = activeFailure(this.#state)
      ? { ...this.#breaker, failures: this.#breaker.failures + 1 }
      : CLOSED
  }

  /** `waitMs`: how long to wait for the delivery of the stored event; 0 does not wait. */
  async #store(
    { id, kind, receivedAt, body, subject }: Received,
    as: StoreAs,
    upstreamStatus: number | null,
    code: string,
    waitMs = 0,
  ): Promise<RelayResult> {
    const hashes = await this.#carrier.hashesOf(subject)
    const { state: upstream } = this
    const request: StoreRequest = { id, kind, receivedAt, body, hashes, upstream, ...as }
    const call = (shard: OutboxStub): Promise<Stored> =>
      waitMs === 0 ? shard.store(request) : shard.storeAndWait(request, waitMs)
    try {
      // One deadline over all retries of the runtime: the sender waits for this.
      const stored = await within(STORE_TIMEOUT_MS + waitMs, call(this.#shards.of(id)))
      this.mergeUpstream(stored.upstream)
      const outcome = OUTCOMES[stored.state]
      if (outcome === 'forwarded') return { outcome, upstreamStatus: 200 }
      return outcome === 'suppressed'
        ? { outcome, upstreamStatus }
        : { outcome, upstreamStatus, code }
    } catch (thrown) {
      logLine('error', { event: 'store-failed', id, name: nameOf(thrown) })
      return { outcome: 'unavailable', upstreamStatus, code: 'storage' }
    }
  }
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : 'unknown'
}
