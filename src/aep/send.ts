/**
 * One request to AEP, and what it answered.
 *
 * Promises: never throws; follows no redirect (an event must not leave for an address nobody configured); reads a
 * bounded part of the answer and leaves no connection open. The signal covers the answer's body too.
 * Never retries: that is its callers' to decide.
 */
import { MAX_ANSWER_BYTES } from '../limits.ts'
import { readTextUpTo } from '../read.ts'
import type { Answer } from './verdict.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type Attempt = { url: string; headers: Record<string, string>; body: string }

/**
 * `failed` is what was thrown where there is no answer to judge. `signal` must be made when this is called: its time runs
 * from then.
 */
export async function exchange(
  { url, headers, body }: Attempt,
  signal: AbortSignal,
  fetch: Fetch,
): Promise<Answer | { failed: unknown }> {
  let response: Response
  try {
    response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
  } catch (failed) {
    return { failed }
  }
  const { status } = response
  const retryAfter = response.headers.get('retry-after')
  try {
    const read = await readTextUpTo(response, MAX_ANSWER_BYTES)
    if (!read.complete) await response.body?.cancel().catch(() => undefined)
    return { status, retryAfter, body: read.text, complete: read.complete }
  } catch (failed) {
    // A refusal is a refusal, with or without its explanation; an acceptance is one only when read to its end.
    return response.ok ? { failed } : { status, retryAfter, body: '', complete: false }
  }
}
