/**
 * Every alert: its label, when it fires and what is then sent, what its end says, and where the page shows more.
 * An alert is one entry of `ALERTS`; what it needs to know is in `facts.ts`.
 *
 * An outage of AEP as such is no alert, since nobody here can end it: `queue-age` fires when it lasts. Nor is a pause,
 * until events have waited too long for it to be meant.
 * Pure. Texts hold counts, codes, kinds and documented field names; nothing of an event, and nothing that AEP wrote.
 */

import {
  ALERT_REPEAT_MS,
  DAY_MS,
  EXPIRY_WARNING_MS,
  MANY_REFUSED,
  MAX_COUNTED_EXPIRING,
  MIN_CONVERSATIONS,
  MISSING_SHARE,
  USUAL_WEBHOOKS,
} from '../limits.ts'
import type { Share } from '../outbox/records/completeness.ts'
import type { AlertFacts, Counting, KnownCause, Memory } from './facts.ts'
import {
  adviceFor,
  answerOf,
  count,
  duration,
  EXPIRING_MEANING,
  moment,
  NO_KEY,
  notLanded,
  OUTAGE_ENDS,
  placed,
  SEND_AGAIN,
  STORAGE,
  STORED,
} from './words.ts'

/** What a message says. `keys` name the reasons: one that no message has named is sent at once. `since`: when it began. */
export type AlertMessage = {
  keys: string[]
  since: number
  urgent: boolean
  title: string
  /** What and how many. */
  facts: string[]
  /** What it means for their events. */
  meaning: string
  /** What to do; empty when there is nothing to do any more. */
  action: string
}

export type RuleResult =
  /** All is well. */
  | { is: 'clear' }
  /** Not known: the state stays. */
  | { is: 'unsure' }
  /** Between the two thresholds; or another alert covers it. */
  | { is: 'silent' }
  | Over

type Over = AlertMessage & {
  is: 'over'
  /** Runs in a row that it must be over before it fires. */
  runs: 1 | 2
  repeatMs: number
  /** Whether anything has happened since the last message: `false` sends none, however long ago that was. */
  hasMore: boolean
  /** No message sooner than this after the one before, whatever it says. */
  cooldownMs: number
}

export type Alert = {
  /** Its name on the page. */
  label: string
  /** Where the page shows more than the overview does. */
  place?: string
  /** Asked while the outbox answers. */
  rule: (facts: AlertFacts, memory: Memory) => RuleResult
  /** While the outbox does not answer; absent: the state stays. */
  unanswered?: (now: number) => RuleResult
  /** Whether a key that its rule no longer names is new when it comes back; otherwise it was sent once and for all. */
  forgets?: boolean
  /** Sent once, when it ends. */
  resolved: { title: string; meaning: string }
}

const OVER = {
  is: 'over',
  runs: 1,
  urgent: true,
  repeatMs: ALERT_REPEAT_MS,
  hasMore: true,
  cooldownMs: 0,
} as const satisfies Partial<Over>

const CLEAR: RuleResult = { is: 'clear' }
const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0)

