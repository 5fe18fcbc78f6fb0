/** How it went: what came of each day, which conversations have their transcript, and what AEP counts. Lower bounds. */
import { toIso } from '../../chatlio/timestamp.ts'
import { DAY_MS, MAX_MISSING } from '../../limits.ts'
import type { Outcome } from '../../outbox/event.ts'
import {
  addHistogram,
  type CountRow,
  type Histogram,
  percentile,
} from '../../outbox/records/counts.ts'
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

/** From the counts alone, which are few. */
export async function daysOf(
  { outbox, rim }: Services,
  days: number,
): Promise<Omit<Day, 'withoutTranscript'>[]> {
  const now = rim.now()
  const from = firstDay(now, days)
  const rows = await outbox().activity(from, now + 1, 'day')
  const dayOf = ({ minute }: CountRow) => Math.floor(minute / DAY_MS) * DAY_MS
  const byDay = Map.groupBy<number, CountRow>(rows, dayOf)
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
    return { day: toIso(at).slice(0, 10), ...counted(own), rows: bySource }
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

/** Until the relay reads AEP's counts by itself: why there is nothing to compare. */
export async function compared({ config }: Services): Promise<Answer<'compared'>> {
  const { readAccess } = config
  const why = readAccess.available
    ? 'Nothing has been read yet. `npm run compare` reads it now.'
    : readAccess.why
  return { available: false, why, hours: [], failures: [] }
}

function firstDay(now: number, days: number): number {
  return (Math.floor(now / DAY_MS) - days + 1) * DAY_MS
}
