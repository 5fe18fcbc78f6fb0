/**
 * What alerts are evaluated on at a run of the cron trigger, and what they remember between two runs. `outbox/alerts.ts` fills
 * `OutboxFacts`. Counts, codes, kinds and moments (epoch milliseconds); nothing of an event, and nothing that AEP wrote.
 */
import type { Config } from '../config/config.ts'
import type { DriftSummary } from '../drift/detector.ts'
import type { Cause } from '../outbox/event.ts'
import type { CompletenessFacts } from '../outbox/records/completeness.ts'

/** Events parked since the last run of the alerts, for one cause. */
export type RefusedCause = Cause & { count: number }

/** Why AEP refused records afterwards, and how many since the last clean hour; those whose row named no event too. */
export type LandedCause = Readonly<
  Record<'code' | 'pointer', string> & Record<'count' | 'firstAt' | 'lastAt', number>
>

/** What may be worth an alert, and a sentence on the page. */
export type LandedFacts = {
  readonly available: boolean
  /** What is missing, or what AEP does not let be read. */
  readonly why: string | null
  /** Of the time since the last clean hour; the most frequent first. */
  readonly causes: readonly LandedCause[]
  /** Records that AEP has acknowledged and not counted, at least, over the latest settled hours; `since`: their first. */
  readonly missing: number
  readonly since: number
  /** Lately AEP has received so many records and kept none of them; 0: it has kept some, or received none. */
  readonly keptNone: number
}

export type OutboxFacts = {
  /** JSON text of the states of the alerts; `null` before the first run. */
  states: string | null
  /** Why everything waits, other than a pause; `code` and `status` are those of AEP's answer, where there was one. */
  hold: { reason: string; since: number; code: string | null; status: number | null } | null
  pausedSince: number | null
  pending: number
  oldestPendingAt: number | null
  /** Events whose time is over within the warning, and within a day; counted up to a limit. */
  expiring: { soon: number; today: number; oldestAt: number | null }
  writable: boolean
  refusals: readonly RefusedCause[]
  drift: DriftSummary
  landed: LandedFacts
  /** Webhooks of a good key that were answered 503, and those refused under a key that is good or was: ever, at least. */
  lost: number
  refused: number
  lastWebhookAt: number | null
  /** Webhooks in the same hours a week before, where it has been quiet for so long. */
  weekBefore: number
  /** How many conversations have a transcript; `null`: not checked. */
  completeness: CompletenessFacts | null
}

/** What is known at one run of the cron trigger. Times are epoch milliseconds. */
export type AlertFacts = {
  now: number
  outbox: OutboxFacts
  config: Pick<Config, 'alerts' | 'retentionMs' | 'webhookKeys'>
}

/** Webhooks that should not have been turned away. `latest`: how many there were more, and when, in the last hour. */
export type Counting = {
  total: number
  latest: readonly [at: number, count: number][]
}

/** Refusals of one cause. `unsent`: those that no message has counted. */
export type KnownCause = Cause & { unsent: number; firstAt: number; lastAt: number }

/** What an alert remembers from earlier runs. */
export type Memory = {
  /** By `causeKey`: refusals of the last 24 hours, and those not sent yet. */
  causes: Readonly<Record<string, KnownCause>>
  /** `unsent`: those that no message has counted. */
  lost: Counting & { unsent: number }
  refused: Counting
  lastSentAt: number | null
}
