/**
 * Every alert: its label, when it fires and what is then sent, what its end says, and where the page shows more.
 * An alert is one entry of `ALERTS`; what it needs to know is in `facts.ts`.
 *
 * An outage of AEP as such is no alert, since nobody here can end it: `queue-age` fires when it lasts. Nor is a pause,
 * until events have waited too long for it to be meant.
 * Pure. Texts hold counts, codes, kinds and documented field names; nothing of an event, and nothing that AEP wrote.
 */

import {
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
  /** What is not urgent is repeated once a day. */
  urgent: boolean
  title: string
  /** What happened, and to how many. */
  facts: string[]
  /** What it means for their events. */
  meaning: string
  /** What to do; empty when there is nothing to do any more. */
  action: string
}

export type RuleResult =
  /** All is well. */
  | 'clear'
  /** Not known: the state stays. */
  | 'unsure'
  /** Between the two thresholds; or another alert covers it. */
  | 'silent'
  /** It fires. `hasMore`: whether anything has happened since the last message; `false` sends none, however long ago that was. */
  | (AlertMessage & { hasMore?: boolean })

export type Alert = {
  /** Its name on the page. */
  label: string
  /** Where the page shows more than the overview does. */
  place?: string
  /** Asked while the outbox answers. */
  rule: (facts: AlertFacts, memory: Memory) => RuleResult
  /** While the outbox does not answer; absent: the state stays. */
  unanswered?: (now: number) => RuleResult
  /** Whether it fires only when two runs in a row find it. */
  waits?: boolean
  /** Whether a key that its rule no longer names is new when it comes back; otherwise it was sent once and for all. */
  forgets?: boolean
  /** Sent once, when it ends. */
  resolved: { title: string; meaning: string }
}

/** Causes shown in one message. */
const SHOWN_CAUSES = 5

