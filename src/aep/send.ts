/**
 * One request to AEP, and what it answered.
 *
 * Promises: follows no redirect (an event must not leave for an address nobody configured); reads a bounded part of the
 * answer and leaves no connection open; ends in time, the answer's body included.
 * Rejects with what was thrown where there is no answer to judge. Never retries: that is its callers' to decide.
 */
import { MAX_ANSWER_BYTES } from '../limits.ts'
import { readTextUpTo } from '../read.ts'
import type { Deadline } from '../timeout.ts'
import type { Answer } from './verdict.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type SendDeps = { fetch: Fetch; deadline: Deadline }

export type Attempt = { url: string; headers: Record<string, string>; body: string }

export async function exchange(
  { url, headers, body }: Attempt,
  timeoutMs: number,
  { fetch, deadline }: SendDeps,
): Promise<Answer> {
  let refusal: Answer | null = null
  try {
    return await deadline(timeoutMs, async (signal) => {
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body,
        signal,
        redirect: 'manual',
      })
      const { status } = response
      const retryAfter = response.headers.get('retry-after')
      if (!response.ok) refusal = { status, retryAfter, body: '', complete: false }
      const { text, complete } = await readTextUpTo(response, MAX_ANSWER_BYTES)
      if (!complete) await response.body?.cancel().catch(() => undefined)
      return { status, retryAfter, body: text, complete }
    })
  } catch (thrown) {
    // A refusal is a refusal, with or without its explanation; an acceptance is one only when read to its end.
    if (refusal) return refusal
    throw thrown
  }
}
