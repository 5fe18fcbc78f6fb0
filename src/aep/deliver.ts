/**
 * Delivers encoded records: one POST each for raw, batches for xdm, with an access token where the inlet wants one.
 *
 * Promises: never throws; every record has a verdict of its own; a batch that is refused as a whole is halved until the
 * culprit stands alone; a token that AEP refuses is renewed once, which is no failure of any event.
 * Never retries beyond that: what a verdict means is for the caller.
 */
import type { Destination } from '../config.ts'
import { BATCH_MAX_BYTES, BATCH_MAX_MESSAGES } from '../limits.ts'
import type { Deadline } from '../timeout.ts'
import { judgeBatch } from './batch.ts'
import type { TokenResult } from './ims.ts'
import { exchange, type Fetch } from './send.ts'
import { utf8Length } from './split-text.ts'
import { type Answer, judge, noAnswer, type Verdict } from './verdict.ts'

export type DeliverDeps = {
  fetch: Fetch
  now: () => number
  token: (refused: string | null) => Promise<TokenResult>
  deadline: Deadline
}

/**
 * `records`: JSON texts, as `encode` makes them. `timeoutMs` is each request's own,
 * token and answer included.
 * Verdicts stand in the order of the records.
 */
export async function deliver(
  records: readonly string[],
  destination: Destination,
  timeoutMs: number,
  deps: DeliverDeps,
): Promise<Verdict[]> {
  if (records.length === 1) return deliverGroup(records, destination, timeoutMs, deps)
  const verdicts: Verdict[] = []
  for (const group of groups(records, destination)) {
    verdicts.push(...(await deliverGroup(group, destination, timeoutMs, deps)))
  }
  return verdicts
}

/** What goes into one request: raw records alone (batching them is undocumented), xdm up to what AEP takes. */
export function groups(records: readonly string[], { format }: Destination): string[][] {
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

async function deliverGroup(
  group: readonly string[],
  destination: Destination,
  timeoutMs: number,
  deps: DeliverDeps,
): Promise<Verdict[]> {
  const [first] = group
  if (first === undefined) return []
  const alone = group.length === 1 || destination.format === 'raw'
  const url = alone ? destination.url : destination.batchUrl
  const body = alone ? first : `{"messages":[${group.join(',')}]}`
  const answer = await deps.deadline(timeoutMs, (signal) =>
    authorized(url, body, destination, signal, deps),
  )
  if ('verdict' in answer) return group.map(() => answer)
  if ('failed' in answer) return group.map(() => noAnswer(answer.failed))
  if (alone) return [judge(answer, deps.now())]
  const verdicts = judgeBatch(answer, group.length, deps.now())
  if (verdicts !== 'bisect') return verdicts
  const middle = Math.ceil(group.length / 2)
  return [
    ...(await deliverGroup(group.slice(0, middle), destination, timeoutMs, deps)),
    ...(await deliverGroup(group.slice(middle), destination, timeoutMs, deps)),
  ]
}

async function authorized(
  url: string,
  body: string,
  destination: Destination,
  signal: AbortSignal,
  { fetch, token }: DeliverDeps,
): Promise<Answer | Verdict | { failed: unknown }> {
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (destination.flowId !== null) headers['x-adobe-flow-id'] = destination.flowId
  if (!destination.credentials) return exchange({ url, headers, body }, signal, fetch)

  let refused: string | null = null
  for (;;) {
    const result: TokenResult = await before(signal, token(refused))
    if ('failed' in result) return result.failed
    const { value } = result.token
    headers.authorization = `Bearer ${value}`
    const answer = await exchange({ url, headers, body }, signal, fetch)
    const unauthorized = 'status' in answer && (answer.status === 401 || answer.status === 403)
    if (!unauthorized || refused !== null) return answer
    refused = value
  }
}

/** Waiting for a token counts towards the same time. */
async function before(signal: AbortSignal, result: Promise<TokenResult>): Promise<TokenResult> {
  const late = Promise.withResolvers<TokenResult>()
  const onAbort = () => late.resolve({ failed: noToken('timeout', 'no token in time') })
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) onAbort()
    return await Promise.race([result, late.promise])
  } catch {
    return { failed: noToken('token', 'no token to be had') }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function noToken(code: 'timeout' | 'token', message: string) {
  const error = { code, status: null, message }
  return { verdict: 'deferred' as const, error, answer: null, retryAfterMs: null }
}
