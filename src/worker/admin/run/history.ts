/** How it went: what came of each day, which conversations have their transcript, and what AEP counts. Lower bounds. */
import { forRelay, notLanded } from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
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
export async function summary(
  services: Services,
  { days }: Input<'summary'>,
): Promise<Answer<'summary'>> {
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

export async function completeness(
  { outbox, config, rim }: Services,
  { days }: Input<'completeness'>,
): Promise<Answer<'completeness'>> {
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
export async function compared(
  { outbox, rim, config }: Services,
  { from = rim.now() - DAY_MS, to = Number.MAX_SAFE_INTEGER }: Input<'compared'>,
): Promise<Answer<'compared'>> {
  const { available, why, hours, failures, ...counts } = await outbox().compared(from, to)
  const words = notLanded(counts)
  const { environment, alerts } = config
  const relay = { environment, publicUrl: alerts.publicUrl }
  const wrong = words && `${words.title}. ${words.meaning} ${forRelay(words.action, relay)}`
  return {
    available,
    why: [wrong, why].filter(Boolean).join(' ') || null,
    hours: hours.map((hour) => ({ ...hour, at: toIso(hour.at) })),
    failures: failures.map((failure) => ({ ...failure, at: toIso(failure.at) })),
  }
}

function firstDay(now: number, days: number): number {
  return (Math.floor(now / DAY_MS) - days + 1) * DAY_MS
}
