/** How it went: what came of each day, which conversations have their transcript, and what AEP counts. Lower bounds. */
import { notLanded } from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { DAY_MS, MAX_MISSING } from '../../limits.ts'
import type { Outcome } from '../../outbox/event.ts'
import {
  addHistogram,
  type CountRow,
  type Histogram,
  percentile,
} from '../../outbox/records/counts.ts'
import type { ComparedHour } from '../../outbox/records/landed.ts'
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
 * From the counts alone, which are few. What AEP refused afterwards, or has not counted, is taken from the day's sum as AEP
 * counts it, in records, and not from a kind's: AEP does not say of which it is. One that was sent again stays refused.
 */
export async function daysOf(
  { outbox, config, rim }: Services,
  days: number,
): Promise<Omit<Day, 'withoutTranscript'>[]> {
  const now = rim.now()
  const from = firstDay(now, days)
  const [rows, hours] = await Promise.all([
    outbox().activity(from, now + 1, 'day'),
    config.readAccess.available ? outbox().landedHours(from, now + 1) : [],
  ])
  const dayOf = (at: number) => Math.floor(at / DAY_MS) * DAY_MS
  const byDay = Map.groupBy<number, CountRow>(rows, ({ minute }) => dayOf(minute))
  const landed = Map.groupBy<number, ComparedHour>(hours, ({ at }) => dayOf(at))
  const all = Array.from({ length: days }, (_, index) => from + (days - 1 - index) * DAY_MS)
  return all.map((at) => {
    const own = byDay.get(at) ?? []
    const groups = Map.groupBy(own, ({ kind, source }) => `${kind} ${source ?? ''}`)
    const bySource = [...groups.values()].flatMap((group) => {
      const [first] = group
      const counts = counted(group)
      if (!first || counts.received + counts.inAep === 0) return []
      return [{ kind: first.kind, source: first.source, ...counts }]
    })
    const all = withLanded(counted(own), landed.get(at) ?? [])
    return { day: toIso(at).slice(0, 10), ...all, rows: bySource }
  })
}

function counted(rows: readonly CountRow[]) {
  const sums: Record<Group, number> = { received: 0, inAep: 0, refused: 0, lost: 0 }
  const took: Histogram = {}
  for (const { outcome, count, histogram } of rows) {
    for (const group of GROUPS[outcome]) sums[group] += count
    if (outcome === 'forwarded' || outcome === 'drained') addHistogram(took, histogram)
  }
  return { ...sums, slowestMs: percentile(took, 1) }
}

function withLanded(day: ReturnType<typeof counted>, hours: readonly ComparedHour[]) {
  const sum = (count: (hour: ComparedHour) => number) =>
    hours.reduce((all, hour) => all + count(hour), 0)
  const refused = Math.min(
    sum(({ failed }) => failed),
    day.inAep,
  )
  const missing = sum(({ settled, ours, received }) => (settled ? ours - received : 0))
  const lost = Math.min(Math.max(missing, 0), day.inAep - refused)
  return {
    ...day,
    inAep: day.inAep - refused - lost,
    refused: day.refused + refused,
    lost: day.lost + lost,
  }
}

export async function completeness(
  { outbox, config, rim }: Services,
  { days }: Input<'completeness'>,
): Promise<Answer<'completeness'>> {
  const { completeMs, receiptMs } = config
  const hours = Math.round(completeMs / 3_600_000)
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
 * Counted in records. `why`: what keeps AEP from being read, or what its counts say that somebody must mend. Without `from`
 * of the last 24 hours.
 */
export async function compared(
  { outbox, rim }: Services,
  { from = rim.now() - DAY_MS, to = Number.MAX_SAFE_INTEGER }: Input<'compared'>,
): Promise<Answer<'compared'>> {
  const { available, why, hours, failures, ...counts } = await outbox().compared(from, to)
  const words = notLanded(counts)
  return {
    available,
    why: why ?? (words && `${words.title}. ${words.meaning} ${words.action}`),
    hours: hours.map((hour) => ({ ...hour, at: toIso(hour.at) })),
    failures: failures.map((failure) => ({ ...failure, at: toIso(failure.at) })),
  }
}

function firstDay(now: number, days: number): number {
  return (Math.floor(now / DAY_MS) - days + 1) * DAY_MS
}
