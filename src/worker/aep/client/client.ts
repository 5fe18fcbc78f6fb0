/**
 * Sends encoded records to the streaming endpoint in one request, with an access token if the inlet needs one, and judges the
 * answer.
 *
 * Promises: never throws; every record gets a verdict; if AEP refuses the token, it is renewed once, and no event is
 * charged with that failure. The envelope (schema, organization, dataset, flow) is added when a record is sent and never
 * stored, so that correcting a setting also corrects every pending event, split ones included. The same record gives the same
 * message, byte for byte.
 * Never retries, apart from that renewal: the caller decides after each request whether to continue.
 */
import type { Destination } from '../../config/config.ts'
import { FLOW_ID_PARAMETER } from '../../config/destination.ts'
import { type Fetch, isTimeout, readTextUpTo, type Timers, within } from '../../lib/bounded.ts'
import { utf8Length } from '../../lib/json.ts'
import {
  AEP_MAX_REQUEST_BYTES,
  BATCH_MAX_BYTES,
  BATCH_MAX_MESSAGES,
  MAX_ANSWER_BYTES,
} from '../../limits.ts'
import type { Token, TokenResult, TokenSource } from './ims.ts'
import {
  type AttemptError,
  type Ending,
  type HttpAnswer,
  Interrupted,
  judge,
  judgeBatch,
  noAnswer,
} from './verdict.ts'

export type PostRequest = { url: string; headers: Headers | Record<string, string>; body: string }

/** One POST and its answer, within `timeoutMs`, the answer's body included. Rejects if there is no answer to judge. */
export type Post = (request: PostRequest, timeoutMs: number) => Promise<HttpAnswer>

/**
 * Posts through `fetch`; rejects with its error, or with a `TimeoutError`. Follows no redirect (an event must not go to an
 * address that nobody configured), reads at most `MAX_ANSWER_BYTES` of the answer, and never retries.
 * `aborts`: for callers that outlive the attempt. The runtime cancels what a request leaves behind when it ends, and a
 * signal costs 6 % of the healthy path.
 */
export function poster(fetch: Fetch, aborts: boolean, timers?: Timers): Post {
  return async ({ url, headers, body }, timeoutMs) => {
    const late = aborts ? new AbortController() : null
    const signal = late?.signal ?? null
    // A refusal stands without its body. A 2xx counts only if its whole body was read.
    let refusal = null as HttpAnswer | null
    const answered = async (): Promise<HttpAnswer> => {
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body,
        signal,
        redirect: 'manual',
      })
      const head = { status: response.status, retryAfter: response.headers.get('retry-after') }
      if (!response.ok) refusal = { ...head, body: '', complete: false }
      const { text, complete } = await readTextUpTo(response, MAX_ANSWER_BYTES)
      // Releases the connection. If it is already closed, nothing is left to do.
      if (!complete) await response.body?.cancel().catch(() => undefined)
      return { ...head, body: text, complete }
    }
    try {
      return await within(timeoutMs, answered(), timers, late)
    } catch (thrown) {
      if (refusal) return refusal
      throw thrown
    }
  }
}

/** `post` rejects with what `fetch` throws, or with `Interrupted`. */
type ClientDeps = { post: Post; now: () => number; timers?: Timers; tokens: TokenSource }

/** One for each destination: envelope and headers are built once. */
export class AepClient {
  readonly envelope: Envelope
  readonly destination: Destination
  readonly #headers: Headers
  readonly #deps: ClientDeps

  constructor(destination: Destination, deps: ClientDeps) {
    this.envelope = new Envelope(destination)
    this.destination = destination
    this.#deps = deps
    this.#headers = new Headers({ 'content-type': 'application/json' })
    if (destination.flowId !== null) this.#headers.set(FLOW_ID_PARAMETER, destination.flowId)
  }

  /** Sends one record: JSON text from `encode`. `timeoutMs` covers the token, the request and its answer. */
  deliverOne(record: string, timeoutMs: number, mayLeave = always): Promise<Ending> {
    const { url } = this.destination
    return this.#deliver(url, this.envelope.message(record), timeoutMs, mayLeave, judge)
  }

