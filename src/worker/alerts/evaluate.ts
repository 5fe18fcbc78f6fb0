/**
 * From the facts of one run of the cron trigger and the states before it, to the next states and the messages to send;
 * and what becomes of the states when a message was sent, or could not be.
 *
 * Promises: sends when an alert starts, repeats it at most every four hours, and sends once when it ends, if its
 * beginning was sent. A message counts as sent only when it got through, so one that fails is sent at the next run, and
 * one that got through is never repeated early. While the outbox does not answer, nothing is taken to have ended.
 * Pure; changes no argument. Times are epoch milliseconds.
 */
import { ALERT_REPEAT_MS, DAY_MS, HOUR_MS, MAX_CAUSES_KEPT } from '../limits.ts'
import { causeKey } from '../outbox/event.ts'
import {
  ALERT_NAMES,
  ALERTS,
  type Alert,
  type AlertMessage,
  type AlertName,
  type RuleResult,
} from './alerts.ts'
import type { AlertFacts, Counting, KnownCause, Memory, OutboxFacts } from './facts.ts'

type AlertState = {
  state: 'ok' | 'pending' | 'firing'
  /** When this state began; `null` for what was never anything but ok. */
  since: number | null
  /** The last message that got through: which keys, when, and since when they were. `null`: all is well. */
  sent: { keys: string[]; at: number; since: number } | null
  lastSentAt: number | null
  /** Why the last message about it did not get through. */
  lastError: string | null
}

/** What alerts remember between two runs. */
export type AlertStates = Omit<Memory, 'lastSentAt'> & { alerts: Record<AlertName, AlertState> }

/** One alert that is to be sent. */
export type Notice = AlertMessage & {
  name: AlertName
  event: 'firing' | 'still' | 'resolved'
  /** For `resolved`: how long it lasted. */
  durationMs: number | null
}

const QUIET: AlertState = {
  state: 'ok',
  since: null,
  sent: null,
  lastSentAt: null,
  lastError: null,
}

const NONE = { total: 0, latest: [] }

/** As kept; an earlier version called `sent` `told`, and knew causes by more than `Cause` has. */
export function readStates(json: string | null): AlertStates {
  type Kept = AlertState & { told?: AlertState['sent'] }
  const { alerts, ...kept } = JSON.parse(json ?? '{}') as Partial<Memory> & {
    alerts?: { [name in AlertName]?: Kept }
  }
  const causes = Object.entries(kept.causes ?? {}).filter(([, { path, unsent }]) => {
    return path !== undefined && unsent !== undefined
  })
  return {
    alerts: Object.fromEntries(
      ALERT_NAMES.map((name) => {
        const { told = null, ...state }: Kept = alerts?.[name] ?? QUIET
        return [name, { ...QUIET, ...state, sent: state.sent ?? told }]
      }),
    ) as AlertStates['alerts'],
    causes: Object.fromEntries(causes),
    lost: kept.lost ?? { ...NONE, unsent: 0 },
    refused: kept.refused ?? NONE,
  }
}

export const INITIAL_STATES = readStates(null)

/** `facts.outbox`: `null` while it does not answer. */
export function evaluate(
  facts: Omit<AlertFacts, 'outbox'> & { outbox: AlertFacts['outbox'] | null },
  before: AlertStates,
): { states: AlertStates; notices: Notice[] } {
  const { now, outbox } = facts
  const causes = withRefusals(outbox?.refusals ?? [], before.causes, now)
  const counts = counted(before.lost, outbox?.lost ?? before.lost.total, now)
  const unsent = before.lost.unsent + Math.max(counts.total - before.lost.total, 0)
  const lost = { ...counts, unsent }
  const refused = counted(before.refused, outbox?.refused ?? before.refused.total, now)
  const alerts = { ...before.alerts }
  const notices: Notice[] = []
  for (const name of ALERT_NAMES) {
    const { rule, unanswered, waits, forgets }: Alert = ALERTS[name]
    const known = correctClock(before.alerts[name], now)
    const { lastSentAt } = known
    const result = outbox
      ? rule({ ...facts, outbox }, { causes, lost, refused, lastSentAt })
      : (unanswered?.(now) ?? 'unsure')
    const state = nextState(known, result, now, waits)
    alerts[name] = forgets ? { ...state, sent: onlyNamed(state.sent, result) } : state
    const notice = noticeOf(name, alerts[name], result, now)
    if (notice) notices.push(notice)
  }
  return { states: { alerts, causes, lost, refused }, notices }
}

