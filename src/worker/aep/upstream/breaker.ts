/**
 * Whether a request may work on AEP itself, or goes straight to the outbox.
 *
 * The idea: an outage costs one waiting request per window, not one per webhook; and since that one request asks,
 * recovery is noticed even where the outbox has nothing to ask with. Pure.
 */

import { MAX_BREAKER_WINDOW_MS } from '../../limits.ts'
import { activeFailure, type UpstreamState } from './state.ts'

export type Breaker = {
  /** Inline tries in a row that failed and were AEP's fault. */
  failures: number
  /** When a request last took the one try of a window. */
  triedAt: number
}

export const CLOSED: Breaker = { failures: 0, triedAt: 0 }

export function allowsRequest(
  state: UpstreamState,
  breaker: Breaker,
  windowMs: number,
  now: number,
): boolean {
  if (state.pause.paused || state.notBefore > now) return false
  const failure = activeFailure(state)
  if (!failure) return true
  const news = Math.max(failure.at, state.acceptedAt, state.answeredAt, breaker.triedAt)
  const doubled = windowMs * 2 ** Math.min(Math.max(breaker.failures - 1, 0), 20)
  return now - news >= Math.min(doubled, Math.max(windowMs, MAX_BREAKER_WINDOW_MS))
}
