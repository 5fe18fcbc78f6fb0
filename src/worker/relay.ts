/**
 * Takes an event into custody: relays it to AEP inside the request, or stores it in the outbox.
 *
 * Promises: an outcome other than `unavailable` means that AEP accepted the event or that it is durably stored; `unavailable`
 * means that AEP was asked as well, unless relaying is paused. The healthy path is one request to AEP and nothing else; while
 * AEP fails, requests do not wait for it. A fault of our own costs no event: it is stored, and tried again. What a failed
 * attempt means is decided in the outbox alone.
 */
import type { AepClient } from './aep/client/client.ts'
import type { Ending } from './aep/client/verdict.ts'
import { type Encoded, encode } from './aep/record/encode.ts'
import { identityOf, type PrimaryIdentity } from './aep/record/identity.ts'
import type { Redacted } from './aep/record/redact.ts'
import type { Breaker } from './breaker.ts'
import type { Arrival, Reading } from './chatlio/event.ts'
import type { Subject } from './chatlio/person.ts'
import type { Config } from './config/config.ts'
import { type Timers, within } from './lib/bounded.ts'
import { LAST_RESORT_TIMEOUT_MS, STORE_TIMEOUT_MS } from './limits.ts'
import { logLine, nameOf } from './log.ts'
import type { ArrivedState, RequestAttempt, StoreRequest } from './outbox/arrivals.ts'
import { madeFor } from './outbox/delivery/send.ts'
import { type EventEnd, quarantineError, type Unsupported } from './outbox/event.ts'
import type { OutboxStub } from './outbox/outbox.ts'
import type { Reporter } from './report.ts'

/** Where an event is now. `upstreamStatus`: the HTTP status that AEP answered; `null` when it did not. */
export type RelayResult = {
  outcome: 'forwarded' | 'buffered' | 'dead-lettered' | 'quarantined' | 'suppressed' | 'unavailable'
  /** It went to AEP without the outbox, which then knows nothing of it. */
  direct?: { redacted: Redacted }
  upstreamStatus: number | null
  /** Why it was not forwarded. */
  code?: string
  /** For xdm: the primary identity. An event with `none` reaches the lake, but not Profile. */
  identity?: PrimaryIdentity
}

/** An event and its bytes, as they came, and whose it is. `source`: the name of its webhook key. */
type Received = Arrival & { body: Uint8Array; subject: Subject; source: string | null }

type RelayDeps = {
  config: Config
  outbox: () => OutboxStub
  /** `null`: the configuration cannot be used. */
  client: AepClient | null
  breaker: Breaker
  /** Text of the settings that events are sent under. */
  settings: string
  /** Who is suppressed, as far as this isolate knows. */
  people: Pick<Reporter, 'suppresses' | 'isSuppressed' | 'hashesOf'>
  now: () => number
  timers: Timers
}

type StoreAs = Pick<StoreRequest, 'state' | 'error' | 'attempt' | 'parts'>
const AS_PENDING: StoreAs = { state: 'pending', error: null, attempt: null, parts: [] }

/** Of the event that is accepted, for the destination of this client. Throws a fault of our own. */
type Encoding = (client: AepClient) => Encoded

type Stored = Awaited<ReturnType<OutboxStub['storeAndWait']>>

/** By the state that the outbox answers. */
const OUTCOME_OF = {
  pending: 'buffered',
  dead: 'dead-lettered',
  quarantined: 'quarantined',
  delivered: 'forwarded',
  // An operator erased it while its request waited: it was stored, and it was not relayed.
  erased: 'buffered',
  suppressed: 'suppressed',
} as const satisfies Record<ArrivedState | EventEnd, RelayResult['outcome']>

/** One per isolate and configuration. */
export class Relay {
  readonly #deps: RelayDeps
  readonly #madeFor: string
  readonly #maxRecordBytes: number

