/**
 * When each alert fires, and what it then says: the six rules, each from the facts of one run of the cron trigger.
 *
 * An outage of AEP as such is no alert, since nobody here can end it: `queue-age` says so when it lasts. Nor is a pause,
 * until events have waited too long for it to be meant.
 * Pure. Texts hold counts, codes, kinds and documented field names; nothing of an event, and nothing that AEP wrote.
 */
import type { DriftSummary } from '../drift/drift.ts'
import { earliest } from '../lib/earliest.ts'
import { ALERT_REPEAT_MS, DAY_MS, MAX_COUNTED_EXPIRING } from '../limits.ts'
import { type ShardFacts, warnings } from '../outbox/alerts/facts.ts'
import type { KnownCause, Notice } from './state.ts'
import {
  adviceFor,
  answerOf,
  causeLine,
  count,
  duration,
  EXPIRING_MEANING,
  moment,
  NO_KEY,
  OUTAGE_ENDS,
  STORAGE,
  STORED,
} from './words.ts'

export type Facts = {
  now: number
  /** `null`: a shard that did not answer. */
  shards: readonly (ShardFacts | null)[]
  /** Whether there is a usable webhook key; without one Chatlio is answered 503. */
  letsIn: boolean
  /** `null`: shard 0 did not answer. */
  drift: DriftSummary | null
  ageMs: number
  retentionMs: number
}

export type Reading =
  /** All is well. */
  | { is: 'clear' }
  /** Not all shards answered: what was, is assumed still to be. */
  | { is: 'unsure' }
  /** Neither over nor well; or another alert says it. */
  | { is: 'silent' }
  | Over

type Over = Pick<Notice, 'keys' | 'since' | 'urgent' | 'title' | 'facts' | 'meaning' | 'action'> & {
  is: 'over'
  /** Runs in a row that it must be over before it fires. */
  runs: 1 | 2
  repeatMs: number
  /** Whether there is anything that a message has not said yet, beyond that it goes on. */
  hasNews: boolean
  /** No message sooner than this after the one before, news or not; 0: at once. */
  restMs: number
}

const OVER = {
  is: 'over',
  runs: 1,
  urgent: true,
  repeatMs: ALERT_REPEAT_MS,
  hasNews: true,
  restMs: 0,
} as const satisfies Partial<Over>

const CLEAR: Reading = { is: 'clear' }
const UNSURE: Reading = { is: 'unsure' }
const SILENT: Reading = { is: 'silent' }

const answered = ({ shards }: Facts) => shards.filter((shard) => shard !== null)
const isWhole = ({ shards }: Facts) => shards.length > 0 && !shards.includes(null)
const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0)
const otherwise = (facts: Facts, reading: Reading) => (isWhole(facts) ? reading : UNSURE)

export function readHold(facts: Facts): Reading {
  const holds = answered(facts).flatMap(({ hold }) =>
    hold && hold.reason !== 'paused' ? [hold] : [],
  )
  const reasons = [...new Set<string>(holds.map(({ reason }) => reason))].sort()
  if (!facts.letsIn) reasons.unshift(NO_KEY)
  const [first] = reasons
  if (first === undefined) return otherwise(facts, CLEAR)
  const codes = holds.flatMap(({ code, status }) => (code ? [answerOf(code, status)] : []))
  const advice = reasons.map(adviceFor)
  return {
    ...OVER,
    keys: reasons,
    since: Math.min(facts.now, ...holds.map(({ since }) => since)),
    title: advice.map(({ title }) => title).join('; '),
    facts: [
      `Reason: ${reasons.join(', ')}${codes.length > 0 ? ` (${[...new Set(codes)].join(', ')})` : ''}`,
      waiting(facts),
    ],
    meaning: facts.letsIn
      ? STORED
      : 'Webhooks are answered 503, and Chatlio may not send them again.',
    action: advice.map(({ action }) => action).join(' '),
  }
}

function waiting(facts: Facts): string {
  const pending = sum(answered(facts).map((shard) => shard.pending))
  return `${count(pending, 'event')} waiting`
}

export function readQueueAge(facts: Facts): Reading {
  const { now, ageMs } = facts
  const oldest = earliest(answered(facts).map(({ oldestPendingAt }) => oldestPendingAt))
  const age = oldest === null ? 0 : now - oldest
  if (oldest === null || age <= ageMs / 2) return otherwise(facts, CLEAR)
  if (age <= ageMs || readHold(facts).is === 'over') return SILENT
  const pausedSince = earliest(answered(facts).map((shard) => shard.pausedSince))
  return {
    ...OVER,
    runs: 2,
    keys: [pausedSince === null ? 'waiting' : 'paused'],
    since: oldest + ageMs,
    title: `Events have waited for AEP for ${duration(age)}`,
    facts: [waiting(facts), `The oldest came at ${moment(oldest)}`],
    meaning: `All of them are stored, for ${duration(facts.retentionMs)} from when they came.`,
    action:
      pausedSince === null
        ? `On /admin, Events with the state "pending" says why each of them waits. ${OUTAGE_ENDS} Events that AEP keeps refusing to answer for are in "A poisoned event" of docs/operations.md.`
        : `An operator paused relaying at ${moment(pausedSince)}. Resume it on /admin when the pause is no longer needed.`,
  }
}