/** In the order in which they are listed and sent. */
export const ALERTS = {
  hold: {
    label: 'Relaying is on hold',
    rule: readHold,
    resolved: { title: 'AEP takes events again', meaning: 'What has waited is being sent.' },
  },
  'queue-age': {
    label: 'Events wait too long',
    place: '/ui/events?state=pending',
    rule: readQueueAge,
    resolved: { title: 'Events no longer wait', meaning: 'What has waited was sent.' },
  },
  expiring: {
    label: 'Events will be erased for their age',
    rule: readExpiring,
    resolved: {
      title: 'No event is about to be erased any more',
      meaning: 'They were sent, or erased: a log line `expired` counts those.',
    },
  },
  rejected: {
    label: 'Events were refused',
    rule: readRejected,
    forgets: true,
    resolved: {
      title: 'No event refused for 24 hours',
      meaning: 'Those refused before are still stored.',
    },
  },
  drift: {
    label: 'Chatlio sends something else than documented',
    place: '/ui/drift',
    rule: readDrift,
    resolved: { title: 'All differences are accepted', meaning: '' },
  },
  storage: {
    label: 'The outbox does not answer',
    rule: ({ now, outbox }) => (outbox.writable ? CLEAR : noStorage(now, 'It could not write')),
    unanswered: (now) => noStorage(now, 'It did not answer'),
    resolved: { title: 'The outbox answers again', meaning: 'Webhooks are taken and stored.' },
  },
  lost: {
    label: 'Webhooks were answered 503',
    rule: readLost,
    resolved: { title: 'No webhook lost for an hour', meaning: 'Webhooks are taken again.' },
  },
  refused: {
    label: 'Webhooks are refused',
    rule: readRefused,
    resolved: {
      title: 'No webhook refused for an hour',
      meaning: 'Those refused before are not stored.',
    },
  },
  silence: {
    label: 'No webhook comes',
    rule: readSilence,
    resolved: { title: 'Webhooks come again', meaning: '' },
  },
  'not-landed': {
    label: 'AEP does not keep what it accepted',
    rule: readNotLanded,
    forgets: true,
    resolved: {
      title: 'AEP has refused nothing more for an hour',
      meaning: 'What it refused before is not in the dataset: `npm run recover` sends it again.',
    },
  },
  incomplete: {
    label: 'Transcripts do not come',
    rule: readIncomplete,
    resolved: { title: 'Transcripts come again', meaning: 'Chats that have ended are complete.' },
  },
} as const satisfies Record<string, Alert>

export type AlertName = keyof typeof ALERTS
export const ALERT_NAMES = Object.keys(ALERTS) as AlertName[]

/** By any name, also one that is no alert's. */
export function alertNamed(name: string): Alert | undefined {
  return Object.hasOwn(ALERTS, name) ? ALERTS[name as AlertName] : undefined
}

function readHold({ now, letsIn, outbox }: AlertFacts): RuleResult {
  const { pending } = outbox
  const hold = outbox.hold?.reason === 'paused' ? null : outbox.hold
  const reasons = [...(letsIn ? [] : [NO_KEY]), ...(hold ? [hold.reason] : [])]
  if (reasons.length === 0) return CLEAR
  const advice = reasons.map(adviceFor)
  const answer = hold?.code ? ` (${answerOf(hold.code, hold.status)})` : ''
  return {
    ...OVER,
    keys: reasons,
    since: Math.min(now, hold?.since ?? now),
    title: advice.map(({ title }) => title).join('; '),
    facts: [`Reason: ${reasons.join(', ')}${answer}`, `${count(pending, 'event')} pending`],
    meaning: letsIn ? STORED : 'Webhooks are answered 503, and Chatlio may not send them again.',
    action: advice.map(({ action }) => action).join(' '),
  }
}

function readQueueAge(facts: AlertFacts): RuleResult {
  const { now, ageMs, retentionMs, outbox } = facts
  const { oldestPendingAt: oldest, pausedSince, pending } = outbox
  const age = oldest === null ? 0 : now - oldest
  if (oldest === null || age <= ageMs / 2) return CLEAR
  if (age <= ageMs || readHold(facts).is === 'over') return { is: 'silent' }
  return {
    ...OVER,
    runs: 2,
    keys: [pausedSince === null ? 'waiting' : 'paused'],
    since: oldest + ageMs,
    title: `Events have waited for AEP for ${duration(age)}`,
    facts: [`${count(pending, 'event')} pending`, `The oldest came at ${moment(oldest)}`],
    meaning: `All of them are stored, for ${duration(retentionMs)} from when they came.`,
    action:
      pausedSince === null
        ? `On /admin, Events with the state "pending" says why each of them waits. ${OUTAGE_ENDS} Events that AEP keeps refusing to answer for are in "A poisoned event" of docs/operations.md.`
        : `An operator paused relaying at ${moment(pausedSince)}. Resume it on /admin when the pause is no longer needed.`,
  }
}

