/** How an attempt, or an operator, changes what is known of AEP. */
import { newest } from './merge.ts'
import { afterAccepted, afterRefused, endHold } from './refusals.ts'
import { activeFailure, type UpstreamFailure, type UpstreamState } from './state.ts'

/** `beganAt`: of the attempt, if its acceptance shows that AEP takes events under these settings. */
export function afterAcceptance(
  state: UpstreamState,
  at: number,
  beganAt: number | null = null,
): UpstreamState {
  const { refusals } = state
  return {
    ...state,
    refusals: beganAt === null ? refusals : afterAccepted(refusals, beganAt),
    acceptedAt: Math.max(state.acceptedAt, later(state, at)),
    answeredAt: Math.max(state.answeredAt, later(state, at)),
  }
}

/** AEP refused one event: it answers, but this is no sign that another would get through. */
export function afterRejection(
  state: UpstreamState,
  at: number,
  refused: { id: string; status: number | null; before: boolean } | null = null,
): UpstreamState {
  const { refusals } = state
  return {
    ...state,
    answeredAt: Math.max(state.answeredAt, later(state, at)),
    refusals: refused
      ? afterRefused(refusals, { id: refused.id, at, status: refused.status }, refused.before)
      : refusals,
  }
}

/** What is learnt after a failure comes after it, in the same millisecond too. */
function later({ failure }: UpstreamState, at: number): number {
  return failure?.at === at ? at + 1 : at
}

export function afterFailure(
  state: UpstreamState,
  failure: Omit<UpstreamFailure, 'firstAt'>,
): UpstreamState {
  const active = activeFailure(state)
  const firstAt = active?.reason === failure.reason ? active.firstAt : failure.at
  return { ...state, failure: newest(state.failure, { ...failure, firstAt }) }
}

/** AEP throttled the event `id`, and asked for a wait of `retryAfterMs` if it said so. */
export function afterThrottle(
  state: UpstreamState,
  id: string,
  retryAfterMs: number | null,
  at: number,
): UpstreamState {
  const asked = retryAfterMs === null ? null : { at, until: at + retryAfterMs }
  return {
    ...state,
    throttled: newest(state.throttled, { id, at }),
    retryAfter: laterWait(state.retryAfter, asked),
  }
}

/** A shorter `Retry-After` does not cut a longer one that is still running. */
function laterWait(a: UpstreamState['retryAfter'], b: UpstreamState['retryAfter']) {
  if (!a || !b) return a ?? b
  return { at: Math.max(a.at, b.at), until: Math.max(a.until, b.until) }
}

/** An operator's pause or resume at `now`. A resume opens at once: holds, failures and waits from before it end. */
export function afterCommand(state: UpstreamState, paused: boolean, now: number): UpstreamState {
  const pause = { paused, at: Math.max(now, state.pause.at + 1) }
  if (paused) return { ...state, pause }
  const latest = Math.max(now, state.failure?.at ?? 0, state.retryAfter?.at ?? 0)
  const refusals = endHold(state.refusals, now)
  return { ...state, pause, resumedAt: Math.max(state.resumedAt, latest), refusals }
}
