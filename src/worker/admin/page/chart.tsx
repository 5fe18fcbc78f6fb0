/** The last 24 hours, hour by hour, from the counters of webhooks: two charts, drawn here, whose bars say their figures. Pure. */
import { figure } from '../../alerts/words.ts'
import { HOUR_MS } from '../../limits.ts'
import type { Outcome } from '../../outbox/event.ts'
import type { Answer } from '../api.ts'
import { href, PLACES } from './addresses.ts'

/** Outcomes of webhooks, grouped so that an operator can tell them apart at a glance. */
const SERIES: { readonly [name: string]: readonly Outcome[] } = {
  forwarded: ['forwarded'],
  buffered: ['buffered'],
  'dead or quarantined': ['dead-lettered', 'quarantined'],
  lost: ['unavailable'],
  'refused or suppressed': ['suppressed', 'opted-out', 'refused', 'unauthorized'],
}
const NAMES = Object.keys(SERIES)

type Hour = {
  at: string
  /** In the order of `SERIES`. */
  counts: readonly number[]
  /** Delivered from the outbox. */
  drained: number
  /** Events pending at the end of the hour. */
  pending: number
}

const hourNumber = (at: number) => Math.floor(at / HOUR_MS)

/** Where the first of them begins: hours are shown whole, but for the present one. */
export const firstHour = (now: number) => (hourNumber(now) - 23) * HOUR_MS

type Point = Pick<Answer<'activity'>['points'][number], 'at' | 'outcome' | 'count'>
type Outbox = Pick<Answer<'status'>, 'pending' | 'oldestPendingAt'>

/**
 * What was pending is counted backwards from what is now: less what was stored since, and more what was delivered since.
 * What was stored before the oldest that is pending has been delivered since. Events that were parked, erased or redriven
 * meanwhile make it an estimate.
 */
export function hoursOf(points: readonly Point[], outbox: Outbox, now: number): Hour[] {
  const { oldestPendingAt } = outbox
  const oldest = oldestPendingAt === null ? Number.POSITIVE_INFINITY : Date.parse(oldestPendingAt)
  const byHour = Map.groupBy(points, ({ at }) => hourNumber(Date.parse(at)))
  const last = hourNumber(now)
  const hours: Hour[] = []
  let { pending } = outbox
  let drainedSince = 0
  for (let hour = last; hour > last - 24; hour -= 1) {
    const own = byHour.get(hour) ?? []
    const countOf = (outcomes: readonly Outcome[]) =>
      sum(own.map(({ outcome, count }) => (outcomes.includes(outcome) ? count : 0)))
    const at = new Date(hour * HOUR_MS).toISOString()
    const counts = Object.values(SERIES).map(countOf)
    const drained = countOf(['drained'])
    hours.unshift({ at, counts, drained, pending })
    drainedSince += drained
    pending = Math.max(pending - (counts[1] ?? 0) + drained, 0)
    if (hour * HOUR_MS <= oldest) pending = Math.min(pending, drainedSince)
  }
  // What was delivered is counted at once, what was stored up to ten seconds later: no backlog before anything happened.
  for (const hour of hours) {
    if (hour.drained + sum(hour.counts) > 0) break
    if (Date.parse(hour.at) + HOUR_MS <= oldest) hour.pending = 0
  }
  return hours
}

const HEIGHT = 100
const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0)
const hourOf = (at: string) => at.slice(11, 16)

export function Charts({ hours }: { hours: readonly Hour[] }) {
  const webhooks = sum(hours.map(({ counts }) => sum(counts)))
  const hasPending = hours.some(({ pending }) => pending > 0)
  return (
    <section aria-labelledby="hours">
      <h2 id="hours">The last 24 hours</h2>
      {webhooks === 0 && !hasPending ? (
        <p>No webhook came, and nothing was pending.</p>
      ) : (
        <>
          <div class="desk">
            <Chart
              title={`Webhooks an hour (UTC), at least: ${figure(webhooks)} in all`}
              bars={hours}
              names={NAMES}
            />
            {hasPending ? (
              <Chart
                title="Pending at the end of each hour, about"
                bars={hours.map(({ at, pending }) => ({ at, counts: [0, pending] }))}
                names={['', 'pending']}
              />
            ) : (
              <p>Nothing was pending at the end of any hour.</p>
            )}
          </div>
          <ul class="legend soft">
            {NAMES.map((name, index) => (
              <li>
                <i class={`f${index}`}></i>
                {name}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

type ChartProps = {
  title: string
  bars: readonly Pick<Hour, 'at' | 'counts'>[]
  names: readonly string[]
}

/** The figures of an hour stand in place of the title while it is pointed at, or has the focus. */
function Chart({ title, bars, names }: ChartProps) {
  const top = Math.max(...bars.map(({ counts }) => sum(counts)), 1)
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div class="plot soft">
        <div class="y" aria-hidden="true">
          <span>{figure(top)}</span>
          <span>0</span>
        </div>
        <div class="bars">
          {bars.map(({ at, counts }) => {
            const content = (
              <>
                <svg viewBox={`0 0 10 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
                  {stacked(counts, top)}
                </svg>
                <span class="tip">{barText(at, counts, names)}</span>
              </>
            )
            if (sum(counts) > 0) return <a href={eventsOf(at)}>{content}</a>
            return <span aria-hidden="true">{content}</span>
          })}
        </div>
        <div class="x" aria-hidden="true">
          {[0, 6, 12, 18].map((hour) => (
            <span>{hourOf(bars[hour]?.at ?? '')}</span>
          ))}
        </div>
      </div>
    </figure>
  )
}

/** The events of that hour, by their receipt. */
const eventsOf = (at: string) => href(PLACES.events, { state: 'all', day: at.slice(0, 13) })

function barText(at: string, counts: readonly number[], names: readonly string[]): string {
  const parts = counts.flatMap((count, series) =>
    count > 0 ? `${figure(count)} ${names[series]}` : [],
  )
  return `${hourOf(at)} UTC: ${parts.join(', ') || 'none'}`
}

/** From the bottom up. One event must be seen beside ten thousand. */
function stacked(counts: readonly number[], top: number) {
  let y = HEIGHT
  return counts.map((count, series) => {
    if (count === 0) return null
    const height = Math.max((count / top) * HEIGHT, 2)
    y = Math.max(y - height, 0)
    return <rect class={`f${series}`} x="1" y={y.toFixed(1)} width="8" height={height.toFixed(1)} />
  })
}
