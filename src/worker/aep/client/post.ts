/**
 * One request to AEP, and what it answered.
 *
 * Promises: follows no redirect (an event must not leave for an address nobody configured); reads a bounded part of the
 * answer and leaves no connection open; ends in time, the answer's body included.
 * Rejects with what was thrown where there is no answer to judge. Never retries: that is its callers' to decide.
 */

import { readTextUpTo } from '../../lib/bounded-body.ts'
import type { Deadline } from '../../lib/timeout.ts'
import { MAX_ANSWER_BYTES } from '../../limits.ts'
import type { Answer } from './verdict.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type SendDeps = { fetch: Fetch; deadline: Deadline }

export type PostRequest = { url: string; headers: HeadersInit; body: string }

export function post(
  { url, headers, body }: PostRequest,
  timeoutMs: number,
  { fetch, deadline }: SendDeps,
): Promise<Answer> {
  // A refusal is a refusal, with or without its explanation; an acceptance is one only when read to its end.
  let refusal: Answer | null = null
  const withoutBody = (thrown: unknown): Answer => {
    if (refusal) return refusal
    throw thrown
  }
  const work = async (signal: AbortSignal | null): Promise<Answer> => {
    const init = { method: 'POST', headers, body, signal, redirect: 'manual' } as const
    const response = await fetch(url, init)
    const { status } = response
    const retryAfter = response.headers.get('retry-after')
    if (!response.ok) refusal = { status, retryAfter, body: '', complete: false }
    try {
      const { text, complete } = await readTextUpTo(response, MAX_ANSWER_BYTES)
      if (!complete) await response.body?.cancel().catch(() => undefined)
      return { status, retryAfter, body: text, complete }
    } catch (thrown) {
      return withoutBody(thrown)
    }
  }
  return deadline(timeoutMs, work, withoutBody)
}