  constructor(deps: RelayDeps) {
    const { config, client } = deps
    this.#deps = deps
    this.#madeFor = config.destination ? madeFor(config.destination, config.redact) : ''
    this.#maxRecordBytes = client?.envelope.maxRecordBytes(config.maxEventBytes) ?? 0
  }

  /** Accepts anything that could be read, valid or not. */
  async accept(received: Received, reading: Reading | Unsupported): Promise<RelayResult> {
    const suppressed = await this.#ifSuppressed(received)
    if (suppressed) return suppressed
    if (reading.outcome !== 'valid') {
      const error = quarantineError(reading)
      return this.#store(received, { ...AS_PENDING, state: 'quarantined', error }, null, error.code)
    }
    const { event } = reading
    const { config, client, now, breaker } = this.#deps
    const reason = !client
      ? 'configuration'
      : config.forwardTimeoutMs === 0
        ? 'store-first'
        : breaker.reasonToStore(now())
    const encoding: Encoding = ({ destination }) => {
      const sending = { now: now(), source: received.source, redact: config.redact }
      return encode(event, destination, this.#maxRecordBytes, sending)
    }
    const result =
      reason || !client
        ? await this.#storeOrSend(received, AS_PENDING, reason ?? 'configuration', encoding)
        : await this.#forward(received, encoding, client).catch((thrown: unknown) =>
            this.#storeAfterFault(received, thrown),
          )
    if (config.destination?.format === 'xdm') result.identity = identityOf(event)
    return result
  }

  /** Accepts an event that our own code fails to read: it is stored, and tried again. */
  async acceptUnread(received: Received, thrown: unknown): Promise<RelayResult> {
    return (await this.#ifSuppressed(received)) ?? this.#storeAfterFault(received, thrown)
  }

  async #ifSuppressed({ subject }: Received): Promise<RelayResult | null> {
    const { people } = this.#deps
    // Mostly nobody is suppressed, and there is nothing to wait for.
    if (!people.suppresses || !(await people.isSuppressed(subject))) return null
    return { outcome: 'suppressed', upstreamStatus: null }
  }

