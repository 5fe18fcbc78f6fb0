/**
 * Puts together what two isolates or shards know of AEP.
 *
 * Promises: merging is commutative, associative and idempotent (the newest wins), so it does not matter who sends the
 * value to whom, how often, or in which order.
 * Accepts: clocks of machines differ by some milliseconds, which can cost one needless attempt or one short wait.
 */
import { correctClock } from './clock.ts'
import { mergeRefusals, noRefusals, resolveHold } from './refusals.ts'
import { INITIAL_UPSTREAM, type UpstreamState } from './state.ts'

export function merge(a: UpstreamState, b: UpstreamState): UpstreamState {
  return {
    acceptedAt: Math.max(a.acceptedAt, b.acceptedAt),
    answeredAt: Math.max(a.answeredAt, b.answeredAt),
    failure: newest(a.failure, b.failure),
    retryAfter: newest(a.retryAfter, b.retryAfter),
    throttled: newest(a.throttled, b.throttled),
    pause: newestPause(a.pause, b.pause),
    resumedAt: Math.max(a.resumedAt, b.resumedAt),
    refusals: mergeRefusals(a.refusals, b.refusals),
  }
}

/** The same under these settings: refusals under any others say nothing here. */
export function underSettings(state: UpstreamState, settings: string): UpstreamState {
  return state.refusals.settings === settings ? state : { ...state, refusals: noRefusals(settings) }
}

/**
 * What both know, as one that has `ours` takes it in; `ours` itself when that is nothing new. Fields that an older version
 * does not send keep their defaults.
 */
export function takeIn(ours: UpstreamState, theirs: UpstreamState, now: number): UpstreamState {
  // Mostly both know the same already: nothing is made, and nothing written.
  if (isSame(ours, theirs)) return ours
  const complete = { ...INITIAL_UPSTREAM, ...theirs }
  const comparable = underSettings(correctClock(complete, now), ours.refusals.settings)
  const merged = merge(ours, comparable)
  return { ...merged, refusals: resolveHold(merged.refusals) }
}

/** Of two that happened in the same millisecond, the one that sorts last: a rule that does not depend on the order. */
export function newest<Happened extends { at: number }>(
  a: Happened | null,
  b: Happened | null,
): Happened | null {
  if (!a || !b) return a ?? b
  if (a.at !== b.at) return a.at > b.at ? a : b
  // Mostly the same one, come back: both sides of an exchange hold it.
  if (isSame(a, b)) return a
  return JSON.stringify(a) >= JSON.stringify(b) ? a : b
}

/** Of plain data of one shape. An array has a `length`, an object has none. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (!isObjectLike(a) || !isObjectLike(b) || a.length !== b.length) return false
  for (const key in a) if (!isSame(a[key], b[key])) return false
  return true
}

function isObjectLike(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function newestPause(a: UpstreamState['pause'], b: UpstreamState['pause']) {
  if (a.at === b.at) return a.paused ? a : b
  return a.at > b.at ? a : b
}
