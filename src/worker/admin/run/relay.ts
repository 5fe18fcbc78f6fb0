/**
 * How the relay is, and how it went: status, pauses, alerts, drift, the operators' log; what came of each day, which conversations
 * have their transcript, what AEP counts (lower bounds); and a bundle of these for support.
 */
import { version as packageVersion } from '../../../../package.json'
import { ALERT_NAMES } from '../../alerts/alerts.ts'
import { readStates } from '../../alerts/evaluate.ts'
import { postAlert, testBodies } from '../../alerts/message.ts'
import { forRelay, notLanded } from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import type { DriftRow } from '../../drift/detector.ts'
import { DAY_MS, HOUR_MS, MAX_MISSING } from '../../limits.ts'
import type { Outcome } from '../../outbox/event.ts'
import {
  addCounts,
  type CountRow,
  type Histogram,
  percentile,
  slowerThan,
} from '../../outbox/records/activity.ts'
import type { LandedDay, RefusedAfterwards } from '../../outbox/records/landed.ts'
import type { Services } from '../../services.ts'
import type { Answer, Input } from '../api.ts'
import { openApi } from '../openapi.ts'
import { causes, dated, isoOrNull, pageOf } from './events.ts'
import type { Run } from './run.ts'

export async function status(services: Services): Promise<Answer<'status'>> {
  const { outbox, webhookKeys, config, version } = services
  const [{ keys, oldestPendingAt, hold, nextAttemptAt, pausedUntil, ...counts }, holders] =
    await Promise.all([outbox().status(), webhookKeys.holders()])
  const usedAt = new Map(keys.map(({ fingerprint, lastUsedAt }) => [fingerprint, lastUsedAt]))
  return {
    ...counts,
    oldestPendingAt: isoOrNull(oldestPendingAt),
    hold: hold && { reason: hold.reason, since: toIso(hold.since) },
    nextAttemptAt: isoOrNull(nextAttemptAt),
    environment: config.environment,
    version,
    destination: destinationOf(services),
    recordsPausedUntil: isoOrNull(pausedUntil),
    keys: holders.map(({ fingerprint, name }) => {
      return { fingerprint, name, lastUsedAt: isoOrNull(usedAt.get(fingerprint) ?? null) }
    }),
  }
}

/** Where events go; `null`: the configuration names nothing usable. */
export function destinationOf({ config }: Services): Answer<'status'>['destination'] {
  const { destination, readAccess } = config
  if (!destination) return null
  const { host, pathname } = new URL(destination.url)
  const known = readAccess.available ? readAccess.datasetId : null
  const { format } = destination
  const dataset = format === 'xdm' ? destination.datasetId : known
  return { host, inlet: pathname.split('/').findLast(Boolean) ?? '', format, dataset }
}

export const pause = (services: Services) => setPaused(services, true)
export const resume = (services: Services) => setPaused(services, false)

/** The status afterwards. */
async function setPaused(services: Services, paused: boolean): Promise<Answer<'status'>> {
  const { outbox, breaker, rim } = services
  const askedAt = rim.now()
  // So this isolate does not wait for its next exchange.
  breaker.update(await outbox().pause(paused), askedAt)
  return status(services)
}

/** A lower bound. `from` and `to`: epoch milliseconds; without them the last 24 hours. */
export const activity: Run<'activity'> = async (
  { outbox, rim },
  { step, source, to = rim.now() + 1, from = to - DAY_MS },
) => {
  const rows = await outbox().activity(from, to, step)
  return {
    step,
    lowerBound: true,
    points: rows
      .filter((row) => source === undefined || row.source === source)
      .map(({ minute, kind, outcome, source, count, records, redacted, histogram }) => ({
        at: toIso(minute),
        kind,
        outcome,
        source,
        count,
        ...(records !== undefined && { records }),
        ...(redacted && { redacted }),
        p50Ms: percentile(histogram, 0.5),
        p99Ms: percentile(histogram, 0.99),
      })),
  }
}

/** The newest first. */
export const log: Run<'log'> = async (services, input) => {
  const { entries, cursor } = await entriesOf(services, input)
  return { entries: entries.map(({ position: _, ...entry }) => entry), cursor }
}

/** With the number of each entry. */
export async function entriesOf(
  { outbox }: Services,
  { limit, cursor = Number.MAX_SAFE_INTEGER }: Input<'log'>,
) {
  const { shown, next } = pageOf(await outbox().actions(cursor, limit + 1), limit)
  return { entries: shown.map((entry) => dated(entry, 'at')), cursor: next }
}

/** One entry of the log by its number, with the progress of its redrive; `null` where there is no such entry. */
export async function entryOf({ outbox }: Services, position: number) {
  const found = await outbox().action(position)
  return found && dated(found, 'at')
}