export function readExpiring(facts: Facts): Reading {
  const all = answered(facts).map(({ expiring }) => expiring)
  const soon = sum(all.map((each) => each.soon))
  const today = sum(all.map((each) => each.today))
  if (soon === 0) return otherwise(facts, CLEAR)
  const { soonMs, todayMs } = warnings(facts.retentionMs)
  const urgent = today > 0
  const oldest = earliest(all.map(({ oldestAt }) => oldestAt)) ?? facts.now
  const counted = urgent ? today : soon
  return {
    ...OVER,
    keys: urgent ? ['soon', 'today'] : ['soon'],
    since: facts.now,
    urgent,
    repeatMs: urgent ? ALERT_REPEAT_MS : DAY_MS,
    title: `Events will be erased within ${duration(urgent ? todayMs : soonMs)}`,
    facts: [
      `${counted > MAX_COUNTED_EXPIRING ? 'more than ' : ''}${count(Math.min(counted, MAX_COUNTED_EXPIRING), 'event')}, the first at ${moment(oldest + facts.retentionMs)}`,
    ],
    meaning: EXPIRING_MEANING,
    action:
      'Redrive what is dead or quarantined on /admin, end the hold, or raise RETENTION_DAYS and run `npm run deploy`.',
  }
}

/** Causes shown in one message. */
const SHOWN_CAUSES = 5

/** `causes`: those of the last 24 hours, and any that no message has told of. */
export function readRejected(facts: Facts, causes: Readonly<Record<string, KnownCause>>): Reading {
  const known = Object.entries(causes)
  if (known.length === 0) return otherwise(facts, CLEAR)
  const fresh = known.map(([, cause]) => cause).filter((cause) => cause.fresh > 0)
  const shown = fresh.toSorted((a, b) => b.fresh - a.fresh).slice(0, SHOWN_CAUSES)
  const more = fresh.length - shown.length
  const total = sum(fresh.map((cause) => cause.fresh))
  return {
    ...OVER,
    keys: known.map(([id]) => id),
    since: Math.min(...known.map(([, { firstAt }]) => firstAt)),
    urgent: false,
    repeatMs: DAY_MS,
    hasNews: total > 0,
    title: `${count(total, 'event')} refused`,
    facts: [...shown.map(causeLine), ...(more > 0 ? [`and ${count(more, 'more cause')}`] : [])],
    meaning:
      'They are stored and not relayed. The others go on; no further message about the same causes for 24 hours.',
    action:
      'The overview on /admin groups them by cause. Correct the cause, deploy, then redrive them there.',
  }
}

export function readDrift({ drift, now }: Facts, toldAt: number | null): Reading {
  if (drift === null) return UNSURE
  if (drift.length === 0) return CLEAR
  const total = sum(drift.map((each) => each.count))
  const newestAt = Math.max(...drift.map((each) => each.newestAt))
  const words = { new: 'new field', type: 'changed type', gone: 'missing field' } as const
  return {
    ...OVER,
    keys: ['open'],
    since: now,
    urgent: false,
    repeatMs: DAY_MS,
    restMs: DAY_MS,
    hasNews: toldAt === null || newestAt >= toldAt,
    title: `Chatlio sends something else than documented: ${count(total, 'difference')}`,
    facts: drift.map((each) => `${each.kind}: ${count(each.count, words[each.change])}`),
    meaning:
      'Unknown fields of valid events are relayed as they come. Events that are no longer valid are in quarantine, and stored.',
    action:
      'Drift on /admin names the fields. Accept there what is right; a changed type needs "Chatlio changed a field" of docs/operations.md.',
  }
}

export function readStorage(facts: Facts): Reading {
  const silentShards = facts.shards.filter((shard) => shard === null).length
  const readOnly = answered(facts).filter(({ writable }) => !writable).length
  if (silentShards + readOnly === 0) return CLEAR
  return {
    ...OVER,
    ...STORAGE,
    keys: ['storage'],
    since: facts.now,
    facts: [
      ...(silentShards > 0 ? [`${count(silentShards, 'shard')} did not answer`] : []),
      ...(readOnly > 0 ? [`${count(readOnly, 'shard')} could not write`] : []),
    ],
  }
}
