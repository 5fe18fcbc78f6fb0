/**
 * Decides whether a request may try AEP itself, or goes straight to the outbox.
 *
 * The idea: an outage costs one waiting request per window, not one per webhook; and since that one request asks AEP,
 * recovery is noticed even when the outbox has nothing to ask with. Pure.
 */

import { MAX_BREAKER_WINDOW_MS } from '../../limits.ts'
import { isRejecting } from './refusals.ts'
import { activeFailure, notBefore, type UpstreamState } from './state.ts'

export type Breaker = {
  /** Consecutive inline attempts that failed through AEP's fault. */
  failures: number
  /** When a request last used the one attempt of a window, in epoch milliseconds. */
  triedAt: number
}

export const CLOSED: Breaker = { failures: 0, triedAt: 0 }

/** `windowMs`: the shortest time between two inline attempts while AEP fails. It doubles with each that fails. */
export function allowsRequest(
  state: UpstreamState,
  breaker: Breaker,
  windowMs: number,
  now: number,
): boolean {
  if (state.pause.paused || isRejecting(state.refusals) || notBefore(state) > now) return false
  const failure = activeFailure(state)
  if (!failure) return true
  const news = Math.max(failure.at, state.acceptedAt, state.answeredAt, breaker.triedAt)
  const doubled = windowMs * 2 ** Math.min(Math.max(breaker.failures - 1, 0), 20)
  return now - news >= Math.min(doubled, Math.max(windowMs, MAX_BREAKER_WINDOW_MS))
}
