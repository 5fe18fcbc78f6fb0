/**
 * Sends encoded records in one request, with an access token if the inlet needs one, and judges the answer.
 *
 * Promises: never throws; every record gets a verdict; if AEP refuses the token, it is renewed once, and no event is
 * charged with that failure.
 * Never retries, apart from that renewal: the caller decides after each request whether to continue.
 */
import type { Destination } from '../../config/config.ts'
import { isTimeout, type Timers, within } from '../../lib/timeout.ts'
import { Envelope, judgeBatch } from './envelope.ts'
import type { Token, TokenResult, TokenSource } from './ims.ts'
import type { PostRequest } from './post.ts'
import { type AttemptError, type Ending, type HttpAnswer, judge, noAnswer } from './verdict.ts'

/** `post`: one request with a deadline; rejects with what `fetch` throws, or with `Aborted`. */
type ClientDeps = {
  post: (request: PostRequest, timeoutMs: number) => Promise<HttpAnswer>
  now: () => number
  timers?: Timers
  tokens: TokenSource
}

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
    if (destination.flowId !== null) this.#headers.set('x-adobe-flow-id', destination.flowId)
  }

  /** Sends one record: JSON text from `encode`. `timeoutMs` covers the token, the request and its answer. */
  async deliverOne(record: string, timeoutMs: number): Promise<Ending> {
    try {
      const body = this.envelope.message(record)
      const answer = await this.#send(this.destination.url, body, timeoutMs)
      return 'verdict' in answer ? answer : judge(answer, this.#deps.now())
    } catch (thrown) {
      return noAnswer(thrown)
    }
  }

  /**
   * Sends records, at most as many as `Envelope.batchLength` allows, in one request. Resolves to verdicts in the order
   * of the records, or to `bisect`: AEP refused the whole request, perhaps because of a single record.
   */
  async deliverBatch(records: readonly string[], timeoutMs: number): Promise<Ending[] | 'bisect'> {
    const destination = this.destination
    const [first] = records
    if (first === undefined) return []
    if (records.length === 1 || destination.format === 'raw') {
      return [await this.deliverOne(first, timeoutMs)]
    }
    try {
      const body = this.envelope.batch(records)
      const answer = await this.#send(destination.batchUrl, body, timeoutMs)
      if ('verdict' in answer) return records.map(() => answer)
      return judgeBatch(answer, records.length, this.#deps.now())
    } catch (thrown) {
      const verdict = noAnswer(thrown)
      return records.map(() => verdict)
    }
  }

  /** Resolves to AEP's answer, or to a verdict if there is no token. Rejects if AEP does not answer. */
  #send(url: string, body: string, timeoutMs: number): Promise<HttpAnswer | Ending> {
    const request = { url, headers: this.#headers, body }
    return this.destination.credentials
      ? sendWithToken(request, timeoutMs, this.#deps)
      : this.#deps.post(request, timeoutMs)
  }
}

/** Renews the token once if AEP refuses it. `timeoutMs` includes the time spent waiting for tokens. */
async function sendWithToken(
  request: PostRequest,
  timeoutMs: number,
  { post, now, timers, tokens }: ClientDeps,
): Promise<HttpAnswer | Ending> {
  const until = now() + timeoutMs
  const leftMs = () => Math.min(Math.max(until - now(), 0), timeoutMs)
  let refused: string | null = null
  for (;;) {
    const result: TokenResult = await within(leftMs(), tokens.get(refused), timers).catch(noToken)
    if ('failed' in result) return result.failed
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