/** In the order in which they are listed and sent. */
export const ALERTS = {
  hold: {
    label: 'Relaying is on hold',
    rule(facts) {
      const { now, outbox } = facts
      const reasons = holdReasons(facts)
      if (reasons.length === 0) return 'clear'
      const advice = reasons.map(adviceFor)
      const { code = null, status = null, since = now } = outbox.hold ?? {}
      const answer = code ? ` (${answerOf(code, status)})` : ''
      return {
        keys: reasons,
        since: Math.min(now, since),
        urgent: true,
        title: advice.map(({ title }) => title).join('; '),
        facts: [
          `Reason: ${reasons.join(', ')}${answer}`,
          `${count(outbox.pending, 'event')} pending`,
        ],
        meaning: reasons.includes(NO_KEY)
          ? 'Webhooks are answered 503, and Chatlio may not send them again.'
          : STORED,
        action: advice.map(({ action }) => action).join(' '),
      }
    },
    resolved: { title: 'AEP takes events again', meaning: 'What has waited is being sent.' },
  },
  'queue-age': {
    label: 'Events wait too long',
    place: '/ui/events?state=pending',
    waits: true,
    rule(facts) {
      const { now, config, outbox } = facts
      const { ageMs } = config.alerts
      const { oldestPendingAt: oldest, pausedSince, pending } = outbox
      const age = oldest === null ? 0 : now - oldest
      if (oldest === null || age <= ageMs / 2) return 'clear'
      if (age <= ageMs || holdReasons(facts).length > 0) return 'silent'
      return {
        keys: [pausedSince === null ? 'waiting' : 'paused'],
        since: oldest + ageMs,
        urgent: true,
        title: `Events have waited for AEP for ${duration(age)}`,
        facts: [`${count(pending, 'event')} pending`, `The oldest came at ${moment(oldest)}`],
        meaning: `All of them are stored, for ${duration(config.retentionMs)} from when they came.`,
        action:
          pausedSince === null
            ? `On /admin, Events with the state "pending" says why each of them waits. ${OUTAGE_ENDS} Where AEP fails for one event alone, see "A poisoned event" in docs/operations.md.`
            : `An operator paused relaying at ${moment(pausedSince)}. Resume it on /admin when the pause is no longer needed.`,
      }
    },
    resolved: { title: 'Events no longer wait', meaning: 'What has waited was sent.' },
  },
  expiring: {
    label: 'Events will be erased for their age',
    rule({ now, config: { retentionMs }, outbox }) {
      const { soon, today, oldestAt } = outbox.expiring
      if (soon === 0) return 'clear'
      const { soonMs, todayMs } = warnings(retentionMs)
      const urgent = today > 0
      const counted = urgent ? today : soon
      const shown = count(Math.min(counted, MAX_COUNTED_EXPIRING), 'event')
      const more = counted > MAX_COUNTED_EXPIRING ? 'more than ' : ''
      return {
        keys: urgent ? ['soon', 'today'] : ['soon'],
        since: now,
        urgent,
        title: `Events will be erased within ${duration(urgent ? todayMs : soonMs)}`,
        facts: [`${more}${shown}, the first at ${moment((oldestAt ?? now) + retentionMs)}`],
        meaning: EXPIRING_MEANING,
        action:
          'Redrive what is dead or quarantined on /admin, end the hold, or raise `RETENTION_DAYS` and run `npm run deploy`.',
      }
    },
    resolved: {
      title: 'No event is about to be erased any more',
      meaning: 'They were sent, or erased: a log line `expired` counts those.',
    },
  },
  rejected: {
    label: 'Events were refused',
    forgets: true,
    rule(_, { causes }) {
      const known = Object.values(causes)
      if (known.length === 0) return 'clear'
      const unsent = known.filter((cause) => cause.unsent > 0).sort((a, b) => b.unsent - a.unsent)
      const total = sum(unsent.map((cause) => cause.unsent))
      return {
        keys: Object.keys(causes),
        since: Math.min(...known.map(({ firstAt }) => firstAt)),
        urgent: false,
        hasMore: total > 0,
        title: `${count(total, 'event')} refused`,
        facts: shownOf(unsent, causeLine),
        meaning:
          'They are stored and not relayed. The others go on; no further message about the same causes for 24 hours.',
        action:
          'The overview on /admin groups them by cause. Correct the cause, deploy, then redrive them there.',
      }
    },
    resolved: {
      title: 'No event refused for 24 hours',
      meaning: 'Those refused before are still stored.',
    },
  },
  drift: {
    label: 'Chatlio sends something other than documented',
    place: '/ui/drift',
    rule({ now, outbox: { drift } }, { lastSentAt }) {
      if (drift.length === 0) return 'clear'
      const newestAt = Math.max(...drift.map((each) => each.newestAt))
      const words = { new: 'new field', type: 'changed type', gone: 'missing field' } as const
      return {
        keys: ['open'],
        since: now,
        urgent: false,
        // Once a day at most, though what was accepted comes again.
        hasMore: lastSentAt === null || (newestAt >= lastSentAt && now - lastSentAt >= DAY_MS),
        title: `Chatlio sends something other than documented: ${count(sum(drift.map((each) => each.count)), 'difference')}`,
        facts: drift.map((each) => `${each.kind}: ${count(each.count, words[each.change])}`),
        meaning:
          'Unknown fields of valid events are relayed as they come. Events that are no longer valid are in quarantine, and stored.',
        action:
          'Drift on /admin names the fields. Accept there what is right; a changed type needs "Chatlio changed a field" of docs/operations.md.',
      }
    },
    resolved: { title: 'All differences are accepted', meaning: '' },
  },
  storage: {
    label: 'The outbox does not answer',
    rule: ({ now, outbox }) => (outbox.writable ? 'clear' : noStorage(now, 'It could not write')),
    unanswered: (now) => noStorage(now, 'It did not answer'),
    resolved: { title: 'The outbox answers again', meaning: 'Webhooks are taken and stored.' },
  },
  lost: {
    label: 'Webhooks were answered 503',
    rule({ now }, { lost }) {
      if (inLastHour(lost) === 0 && lost.unsent === 0) return 'clear'
      return {
        keys: ['lost'],
        since: lost.latest[0]?.[0] ?? now,
        urgent: true,
        hasMore: lost.unsent > 0,
        title: `${count(lost.unsent, 'webhook')} of a good key answered 503`,
        facts: ['A lower bound: an isolate that ends loses what it has not reported'],
        meaning: 'They could neither be relayed nor stored, and Chatlio may not send them again.',
        action: `The log line "store-failed" says why; the overview on /admin, whether it goes on. ${SEND_AGAIN}`,
      }
    },
    resolved: { title: 'No webhook lost for an hour', meaning: 'Webhooks are taken again.' },
  },
  refused: {
    label: 'Webhooks are refused',
    rule({ now }, { refused }) {
      const number = inLastHour(refused)
      if (number === 0) return 'clear'
      if (number < MANY_REFUSED) return 'silent'
      return {
        keys: ['refused'],
        since: refused.latest[0]?.[0] ?? now,
        urgent: true,
        title: `${count(number, 'webhook')} refused within an hour`,
        facts: ['Their key is good, or was within 30 days: no strangers'],
        meaning:
          'A refused webhook is neither relayed nor stored, and Chatlio may not send it again.',
        action: `\`npm run tail -- --errors\` shows why: a key that was taken out of WEBHOOK_KEYS and is still in the URLs of Chatlio's Behavior tab, a wrong path, a body that is too large. ${SEND_AGAIN}`,
      }
    },
    resolved: {
      title: 'No webhook refused for an hour',
      meaning: 'Those refused before are not stored.',
    },
  },
  silence: {
    label: 'No webhook comes',
    rule({ now, config, outbox: { lastWebhookAt, weekBefore } }) {
      const { silenceMs } = config.alerts
      if (silenceMs === 0 || lastWebhookAt === null || now - lastWebhookAt < silenceMs) {
        return 'clear'
      }
      if (weekBefore < USUAL_WEBHOOKS) return 'silent'
      return {
        keys: ['silence'],
        since: lastWebhookAt,
        urgent: true,
        title: `No webhook for ${duration(now - lastWebhookAt)}`,
        facts: [
          `The last came at ${moment(lastWebhookAt)}`,
          `The same hours a week before had ${count(weekBefore, 'webhook')}`,
        ],
        meaning: 'Nobody chats, or Chatlio no longer sends what it should.',
        action:
          "Look at the Behavior tab of the widget's settings: are the five URLs there, with a key of WEBHOOK_KEYS? `npm run verify` posts a test of each.",
      }
    },
    resolved: { title: 'Webhooks come again', meaning: '' },
  },
  'not-landed': {
    label: 'AEP does not keep what it accepted',
    forgets: true,
    rule({ now, outbox: { landed } }) {
      const { available, causes, missing, keptNone, since } = landed
      const words = notLanded(landed)
      if (words === null) return available ? 'clear' : 'unsure'
      const isMissing = missing > 0
      return {
        keys: [
          ...causes.map(({ code, pointer }) => `${code} ${pointer}`),
          ...(isMissing ? ['missing'] : []),
          ...(keptNone > 0 ? ['kept-none'] : []),
        ],
        since: Math.min(
          now,
          ...causes.map(({ firstAt }) => firstAt),
          ...(isMissing ? [since] : []),
        ),
        urgent: true,
        ...words,
        facts: [
          ...shownOf(causes, (cause) => `${count(cause.count, 'record')}: ${placed(cause)}`),
          ...(isMissing ? [`${count(missing, 'record')} fewer since ${moment(since)}`] : []),
        ],
      }
    },
    resolved: {
      title: 'AEP has refused nothing more for an hour',
      meaning: 'What it refused before is not in the dataset: `npm run recover` sends it again.',
    },
  },
  incomplete: {
    label: 'Transcripts do not come',
    /** What agents discard has no transcript, every week anew: so it takes more than the usual share. */
    rule({ now, outbox: { completeness } }) {
      if (completeness === null) return 'clear'
      const { latest, before } = completeness
      const share = shareOf(latest)
      if (share <= MISSING_SHARE) return latest.due > 0 ? 'clear' : 'silent'
      if (latest.due < MIN_CONVERSATIONS || share <= 2 * shareOf(before)) return 'silent'
      return {
        keys: ['incomplete'],
        since: now,
        urgent: true,
        title: `${latest.missing} of ${latest.due} chats of a day have no transcript`,
        facts: [`In the six days before: ${before.missing} of ${before.due}`],
        meaning: 'AEP knows that these chats began, and not what was said in them.',
        action:
          'Look in Chatlio, in the widget settings under Behavior: is the webhook for transcripts still there, and "automatically" still ticked? For one chat: type `/chatlio send-to-webhook` in its channel.',
      }
    },
    resolved: { title: 'Transcripts come again', meaning: 'Chats that have ended are complete.' },
  },
} as const satisfies Record<string, Alert>