function readExpiring({ now, retentionMs, outbox }: AlertFacts): RuleResult {
  const { soon, today, oldestAt } = outbox.expiring
  if (soon === 0) return CLEAR
  const { soonMs, todayMs } = warnings(retentionMs)
  const urgent = today > 0
  const counted = urgent ? today : soon
  const shown = count(Math.min(counted, MAX_COUNTED_EXPIRING), 'event')
  return {
    ...OVER,
    keys: urgent ? ['soon', 'today'] : ['soon'],
    since: now,
    urgent,
    repeatMs: urgent ? ALERT_REPEAT_MS : DAY_MS,
    title: `Events will be erased within ${duration(urgent ? todayMs : soonMs)}`,
    facts: [
      `${counted > MAX_COUNTED_EXPIRING ? 'more than ' : ''}${shown}, the first at ${moment((oldestAt ?? now) + retentionMs)}`,
    ],
    meaning: EXPIRING_MEANING,
    action:
      'Redrive what is dead or quarantined on /admin, end the hold, or raise `RETENTION_DAYS` and run `npm run deploy`.',
  }
}

/** What agents discard has no transcript, every week anew: so it takes more than the usual share. */
function readIncomplete({ now, outbox }: AlertFacts): RuleResult {
  if (outbox.completeness === null) return CLEAR
  const { latest, before } = outbox.completeness
  const share = shareOf(latest)
  if (share <= MISSING_SHARE) return latest.due > 0 ? CLEAR : { is: 'silent' }
  if (latest.due < MIN_CONVERSATIONS || share <= 2 * shareOf(before)) return { is: 'silent' }
  return {
    ...OVER,
    keys: ['incomplete'],
    since: now,
    title: `${latest.missing} of ${latest.due} chats of a day have no transcript`,
    facts: [`In the six days before: ${before.missing} of ${before.due}`],
    meaning: 'AEP knows that these chats began, and not what was said in them.',
    action:
      'Look in Chatlio, in the widget settings under Behavior: is the webhook for transcripts still there, and "automatically" still ticked? For one chat: type `/chatlio send-to-webhook` in its channel.',
  }
}

function shareOf({ due, missing }: Share): number {
  return due === 0 ? 0 : missing / due
}

/** How long before they are erased events are worth a warning: shorter where they are kept for a short time only. */
export function warnings(retentionMs: number): { soonMs: number; todayMs: number } {
  return {
    soonMs: Math.min(EXPIRY_WARNING_MS, retentionMs / 2),
    todayMs: Math.min(DAY_MS, retentionMs / 4),
  }
}

/** Causes shown in one message. */
const SHOWN_CAUSES = 5

function readRejected(_: AlertFacts, { causes }: Memory): RuleResult {
  const known = Object.entries(causes)
  if (known.length === 0) return CLEAR
  const unsent = known.map(([, cause]) => cause).filter((cause) => cause.unsent > 0)
  const shown = unsent.toSorted((a, b) => b.unsent - a.unsent).slice(0, SHOWN_CAUSES)
  const more = unsent.length - shown.length
  const total = sum(unsent.map((cause) => cause.unsent))
  return {
    ...OVER,
    keys: known.map(([id]) => id),
    since: Math.min(...known.map(([, { firstAt }]) => firstAt)),
    urgent: false,
    repeatMs: DAY_MS,
    hasMore: total > 0,
    title: `${count(total, 'event')} refused`,
    facts: [...shown.map(causeLine), ...(more > 0 ? [`and ${count(more, 'more cause')}`] : [])],
    meaning:
      'They are stored and not relayed. The others go on; no further message about the same causes for 24 hours.',
    action:
      'The overview on /admin groups them by cause. Correct the cause, deploy, then redrive them there.',
  }
}

/** How often, of which kind, and why. A path that AEP reported may hold a customer's own names: the page shows it. */
function causeLine({ state, kind, code, path, unsent }: KnownCause): string {
  const isDocumented = code === 'invalid-payload' && path !== ''
  return `${count(unsent, 'event')} ${state}: ${kind}, ${code}${isDocumented ? ` at ${path}` : ''}`
}

function readDrift({ now, outbox: { drift } }: AlertFacts, { lastSentAt }: Memory): RuleResult {
  if (drift.length === 0) return CLEAR
  const newestAt = Math.max(...drift.map((each) => each.newestAt))
  const words = { new: 'new field', type: 'changed type', gone: 'missing field' } as const
  return {
    ...OVER,
    keys: ['open'],
    since: now,
    urgent: false,
    repeatMs: DAY_MS,
    cooldownMs: DAY_MS,
    hasMore: lastSentAt === null || newestAt >= lastSentAt,
    title: `Chatlio sends something else than documented: ${count(sum(drift.map((each) => each.count)), 'difference')}`,
    facts: drift.map((each) => `${each.kind}: ${count(each.count, words[each.change])}`),
    meaning:
      'Unknown fields of valid events are relayed as they come. Events that are no longer valid are in quarantine, and stored.',
    action:
      'Drift on /admin names the fields. Accept there what is right; a changed type needs "Chatlio changed a field" of docs/operations.md.',
  }
}