  /**
   * Sends records, at most as many as `Envelope.batchLength` allows, in one request. Resolves to verdicts in the order
   * of the records, or to `bisect`: AEP refused the whole request, perhaps because of a single record, or it may not leave
   * any more. `mayLeave`: asked when a token has been waited for.
   */
  async deliverBatch(
    records: readonly string[],
    timeoutMs: number,
    mayLeave = always,
  ): Promise<Ending[] | 'bisect'> {
    const { destination, envelope } = this
    const [first] = records
    if (first === undefined) return []
    const judged =
      records.length === 1 || destination.format === 'raw'
        ? await this.deliverOne(first, timeoutMs, mayLeave)
        : await this.#deliver(
            destination.batchUrl,
            envelope.batch(records),
            timeoutMs,
            mayLeave,
            (answer, now) => judgeBatch(answer, records.length, now),
          )
    if (judged === 'bisect' || Array.isArray(judged)) return judged
    if (judged.verdict === 'aborted' && !mayLeave()) return 'bisect'
    return records.map(() => judged)
  }

  /** Resolves to what is judged of AEP's answer, or to an ending where there is no token or no answer. */
  async #deliver<Judged>(
    url: string,
    body: string,
    timeoutMs: number,
    mayLeave: () => boolean,
    judged: (answer: HttpAnswer, now: number) => Judged,
  ): Promise<Judged | Ending> {
    const request = { url, headers: this.#headers, body }
    try {
      const answer = this.destination.credentials
        ? await sendWithToken(request, timeoutMs, mayLeave, this.#deps)
        : await this.#deps.post(request, timeoutMs)
      return 'verdict' in answer ? answer : judged(answer, this.#deps.now())
    } catch (thrown) {
      return noAnswer(thrown)
    }
  }
}

const always = () => true

/** Renews the token once if AEP refuses it. `timeoutMs` includes the time spent waiting for tokens. */
async function sendWithToken(
  request: PostRequest,
  timeoutMs: number,
  mayLeave: () => boolean,
  { post, now, timers, tokens }: ClientDeps,
): Promise<HttpAnswer | Ending> {
  const until = now() + timeoutMs
  const leftMs = () => Math.min(Math.max(until - now(), 0), timeoutMs)
  let refused: string | null = null
  for (;;) {
    const result: TokenResult = await within(leftMs(), tokens.get(refused), timers).catch(noToken)
    if ('failed' in result) return result.failed
    if (!mayLeave()) throw new Interrupted()
    const { value }: Token = result.token
    const headers = new Headers(request.headers)
    headers.set('authorization', `Bearer ${value}`)
    const answer = await post({ ...request, headers }, leftMs()).catch((thrown) => {
      // The token itself may break the connection, for example if it is too long for a proxy.
      if (!isTimeout(thrown)) tokens.discard(value)
      throw thrown
    })
    // 431: the header fields are too large, and only the token varies in size.
    if (answer.status === 431) tokens.discard(value)
    const unauthorized = answer.status === 401 || answer.status === 403
    if (!unauthorized || refused !== null) return answer
    refused = value
  }
}

function noToken(thrown: unknown): TokenResult {
  const message = isTimeout(thrown)
    ? 'no token from IMS in time'
    : 'the outbox did not answer the request for a token'
  const error: AttemptError = { code: 'token', status: null, message }
  return { failed: { verdict: 'deferred', error, answer: null, retryAfterMs: null } }
}

/**
 * What is around a record (TS, MULTI). Omits the optional `createdAt` and `msgId`, which would repeat the record's `receivedAt`
 * and `_id`.
 */
export class Envelope {
  readonly #before: string
  readonly #after: string
  /** UTF-8 bytes of everything around a record in a batch of one message. */
  readonly #bytes: number
  /** Of one request. Raw takes one: its batching is undocumented. */
  readonly mostRecords: number

  constructor(destination: Destination) {
    this.mostRecords = destination.format === 'xdm' ? BATCH_MAX_MESSAGES : 1
    if (destination.format === 'raw') {
      this.#before = ''
      this.#after = ''
      this.#bytes = 0
      return
    }
    const { schemaId, schemaVersion, orgId, datasetId, flowId } = destination
    const contentType = `application/vnd.adobe.xed-full+json;version=${schemaVersion}`
    const schemaRef = { id: schemaId, contentType }
    const flow = flowId === null ? {} : { flowId }
    const header = { schemaRef, imsOrgId: orgId, datasetId, ...flow, source: { name: 'Chatlio' } }
    const body = JSON.stringify({ xdmMeta: { schemaRef } }).slice(0, -1)
    this.#before = `{"header":${JSON.stringify(header)},"body":${body},"xdmEntity":`
    this.#after = '}}'
    this.#bytes = utf8Length(this.batch(['']))
  }

  /** The request body of one record (JSON text). */
  message(record: string): string {
    return this.#before + record + this.#after
  }

  /** The request body of several records (JSON texts), for an xdm destination only (MULTI). */
  batch(records: readonly string[]): string {
    return `{"messages":[${records.map((record) => this.message(record)).join(',')}]}`
  }

  /** The size limit of a record in UTF-8 bytes: `maxEventBytes`, or less so that it fits into a request. */
  maxRecordBytes(maxEventBytes: number): number {
    return Math.min(maxEventBytes, AEP_MAX_REQUEST_BYTES - this.#bytes)
  }

  /** A request to be filled: says of one record after another whether it still fits. The first always does. */
  filling(): (record: string) => boolean {
    let messages = 0
    let bytes = 0
    return (record) => {
      // 1: the comma.
      const more = bytes + this.#bytes + utf8Length(record) + 1
      if (messages > 0 && (messages >= this.mostRecords || more > BATCH_MAX_BYTES)) return false
      messages += 1
      bytes = more
      return true
    }
  }

  /** How many of `records`, from the first, fit into one request. */
  batchLength(records: readonly string[]): number {
    const fits = this.filling()
    const rest = records.findIndex((record) => !fits(record))
    return rest === -1 ? records.length : rest
  }
}