export type AlertName = keyof typeof ALERTS
export const ALERT_NAMES = Object.keys(ALERTS) as AlertName[]

/** Without a usable webhook key Chatlio is answered 503. */
function holdReasons({ config: { webhookKeys }, outbox: { hold } }: AlertFacts): string[] {
  return [...(webhookKeys.length > 0 ? [] : [NO_KEY]), ...(hold ? [hold.reason] : [])]
}

function noStorage(now: number, fact: string): RuleResult {
  return { keys: ['storage'], since: now, urgent: true, ...STORAGE, facts: [fact] }
}

/** How long before they are erased events are worth a warning: shorter where they are kept for a short time only. */
export function warnings(retentionMs: number): { soonMs: number; todayMs: number } {
  return {
    soonMs: Math.min(EXPIRY_WARNING_MS, retentionMs / 2),
    todayMs: Math.min(DAY_MS, retentionMs / 4),
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, each) => all + each, 0)

const inLastHour = ({ latest }: Counting) => sum(latest.map(([, count]) => count))

const shareOf = ({ due, missing }: Share) => (due === 0 ? 0 : missing / due)

/** The most frequent first, as they are given. */
function shownOf<Cause>(causes: readonly Cause[], lineOf: (cause: Cause) => string): string[] {
  const more = causes.length - SHOWN_CAUSES
  const lines = causes.slice(0, SHOWN_CAUSES).map(lineOf)
  return more > 0 ? [...lines, `and ${count(more, 'more cause')}`] : lines
}

/** How often, of which kind, and why. A path that AEP reported may hold a customer's own names: the page shows it. */
function causeLine({ state, kind, code, path, unsent }: KnownCause): string {
  const isDocumented = code === 'invalid-payload' && path !== ''
  return `${count(unsent, 'event')} ${state}: ${kind}, ${code}${isDocumented ? ` at ${path}` : ''}`
}