  /** Throws a fault of our own. */
  async #forward(received: Received, encoding: Encoding, client: AepClient): Promise<RelayResult> {
    const { forwardTimeoutMs } = this.#deps.config
    const encoded = encoding(client)
    if (encoded.split) {
      // Its parts are decided and stored before the first is sent, so the outbox sends them; the request waits for that as
      // long as it would for AEP.
      const as = { ...AS_PENDING, parts: encoded.parts }
      return this.#storeOrSend(received, as, 'split', () => encoded, forwardTimeoutMs)
    }
    const attempt = await this.#send(encoded.record, client, forwardTimeoutMs)
    const { ending } = attempt
    if (ending.verdict === 'accepted') return forwarded(ending.status, encoded.redacted)
    return this.#store(received, { ...AS_PENDING, attempt }, statusOf(ending), ending.error.code)
  }

  /** One attempt inside the request. */
  async #send(record: string, client: AepClient, timeoutMs: number): Promise<RequestAttempt> {
    const { breaker, now } = this.#deps
    const underWay = breaker.began(now())
    const ending = await client.deliverOne(record, timeoutMs)
    const endedAt = now()
    breaker.ended(underWay, ending, endedAt)
    return { beganAt: underWay.beganAt, endedAt, ending }
  }

  async #storeAfterFault(received: Received, thrown: unknown): Promise<RelayResult> {
    const error = { code: 'internal', status: null, message: notEncoded(received, thrown) } as const
    return this.#store(received, { ...AS_PENDING, error }, null, error.code)
  }

  /** Where storing fails, AEP is asked after all: an outage of the outbox must not cost an event that AEP would take. */
  async #storeOrSend(
    received: Received,
    as: StoreAs,
    code: string,
    encoding: Encoding,
    waitMs = 0,
  ): Promise<RelayResult> {
    const { client, breaker, config } = this.#deps
    const stored = await this.#store(received, as, null, code, waitMs)
    if (stored.outcome !== 'unavailable' || !client || breaker.aep.pause.paused) return stored
    try {
      const timeoutMs = config.forwardTimeoutMs || LAST_RESORT_TIMEOUT_MS
      const encoded = encoding(client)
      const ending = encoded.split
        ? await this.#sendParts(encoded.parts, client, timeoutMs)
        : (await this.#send(encoded.record, client, timeoutMs)).ending
      if (ending?.verdict === 'accepted') return forwarded(ending.status, encoded.redacted)
      return { ...stored, upstreamStatus: ending && statusOf(ending) }
    } catch (thrown) {
      notEncoded(received, thrown)
      return stored
    }
  }

  /** Until one is not accepted, or AEP refuses several at once (`null`): then the sender has to send all of it again. */
  async #sendParts(
    parts: readonly string[],
    client: AepClient,
    timeoutMs: number,
  ): Promise<Ending | null> {
    const { now } = this.#deps
    const until = now() + timeoutMs
    for (let left = parts; ; ) {
      const group = left.slice(0, client.envelope.batchLength(left))
      const endings = await client.deliverBatch(group, Math.max(until - now(), 0))
      if (endings === 'bisect') return null
      left = left.slice(group.length)
      const failed = endings.find(({ verdict }) => verdict !== 'accepted')
      if (failed || left.length === 0) return failed ?? endings[0] ?? null
    }
  }

  /** `waitMs`: how long to wait for the delivery of the stored event; 0 does not wait. */
  async #store(
    { id, kind, source, receivedAt, body, subject }: Received,
    as: StoreAs,
    upstreamStatus: number | null,
    code: string,
    waitMs = 0,
  ): Promise<RelayResult> {
    const { people, breaker, settings, now } = this.#deps
    const hashes = await people.hashesOf(subject)
    const { accepted } = breaker
    const event = { id, kind, source, receivedAt, body, hashes, madeFor: this.#madeFor }
    const request = { ...event, accepted, settings, ...as }
    const askedAt = now()
    try {
      // One deadline over all repeats, the runtime's own too: the sender waits for this.
      const storing = this.#stored(request, waitMs)
      const stored = await within(STORE_TIMEOUT_MS + waitMs, storing, this.#deps.timers)
      breaker.update(stored.aep, askedAt)
      const outcome = OUTCOME_OF[stored.state]
      if (outcome === 'forwarded') return { outcome, upstreamStatus: 200 }
      return outcome === 'suppressed'
        ? { outcome, upstreamStatus }
        : { outcome, upstreamStatus, code }
    } catch (thrown) {
      logLine('error', { event: 'store-failed', id, name: nameOf(thrown) })
      return { outcome: 'unavailable', upstreamStatus, code: 'storage' }
    }
  }

  /** Twice where the object was reset, as by a deploy: the insert is idempotent. */
  async #stored(request: StoreRequest, waitMs: number): Promise<Stored> {
    const store = () => {
      const outbox = this.#deps.outbox()
      return waitMs === 0 ? outbox.store(request) : outbox.storeAndWait(request, waitMs)
    }
    try {
      return await store()
    } catch (thrown) {
      if (Object(thrown).durableObjectReset !== true) throw thrown
      return store()
    }
  }
}

/** Logs what was thrown, and returns its name. */
function notEncoded({ id, kind }: Received, thrown: unknown): string {
  const name = nameOf(thrown)
  logLine('error', { event: 'not-encoded', id, kind, name })
  return name
}

function forwarded(upstreamStatus: number, redacted: Redacted): RelayResult {
  return { outcome: 'forwarded', direct: { redacted }, upstreamStatus }
}

/** The status of a token request is IMS's, not AEP's. */
function statusOf(ending: Exclude<Ending, { verdict: 'accepted' }>): number | null {
  return ending.error.code === 'token' ? null : ending.error.status
}
