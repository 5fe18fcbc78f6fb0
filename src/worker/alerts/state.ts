/**
 * What alerts remember between two runs of the cron trigger, and what comes of a message that was sent or could not be.
 *
 * Promises: what a message has said is noted only when it got through, so a message that fails is tried again at the
 * next run, whatever happens in between, and one that got through is never said twice.
 * Pure. Times are epoch milliseconds.
 */
import type { Cause } from '../outbox/alerts/facts.ts'

export const ALERT_NAMES = [
  'hold',
  'queue-age',
  'expiring',
  'rejected',
  'drift',
  'storage',
] as const
export type AlertName = (typeof ALERT_NAMES)[number]

export type AlertState = {
  state: 'ok' | 'pending' | 'firing'
  /** When this state began; `null` for what was never anything but ok. */
  since: number | null
  /** What the last message that got through said: which matters, when, and since when they were. `null`: all is well. */
  told: { keys: string[]; at: number; since: number } | null
  lastSentAt: number | null
  /** Why the last message about it did not get through. */
  lastError: string | null
}

/** Refusals of one cause. `fresh`: those that no message has told of. */
export type KnownCause = Cause & { fresh: number; firstAt: number; lastAt: number }

export type AlertStates = {
  alerts: Record<AlertName, AlertState>
  /** By what they have in common. */
  causes: Record<string, KnownCause>
}

const QUIET: AlertState = {
  state: 'ok',
  since: null,
  told: null,
  lastSentAt: null,
  lastError: null,
}

export const INITIAL_STATES: AlertStates = {
  alerts: {
    hold: QUIET,
    'queue-age': QUIET,
    expiring: QUIET,
    rejected: QUIET,
    drift: QUIET,
    storage: QUIET,
  },
  causes: {},
}

/** States as an earlier version may have written them. */
export function readStates(json: string | null): AlertStates {
  if (json === null) return INITIAL_STATES
  const kept = JSON.parse(json) as Partial<AlertStates>
  return {
    alerts: { ...INITIAL_STATES.alerts, ...kept.alerts },
    causes: kept.causes ?? {},
  }
}

/** What there is to say of one alert. `keys` name the matters; `since`: when it began. */
export type Notice = {
  name: AlertName
  event: 'firing' | 'still' | 'resolved'
  keys: string[]
  since: number
  /** For `resolved`: how long it lasted. */
  durationMs: number | null
  urgent: boolean
  title: string
  /** What and how many. */
  facts: string[]
  /** What it means for their events. */
  meaning: string
  /** What to do; empty when there is nothing to do any more. */
  action: string
}

export function afterSent(
  states: AlertStates,
  notices: readonly Notice[],
  now: number,
): AlertStates {
  const alerts = { ...states.alerts }
  for (const { name, event, keys, since } of notices) {
    const told = event === 'resolved' ? null : { keys, at: now, since }
    alerts[name] = { ...alerts[name], told, lastSentAt: now, lastError: null }
  }
  const said = notices.some(({ name, event }) => name === 'rejected' && event !== 'resolved')
  return said ? { ...withNobodyToTell(states), alerts } : { ...states, alerts }
}

/** Refusals are not kept to be told, where nobody is: the alert then ends a day after the last. */
export function withNobodyToTell(states: AlertStates): AlertStates {
  const causes = Object.entries(states.causes).map(([id, cause]) => [id, { ...cause, fresh: 0 }])
  return { ...states, causes: Object.fromEntries(causes) }
}

/** `error` in our words: it never repeats an address or an answer. */
export function afterFailure(
  states: AlertStates,
  notices: readonly Notice[],
  error: string,
): AlertStates {
  const alerts = { ...states.alerts }
  for (const { name } of notices) alerts[name] = { ...alerts[name], lastError: error }
  return { ...states, alerts }
}