function nextState(before: AlertState, result: RuleResult, now: number, waits = false): AlertState {
  const { state } = before
  const ends = result === 'clear' ? state !== 'ok' : result === 'silent' && state === 'pending'
  if (ends) return { ...before, state: 'ok', since: now }
  if (typeof result === 'string' || state === 'firing') return before
  return waits && state === 'ok'
    ? { ...before, state: 'pending', since: now }
    : { ...before, state: 'firing', since: Math.min(result.since, now) }
}

function noticeOf(
  name: AlertName,
  { state, since, sent }: AlertState,
  result: RuleResult,
  now: number,
): Notice | null {
  if (state === 'ok' && sent !== null) {
    const durationMs = Math.max(now - sent.since, 0)
    const ended = { urgent: false, facts: [], action: '', ...ALERTS[name].resolved }
    return { name, event: 'resolved', keys: sent.keys, since: sent.since, durationMs, ...ended }
  }
  if (state !== 'firing' || typeof result === 'string') return null
  const { hasMore = true, ...message } = result
  const isNew = sent === null || result.keys.some((key) => !sent.keys.includes(key))
  const repeatMs = result.urgent ? ALERT_REPEAT_MS : DAY_MS
  if (!hasMore || (!isNew && now - sent.at < repeatMs)) return null
  const keys = [...new Set([...(sent?.keys ?? []), ...result.keys])]
  const event = isNew ? 'firing' : 'still'
  return { ...message, name, event, keys, since: since ?? now, durationMs: null }
}

/** A clock that ran ahead must not make an alert silent until it gets there. */
function correctClock(state: AlertState, now: number): AlertState {
  const past = (ms: number | null) => (ms === null ? null : Math.min(ms, now))
  const { since, sent, lastSentAt } = state
  return {
    ...state,
    since: past(since),
    sent: sent && { ...sent, at: Math.min(sent.at, now), since: Math.min(sent.since, now) },
    lastSentAt: past(lastSentAt),
  }
}

function onlyNamed(sent: AlertState['sent'], result: RuleResult): AlertState['sent'] {
  if (sent === null || typeof result === 'string') return sent
  return { ...sent, keys: sent.keys.filter((key) => result.keys.includes(key)) }
}

/** How long refusals that no message could count are kept for one that can. */
const UNSENT_MS = 7 * DAY_MS

/** What has been added to a total since the last run, for an hour. One that got smaller is of another outbox. */
function counted(before: Counting, total: number, now: number): Counting {
  const added = Math.max(total - before.total, 0)
  const latest = before.latest.filter(([at]) => at <= now && now - at < HOUR_MS)
  return { total, latest: added > 0 ? [...latest, [now, added]] : latest }
}

/** Refusals by cause: those before and new ones, less those that are over. */
function withRefusals(
  refusals: OutboxFacts['refusals'],
  before: Readonly<Record<string, KnownCause>>,
  now: number,
): Record<string, KnownCause> {
  const known = Object.values(before)
    .map((cause) => ({ ...cause, lastAt: Math.min(cause.lastAt, now) }))
    .filter(({ unsent, lastAt }) => now - lastAt < (unsent > 0 ? UNSENT_MS : DAY_MS))
  const causes = new Map(known.map((cause) => [causeKey(cause), cause]))
  for (const { count, ...cause } of refusals) {
    const key = causeKey(cause)
    const known = causes.get(key)
    causes.set(key, {
      ...cause,
      unsent: (known?.unsent ?? 0) + count,
      firstAt: known?.firstAt ?? now,
      lastAt: now,
    })
  }
  const kept = [...causes].toSorted(([, a], [, b]) => b.unsent - a.unsent || b.lastAt - a.lastAt)
  return Object.fromEntries(kept.slice(0, MAX_CAUSES_KEPT))
}

/** `error`: why the message did not get through, in our words: it never repeats an address or an answer; `null`: it did. */
export function afterSending(
  states: AlertStates,
  notices: readonly Notice[],
  error: string | null,
  now: number,
): AlertStates {
  const alerts = { ...states.alerts }
  for (const { name, event, keys, since } of notices) {
    const sent = event === 'resolved' ? null : { keys, at: now, since }
    const notified =
      error === null ? { sent, lastSentAt: now, lastError: null } : { lastError: error }
    alerts[name] = { ...alerts[name], ...notified }
  }
  const names = error === null ? notices.map(({ name }) => name) : []
  return { ...withoutUnsent(states, names), alerts }
}

/** What these alerts count is not kept to be sent: it was, or nobody gets a message. */
export function withoutUnsent(states: AlertStates, names: readonly AlertName[]): AlertStates {
  const { causes, lost } = states
  const counted = Object.entries(causes).map(([key, cause]) => [key, { ...cause, unsent: 0 }])
  return {
    ...states,
    causes: names.includes('rejected') ? Object.fromEntries(counted) : causes,
    lost: names.includes('lost') ? { ...lost, unsent: 0 } : lost,
  }
}
