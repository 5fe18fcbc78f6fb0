/**
 * From the facts of one run of the cron trigger and the states before it, to the next states and what there is to say.
 *
 * Promises: one notice at most of each alert, so that one message can say them all; a matter is said at once when it is
 * new, repeated at most every four hours, and its end is said once, if its beginning was; while a shard does not answer,
 * nothing is taken to have ended.
 * Pure. Changes no argument.
 */
import { DAY_MS, MAX_CAUSES_KEPT } from '../limits.ts'
import type { Cause } from '../outbox/alerts/facts.ts'
import {
  type Facts,
  type Reading,
  readDrift,
  readExpiring,
  readHold,
  readQueueAge,
  readRejected,
  readStorage,
} from './rules.ts'
import {
  ALERT_NAMES,
  type AlertName,
  type AlertState,
  type AlertStates,
  type KnownCause,
  type Notice,
} from './state.ts'

export type Evaluation = { states: AlertStates; notices: Notice[] }

export function evaluate(facts: Facts, before: AlertStates): Evaluation {
  const { now } = facts
  const causes = withNewRefusals(facts, before.causes)
  const readings: Record<AlertName, Reading> = {
    hold: readHold(facts),
    'queue-age': readQueueAge(facts),
    expiring: readExpiring(facts),
    rejected: readRejected(facts, causes),
    drift: readDrift(facts, before.alerts.drift.lastSentAt),
    storage: readStorage(facts),
  }
  const alerts = { ...before.alerts }
  const notices: Notice[] = []
  for (const name of ALERT_NAMES) {
    const reading = readings[name]
    const state = nextState(correctClock(before.alerts[name], now), reading, now)
    // A cause that has been forgotten is news when it comes back; what else comes and goes is said once.
    const told = name === 'rejected' ? onlyKnown(state.told, causes) : state.told
    alerts[name] = { ...state, told }
    const notice = noticeOf(name, alerts[name], reading, now)
    if (notice) notices.push(notice)
  }
  return { states: { alerts, causes }, notices }
}

function nextState(before: AlertState, reading: Reading, now: number): AlertState {
  switch (reading.is) {
    case 'clear':
      return before.state === 'ok' ? before : { ...before, state: 'ok', since: now }
    case 'unsure':
      return before
    case 'silent':
      return before.state === 'pending' ? { ...before, state: 'ok', since: now } : before
    case 'over': {
      if (before.state === 'firing') return before
      const fires = reading.runs === 1 || before.state === 'pending'
      return fires
        ? { ...before, state: 'firing', since: Math.min(reading.since, now) }
        : { ...before, state: 'pending', since: now }
    }
  }
}

function noticeOf(
  name: AlertName,
  { state, since, told, lastSentAt }: AlertState,
  reading: Reading,
  now: number,
): Notice | null {
  if (state === 'ok' && told !== null) return resolved(name, told, now)
  if (state !== 'firing' || reading.is !== 'over' || !reading.hasNews) return null
  if (lastSentAt !== null && now - lastSentAt < reading.restMs) return null
  const isNew = told === null || reading.keys.some((key) => !told.keys.includes(key))
  if (!isNew && now - told.at < reading.repeatMs) return null
  const { keys, urgent, title, facts, meaning, action } = reading
  // What comes and goes within one alert has been said already.
  const said = name === 'rejected' ? keys : [...new Set([...(told?.keys ?? []), ...keys])]
  return {
    name,
    event: isNew ? 'firing' : 'still',
    keys: said,
    since: since ?? now,
    durationMs: null,
    urgent,
    title,
    facts,
    meaning,
    action,
  }
}

const RESOLVED: Record<AlertName, { title: string; meaning: string }> = {
  hold: { title: 'AEP takes events again', meaning: 'What has waited is being sent.' },
  'queue-age': { title: 'Events no longer wait', meaning: 'What has waited was sent.' },
  expiring: {
    title: 'No event is about to be erased any more',
    meaning: 'They were sent, or erased: a log line `expired` counts those.',
  },
  rejected: {
    title: 'No event refused for 24 hours',
    meaning: 'Those refused before are still stored.',
  },
  drift: { title: 'All differences are accepted', meaning: '' },
  storage: { title: 'The outbox answers again', meaning: 'Webhooks are taken and stored.' },
}

function resolved(
  name: AlertName,
  { keys, since }: { keys: string[]; since: number },
  now: number,
): Notice {
  const durationMs = Math.max(now - since, 0)
  const rest = { urgent: false, facts: [], action: '' }
  return { name, event: 'resolved', keys, since, durationMs, ...rest, ...RESOLVED[name] }
}

/** A clock that ran ahead must not make an alert silent until it gets there. */
function correctClock(state: AlertState, now: number): AlertState {
  const past = (ms: number | null) => (ms === null ? null : Math.min(ms, now))
  const { since, told, lastSentAt } = state
  return {
    ...state,
    since: past(since),
    told: told && { ...told, at: Math.min(told.at, now), since: Math.min(told.since, now) },
    lastSentAt: past(lastSentAt),
  }
}

function onlyKnown(told: AlertState['told'], causes: Record<string, KnownCause>) {
  return told && { ...told, keys: told.keys.filter((key) => Object.hasOwn(causes, key)) }
}

/** How long refusals that no message could tell of are kept for one that can. */
const UNTOLD_MS = 7 * DAY_MS

function withNewRefusals(
  { shards, now }: Facts,
  before: Readonly<Record<string, KnownCause>>,
): Record<string, KnownCause> {
  const causes = new Map<string, KnownCause>()
  for (const [id, cause] of Object.entries(before)) {
    const lastAt = Math.min(cause.lastAt, now)
    const keptMs = cause.fresh > 0 ? UNTOLD_MS : DAY_MS
    if (now - lastAt < keptMs) causes.set(id, { ...cause, lastAt })
  }
  for (const cause of shards.flatMap((shard) => shard?.refusals.causes ?? [])) {
    const id = causeId(cause)
    const known = causes.get(id)
    causes.set(id, {
      ...cause,
      count: (known?.count ?? 0) + cause.count,
      fresh: (known?.fresh ?? 0) + cause.count,
      firstAt: known?.firstAt ?? now,
      lastAt: now,
    })
  }
  const kept = [...causes].toSorted(([, a], [, b]) => b.fresh - a.fresh || b.lastAt - a.lastAt)
  return Object.fromEntries(kept.slice(0, MAX_CAUSES_KEPT))
}

function causeId({ state, kind, code, status, place, report }: Cause): string {
  return [state, kind, code, status ?? '', place, report].join(' ')
}
