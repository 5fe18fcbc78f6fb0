/**
 * Delivers encoded records: one POST each for raw, batches for xdm, with an access token where the inlet wants one.
 *
 * Promises: never throws; every record has a verdict of its own; a batch that is refused as a whole is halved until the
 * culprit stands alone; a token that AEP refuses is renewed once, which is no failure of any event.
 * Never retries beyond that: what a verdict means is for the caller.
 */
import type { Destination, XdmDestination } from '../../config/config.ts'
import { utf8Length } from '../../lib/json-text.ts'
import { within } from '../../lib/timeout.ts'
import { BATCH_MAX_BYTES, BATCH_MAX_MESSAGES } from '../../limits.ts'
import { judgeBatch } from './batch.ts'
import type { Token, TokenResult } from './ims.ts'
import { type PostRequest, post, type SendDeps } from './post.ts'
import { type Answer, type AttemptError, judge, noAnswer, type Verdict } from './verdict.ts'

export type DeliverDeps = SendDeps & {
  now: () => number
  token: (refused: string | null) => Promise<TokenResult>
}

/**
 * `records`: JSON texts, as `encode` makes them. `timeoutMs` is each request's own, token and answer included.
 * Verdicts stand in the order of the records.
 */
export async function deliver(
  records: readonly string[],
  destination: Destination,
  timeoutMs: number,
  deps: DeliverDeps,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const group of batchesOf(records, destination)) {
    verdicts.push(...(await deliverTogether(group, destination, timeoutMs, deps)))
  }
  return verdicts
}

/** The same for one record, alone in its request. */
export function deliverOne(
  record: string,
  destination: Destination,
  timeoutMs: number,
  deps: DeliverDeps,
): Promise<Verdict> {
  return send(destination.url, record, destination, timeoutMs, deps).then(
    (answer) => ('verdict' in answer ? answer : judge(answer, deps.now())),
    noAnswer,
  )
}

/** What goes into one request: raw records alone (batching them is undocumented), xdm up to what AEP takes. */
export function batchesOf(records: readonly string[], { format }: Destination): string[][] {
  if (format === 'raw') return records.map((record) => [record])
  const all: string[][] = []
  let bytes = 0
  for (const record of records) {
    const length = utf8Length(record)
    const current = all.at(-1)
    if (current && fitsBatch(current.length + 1, bytes + length)) {
      current.push(record)
      bytes += length
    } else {
      all.push([record])
      bytes = length
    }
  }
  return all
}

/** A comma beside each message, and the frame around them, are within the margin of the limit. */
export function fitsBatch(messages: number, bytes: number): boolean {
  return messages <= BATCH_MAX_MESSAGES && bytes + messages <= BATCH_MAX_BYTES
}

async function deliverTogether(
  group: readonly string[],
  destination: Destination,
  timeoutMs: number,
  deps: DeliverDeps,
): Promise<Verdict[]> {
  const [first] = group
  if (first === undefined) return []
  if (group.length === 1 || destination.format === 'raw') {
    return [await deliverOne(first, destination, timeoutMs, deps)]
  }
  const verdicts = await deliverBatch(group, destination, timeoutMs, deps)
  if (verdicts !== 'bisect') return verdicts
  const middle = Math.ceil(group.length / 2)
  return [
    ...(await deliverTogether(group.slice(0, middle), destination, timeoutMs, deps)),
    ...(await deliverTogether(group.slice(middle), destination, timeoutMs, deps)),
  ]
}

async function deliverBatch(
  group: readonly string[],
  destination: XdmDestination,
  timeoutMs: number,
  deps: DeliverDeps,
): Promise<Verdict[] | 'bisect'> {
  const body = `{"messages":[${group.join(',')}]}`
  try {
    const answer = await send(destination.batchUrl, body, destination, timeoutMs, deps)
    if ('verdict' in answer) return group.map(() => answer)
    return judgeBatch(answer, group.length, deps.now())
  } catch (thrown) {
    const verdict = noAnswer(thrown)
    return group.map(() => verdict)
  }
}

/** AEP's answer, or the verdict where there is no token to ask it with. Rejects where there is neither. */
function send(
  url: string,
  body: string,
  destination: Destination,
  timeoutMs: number,
  deps: DeliverDeps,
): Promise<Answer | Verdict> {
  const attempt = { url, headers: headersOf(destination), body }
  return destination.credentials
    ? sendWithToken(attempt, timeoutMs, deps)
    : post(attempt, timeoutMs, deps)
}

/** The same for every request to a destination: made once, never changed. */
const headersMade = new WeakMap<Destination, Headers>()

function headersOf(destination: Destination): Headers {
  let headers = headersMade.get(destination)
  if (!headers) {
    headers = new Headers({ 'content-type': 'application/json' })
    if (destination.flowId !== null) headers.set('x-adobe-flow-id', destination.flowId)
    headersMade.set(destination, headers)
  }
  return headers
}

/** With a new token, once, where AEP refuses the first. Waiting for tokens counts towards the same time. */
async function sendWithToken(
  attempt: PostRequest,
  timeoutMs: number,
  deps: DeliverDeps,
): Promise<Answer | Verdict> {
  const until = deps.now() + timeoutMs
  const leftMs = () => Math.max(until - deps.now(), 0)
  let refused: string | null = null
  for (;;) {
    const result: TokenResult = await within(leftMs(), deps.token(refused)).catch(noToken)
    if ('failed' in result) return result.failed
    const { value }: Token = result.token
    const headers = new Headers(attempt.headers)
    headers.set('authorization', `Bearer ${value}`)
    const answer = await post({ ...attempt, headers }, leftMs(), deps)
    const unauthorized = answer.status === 401 || answer.status === 403
    if (!unauthorized || refused !== null) return answer
    refused = value
  }
}

function noToken(thrown: unknown): TokenResult {
  const late = thrown instanceof Error && thrown.name === 'TimeoutError'
  const error: AttemptError = late
    ? { code: 'timeout', status: null, message: 'no token in time' }
    : { code: 'token', status: null, message: 'no token to be had' }
  return { failed: { verdict: 'deferred', error, answer: null, retryAfterMs: null } }
}