export async function alerts({ outbox }: Services): Promise<Answer<'alerts'>> {
  const { alerts } = readStates(await outbox().alertStates())
  return {
    alerts: ALERT_NAMES.map((name) => {
      const { state, since, lastSentAt, lastError } = alerts[name]
      return dated({ name, state, since, lastSentAt, lastError }, 'since', 'lastSentAt')
    }),
  }
}

/** `error` says in our words why it did not get through. */
export async function testAlert({ config, rim }: Services): Promise<Answer<'testAlert'>> {
  const { alerts, environment } = config
  const { webhook, publicUrl } = alerts
  if (!webhook) return { sent: false, error: 'ALERT_WEBHOOK_URL is not set, or is not a URL' }
  const bodies = testBodies(webhook, { publicUrl, environment }, rim.now())
  const error = await postAlert(webhook, bodies, rim)
  return error === null ? { sent: true } : { sent: false, error }
}

export async function drift({ outbox }: Services): Promise<Answer<'drift'>> {
  return { rows: (await outbox().driftRows()).map(driftView) }
}

export const acceptDrift: Run<'acceptDrift', null> = async ({ outbox }, { kind, path, change }) => {
  const key = kind && path !== undefined && change ? { kind, path, change } : null
  const rows = (await outbox().acceptDrift(key)).map(driftView)
  return key ? (rows[0] ?? null) : { accepted: rows.length, rows }
}

export async function support(services: Services): Promise<Answer<'support'>> {
  const [known, health, parked, states, actions] = await Promise.all([
    status(services),
    services.health.reasons(),
    causes(services),
    alerts(services),
    log(services, { limit: 200 }),
  ])
  return {
    at: toIso(services.rim.now()),
    status: known,
    health: [...health],
    causes: parked.causes,
    alerts: states.alerts,
    settings: services.settings(),
    problems: [...services.config.problems],
    // Addresses of operators are personal data too.
    log: actions.entries.map((entry) => ({
      ...entry,
      by: entry.by === 'token' ? 'token' : 'operator',
    })),
  }
}

function driftView({ firstAt, lastAt, ...row }: DriftRow): Answer<'drift'>['rows'][number] {
  return { ...row, firstAt: toIso(firstAt), lastAt: toIso(lastAt) }
}

export async function description(): Promise<Answer<'description'>> {
  return openApi(packageVersion)
}

type Group = 'received' | 'inAep' | 'refused' | 'lost'

/** What each outcome counts as. What a stranger sent was not received. */
const GROUPS: Record<Outcome, readonly Group[]> = {
  forwarded: ['received', 'inAep'],
  buffered: ['received'],
  'dead-lettered': ['received', 'refused'],
  quarantined: ['received', 'refused'],
  suppressed: ['received'],
  unavailable: ['received', 'lost'],
  unauthorized: [],
  'opted-out': ['received'],
  refused: ['received', 'refused'],
  drained: ['inAep'],
}

/** UTC days, the newest first; today is among them. */
export const summary: Run<'summary'> = async (services, { days }) => {
  const [counted, transcripts] = await Promise.all([
    daysOf(services, days),
    completeness(services, { days: Math.min(days, 30) }),
  ])
  return { lowerBound: true, days: withTranscripts(counted, transcripts) }
}

export function withTranscripts(
  days: Awaited<ReturnType<typeof daysOf>>,
  { available, days: complete }: Answer<'completeness'>,
): Day[] {
  const missing = new Map(complete.map(({ day, missing }) => [day, missing]))
  return days.map((each) => {
    return { ...each, withoutTranscript: available ? (missing.get(each.day) ?? 0) : null }
  })
}

type Day = Answer<'summary'>['days'][number]

/**
 * From the counts alone, which are few. What AEP refused afterwards is taken from the day on which it had accepted it, and
 * from its kind and source, where AEP's row says these. What it counts as failed and has not named yet, and what it has not
 * counted at all, is in the day's sum alone, in records: AEP does not say of which kind it is. An event that was sent again
 * stays refused.
 */
export async function daysOf(
  { outbox, config, rim }: Services,
  days: number,
): Promise<Omit<Day, 'withoutTranscript'>[]> {
  const now = rim.now()
  const from = firstDay(now, days)
  const [rows, landed] = await Promise.all([
    outbox().activity(from, now + 1, 'day'),
    config.readAccess.available ? outbox().landedDays(from, from + days * DAY_MS) : [],
  ])
  const dayOf = (at: number) => Math.floor(at / DAY_MS) * DAY_MS
  const byDay = Map.groupBy<number, CountRow>(rows, ({ minute }) => dayOf(minute))
  const lateMs = config.alerts.ageMs
  return Array.from({ length: days }, (_, index) => {
    const at = from + (days - 1 - index) * DAY_MS
    const own = byDay.get(at) ?? []
    const landedDay = landed.find(({ day }) => day === at)
    const all = withLanded(counted(own, lateMs), landedDay)
    return {
      day: toIso(at).slice(0, 10),
      ...all,
      rows: bySource(own, landedDay?.refused ?? [], lateMs),
    }
  })
}