function readNotLanded({ now, outbox: { landed } }: AlertFacts): RuleResult {
  const { available, causes, missing, keptNone, since } = landed
  const words = notLanded(landed)
  if (words === null) return available ? CLEAR : { is: 'unsure' }
  const shown = causes.slice(0, SHOWN_CAUSES)
  return {
    ...OVER,
    keys: [
      ...causes.map(({ code, pointer }) => `${code} ${pointer}`),
      ...(missing > 0 ? ['missing'] : []),
      ...(keptNone > 0 ? ['kept-none'] : []),
    ],
    since: Math.min(now, ...causes.map(({ firstAt }) => firstAt), ...(missing > 0 ? [since] : [])),
    ...words,
    facts: [
      ...shown.map((cause) => `${count(cause.count, 'record')}: ${placed(cause)}`),
      ...(causes.length > shown.length
        ? [`and ${count(causes.length - shown.length, 'more cause')}`]
        : []),
      ...(missing > 0 ? [`${count(missing, 'record')} fewer since ${moment(since)}`] : []),
    ],
  }
}

function inLastHour({ latest }: Counting): number {
  return sum(latest.map(([, count]) => count))
}

function readLost({ now }: AlertFacts, { lost }: Memory): RuleResult {
  if (inLastHour(lost) === 0 && lost.unsent === 0) return CLEAR
  return {
    ...OVER,
    keys: ['lost'],
    since: lost.latest[0]?.[0] ?? now,
    hasMore: lost.unsent > 0,
    title: `${count(lost.unsent, 'webhook')} of a good key answered 503`,
    facts: ['A lower bound: an isolate that ends loses what it has not reported'],
    meaning: 'They could neither be relayed nor stored, and Chatlio may not send them again.',
    action: `The log line "store-failed" says why; the overview on /admin, whether it goes on. ${SEND_AGAIN}`,
  }
}

function readRefused({ now }: AlertFacts, { refused }: Memory): RuleResult {
  const number = inLastHour(refused)
  if (number === 0) return CLEAR
  if (number < MANY_REFUSED) return { is: 'silent' }
  return {
    ...OVER,
    keys: ['refused'],
    since: refused.latest[0]?.[0] ?? now,
    title: `${count(number, 'webhook')} refused within an hour`,
    facts: ['Their key is good, or was within 30 days: no strangers'],
    meaning: 'A refused webhook is neither relayed nor stored, and Chatlio may not send it again.',
    action: `\`npm run tail -- --errors\` shows why: a key that was taken out of WEBHOOK_KEYS and is still in the URLs of Chatlio's Behavior tab, a wrong path, a body that is too large. ${SEND_AGAIN}`,
  }
}

function readSilence({ now, silenceMs, outbox }: AlertFacts): RuleResult {
  const { lastWebhookAt, weekBefore } = outbox
  if (silenceMs === 0 || lastWebhookAt === null || now - lastWebhookAt < silenceMs) return CLEAR
  if (weekBefore < USUAL_WEBHOOKS) return { is: 'silent' }
  return {
    ...OVER,
    keys: ['silence'],
    since: lastWebhookAt,
    title: `No webhook for ${duration(now - lastWebhookAt)}`,
    facts: [
      `The last came at ${moment(lastWebhookAt)}`,
      `The same hours a week before had ${count(weekBefore, 'webhook')}`,
    ],
    meaning: 'Nobody chats, or Chatlio no longer sends what it should.',
    action:
      "Look at the Behavior tab of the widget's settings: are the five URLs there, with a key of WEBHOOK_KEYS? `npm run verify` posts a test of each.",
  }
}

function noStorage(now: number, fact: string): RuleResult {
  return { ...OVER, ...STORAGE, keys: ['storage'], since: now, facts: [fact] }
}
