/**
 * Sends one POST and reads its answer.
 *
 * Promises: follows no redirect (an event must not go to an address that nobody configured); reads at most
 * `MAX_ANSWER_BYTES` of the answer; ends within `timeoutMs`, including the answer's body.
 * Never retries: callers decide that.
 */

import { readTextUpTo } from '../../lib/bounded-body.ts'
import { Deadline, type Timers } from '../../lib/timeout.ts'
import { MAX_ANSWER_BYTES } from '../../limits.ts'
import type { HttpAnswer } from './verdict.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type PostRequest = { url: string; headers: Headers | Record<string, string>; body: string }

/**
 * Rejects if there is no answer to judge: with the error of `fetch`, or with a `TimeoutError` after `timeoutMs`.
 * `aborts`: for callers that outlive the attempt. The runtime cancels what a request leaves behind when it ends, and a
 * signal costs 6 % of the healthy path.
 */
export async function post(
  { url, headers, body }: PostRequest,
  timeoutMs: number,
  fetch: Fetch,
  options: { aborts: boolean; timers?: Timers | undefined },
): Promise<HttpAnswer> {
  const deadline = new Deadline(timeoutMs, options)
  try {
    const { signal } = deadline
    const init = { method: 'POST', headers, body, signal, redirect: 'manual' } as const
    return await readAnswer(await deadline.limit(fetch(url, init)), deadline)
  } finally {
    deadline.end()
  }
}

async function readAnswer(response: Response, deadline: Deadline): Promise<HttpAnswer> {
  const { status } = response
  const retryAfter = response.headers.get('retry-after')
  try {
    const { text, complete } = await deadline.limit(readTextUpTo(response, MAX_ANSWER_BYTES))
    // Releases the connection. If it is already closed, nothing is left to do.
    if (!complete) await response.body?.cancel().catch(() => undefined)
    return { status, retryAfter, body: text, complete }
  } catch (thrown) {
    // A refusal stands without its body. A 2xx counts only if its whole body was read.
    if (response.ok) throw thrown
    return { status, retryAfter, body: '', complete: false }
  }
}