/** By kind and source. What AEP refused without saying its source is a row of its own. */
function bySource(
  rows: readonly CountRow[],
  refused: readonly RefusedAfterwards[],
  lateMs: number,
): Day['rows'] {
  const keyOf = ({ kind, source }: Pick<RefusedAfterwards, 'source'> & { kind: string | null }) =>
    `${kind} ${source ?? ''}`
  const afterwards = new Map(refused.map((each) => [keyOf(each), each]))
  const known = [...Map.groupBy(rows, keyOf)].flatMap(([key, group]) => {
    const [first] = group
    const events = afterwards.get(key)?.events ?? 0
    const counts = withRefused(counted(group, lateMs), events)
    if (!first || counts.received + counts.inAep + counts.refused === 0) return []
    afterwards.delete(key)
    return [{ kind: first.kind, source: first.source, ...counts }]
  })
  const others = [...afterwards.values()].flatMap(({ kind, source, events }) =>
    kind === null ? [] : [{ kind, source, ...counted([], lateMs), refused: events }],
  )
  return [...known, ...others]
}

function counted(rows: readonly CountRow[], lateMs: number) {
  const sums: Record<Group, number> = { received: 0, inAep: 0, refused: 0, lost: 0 }
  const took: Histogram = {}
  for (const { outcome, count, histogram } of rows) {
    for (const group of GROUPS[outcome]) sums[group] += count
    if (outcome === 'forwarded' || outcome === 'drained') addCounts(took, histogram)
  }
  return { ...sums, late: slowerThan(took, lateMs), slowestMs: percentile(took, 1) }
}

type Counted = ReturnType<typeof counted>

/** Of those that AEP had accepted. */
function withRefused(counts: Counted, afterwards: number): Counted {
  const refused = Math.min(afterwards, counts.inAep)
  return { ...counts, inAep: counts.inAep - refused, refused: counts.refused + refused }
}

function withLanded(day: Counted, landed: LandedDay | undefined): Counted {
  if (!landed) return day
  const sum = (what: 'events' | 'records') =>
    landed.refused.reduce((all, each) => all + each[what], 0)
  const notNamed = Math.max(landed.failed - sum('records'), 0)
  const counts = withRefused(day, sum('events') + notNamed)
  const lost = Math.min(landed.missing, counts.inAep)
  return { ...counts, inAep: counts.inAep - lost, lost: counts.lost + lost }
}

export const completeness: Run<'completeness'> = async ({ outbox, config, rim }, { days }) => {
  const { completeMs, receiptMs } = config
  const hours = Math.round(completeMs / HOUR_MS)
  const why =
    completeMs === 0
      ? 'COMPLETE_HOURS is 0.'
      : receiptMs === 0
        ? 'RECEIPT_DAYS is 0: what was delivered is not remembered.'
        : null
  if (why !== null) return { available: false, why, hours, from: null, days: [], events: [] }
  const now = rim.now()
  const since = Math.max(firstDay(now, days), now - receiptMs)
  const found = await outbox().completeness(since, now - completeMs)
  return {
    available: true,
    why,
    hours,
    from: toIso(found.from),
    days: found.days.map(({ day, ...counts }) => ({ day: toIso(day).slice(0, 10), ...counts })),
    events: found.missing.slice(0, MAX_MISSING).map(({ receivedAt, ...event }) => {
      return { ...event, receivedAt: toIso(receivedAt) }
    }),
  }
}

/**
 * Counted in records. `why`: what keeps AEP from being read, or what its counts show that somebody must correct. Without `from`
 * of the last 24 hours.
 */
export const compared: Run<'compared'> = async (
  { outbox, rim, config },
  { from = rim.now() - DAY_MS, to = Number.MAX_SAFE_INTEGER },
) => {
  const { available, why, hours, failures, ...counts } = await outbox().compared(from, to)
  const words = notLanded(counts)
  const { environment, alerts } = config
  const relay = { environment, publicUrl: alerts.publicUrl }
  const wrong = words && `${words.title}. ${words.meaning} ${forRelay(words.action, relay)}`
  return {
    available,
    why: [wrong, why].filter(Boolean).join(' ') || null,
    hours: hours.map((hour) => dated(hour, 'at')),
    failures: failures.map((failure) => dated(failure, 'at')),
  }
}

function firstDay(now: number, days: number): number {
  return (Math.floor(now / DAY_MS) - days + 1) * DAY_MS
}
