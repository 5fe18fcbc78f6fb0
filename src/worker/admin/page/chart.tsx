/**
 * The last 24 hours, hour by hour, from the counters of webhooks: as two charts, drawn here, and as the same figures in a
 * table. Pure.
 */
import { href } from './addresses.ts'
import { Count, Table } from './parts.tsx'

/** What became of webhooks: what an operator tells apart at a glance. */
export const SERIES = [
  'straight through',
  'stored',
  'set aside',
  'refused, lost or dropped',
] as const

export type Hour = {
  at: string
  /** In the order of `SERIES`. */
  counts: readonly number[]
  /** Delivered from the store. */
  drained: number
  /** Events waiting at the end of the hour. */
  waiting: number
}

export type Point = { at: string; outcome: string; count: number }

const HOUR_MS = 3_600_000
const SERIES_OF: { readonly [outcome: string]: number } = {
  forwarded: 0,
  buffered: 1,
  'dead-lettered': 2,
  quarantined: 2,
  suppressed: 3,
  'opted-out': 3,
  refused: 3,
  unavailable: 3,
  unauthorized: 3,
}

/** Where the first of them begins: hours are shown whole, but for the present one. */
export const firstHour = (now: number) => (Math.floor(now / HOUR_MS) - 23) * HOUR_MS

export type Waiting = { pending: number; oldestPendingAt: string | null }

/**
 * What waited is counted backwards from what waits now: less what was stored since, and more what was delivered since. What
 * waited before the oldest that still waits has been delivered since. Events that were set aside, erased or redriven
 * meanwhile make it an estimate.
 */
export function hoursOf(
  points: readonly Point[],
  { pending, oldestPendingAt }: Waiting,
  now: number,
): Hour[] {
  const oldest = oldestPendingAt === null ? Number.POSITIVE_INFINITY : Date.parse(oldestPendingAt)
  const last = Math.floor(now / HOUR_MS)
  const hours: Hour[] = []
  let waiting = pending
  let drainedSince = 0
  for (let hour = last; hour > last - 24; hour -= 1) {
    const at = new Date(hour * HOUR_MS).toISOString()
    const counts = SERIES.map(() => 0)
    let drained = 0
    for (const point of points) {
      if (Math.floor(Date.parse(point.at) / HOUR_MS) !== hour) continue
      const series = SERIES_OF[point.outcome]
      if (series === undefined) drained += point.count
      else counts[series] = (counts[series] ?? 0) + point.count
    }
    hours.unshift({ at, counts, drained, waiting })
    drainedSince += drained
    waiting = Math.max(waiting - (counts[1] ?? 0) + drained, 0)
    if (hour * HOUR_MS <= oldest) waiting = Math.min(waiting, drainedSince)
  }
  // What was delivered is counted at once, what was stored up to ten seconds later: no backlog before anything happened.
  for (const hour of hours) {
    if (hour.drained > 0 || hour.counts.some((count) => count > 0)) break
    if (Date.parse(hour.at) + HOUR_MS <= oldest) hour.waiting = 0
  }
  return hours
}

const HEIGHT = 100
const total = ({ counts }: Hour) => counts.reduce((sum, count) => sum + count, 0)
const hourText = (at: string) => `${at.slice(11, 16)} UTC`

export function Charts({ hours }: { hours: readonly Hour[] }) {
  const webhooks = hours.reduce((sum, hour) => sum + total(hour), 0)
  return (
    <section aria-labelledby="hours">
      <h2 id="hours">The last 24 hours</h2>
      {webhooks === 0 && hours.every(({ waiting }) => waiting === 0) ? (
        <p>No webhook came, and nothing waited.</p>
      ) : (
        <>
          <Chart
            hours={hours}
            title={`Webhooks an hour, at least: ${webhooks.toLocaleString('en-US')} in all`}
            stacks={hours.map(({ counts }) => counts)}
          />
          <ul class="legend soft">
            {SERIES.map((name, index) => (
              <li>
                <i class={`f${index}`}></i>
                {name}
              </li>
            ))}
          </ul>
          {hours.some(({ waiting }) => waiting > 0) ? (
            <Chart
              hours={hours}
              title="Waiting at the end of each hour, about"
              stacks={hours.map(({ waiting }) => [0, waiting])}
              names={['', 'waiting']}
            />
          ) : (
            <p>Nothing waited.</p>
          )}
          <details>
            <summary>The same as a table</summary>
            <HourTable hours={hours} />
          </details>
        </>
      )}
    </section>
  )
}

type ChartProps = {
  hours: readonly Hour[]
  title: string
  stacks: readonly (readonly number[])[]
  names?: readonly string[]
}

function Chart({ hours, title, stacks, names = SERIES }: ChartProps) {
  const sums = stacks.map((stack) => stack.reduce((sum, count) => sum + count, 0))
  const top = Math.max(...sums, 1)
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div class="plot">
        <div class="y soft" aria-hidden="true">
          <span>
            <Count of={top} />
          </span>
          <span>0</span>
        </div>
        <svg viewBox={`0 0 240 ${HEIGHT}`} preserveAspectRatio="none">
          <title>{title}</title>
          {stacks.map((stack, hour) => (
            <a href={eventsOf(hours[hour])} aria-label={hourLabel(hours[hour], stack, names)}>
              <title>{hourLabel(hours[hour], stack, names)}</title>
              <rect class="hit" x={hour * 10} y="0" width="10" height={HEIGHT} />
              {bars(stack, hour, top)}
            </a>
          ))}
        </svg>
      </div>
      <div class="axis soft" aria-hidden="true">
        <span>{hourText(hours[0]?.at ?? '')}</span>
        <span>{hourText(hours[12]?.at ?? '')}</span>
        <span>now</span>
      </div>
    </figure>
  )
}

/** The events of that day, the newest first: those of the hour are among them. */
const eventsOf = (hour: Hour | undefined) =>
  href('/admin/ui/events', { state: 'all', day: hour?.at.slice(0, 10) })

function hourLabel(
  hour: Hour | undefined,
  stack: readonly number[],
  names: readonly string[],
): string {
  const parts = stack.flatMap((count, series) =>
    count > 0 ? `${count.toLocaleString('en-US')} ${names[series]}` : [],
  )
  return `${hourText(hour?.at ?? '')}: ${parts.join(', ') || 'none'}`
}

/** From the bottom up. One event must be seen beside ten thousand. */
function bars(stack: readonly number[], hour: number, top: number) {
  let y = HEIGHT
  return stack.map((count, series) => {
    if (count === 0) return null
    const height = Math.max((count / top) * HEIGHT, 2)
    y = Math.max(y - height, 0)
    return (
      <rect
        class={`f${series}`}
        x={hour * 10 + 1}
        y={y.toFixed(1)}
        width="8"
        height={height.toFixed(1)}
      />
    )
  })
}

function HourTable({ hours }: { hours: readonly Hour[] }) {
  return (
    <Table caption="Webhooks by hour" heads={['Hour', ...SERIES, 'delivered later', 'waiting']}>
      {hours.toReversed().map(({ at, counts, drained, waiting }) => (
        <tr>
          <th scope="row">{hourText(at)}</th>
          {[...counts, drained, waiting].map((count) => (
            <td>
              <Count of={count} />
            </td>
          ))}
        </tr>
      ))}
    </Table>
  )
}
