/** 24 hours as two charts, drawn here, and as the same figures in a table. */
import { type Hour, SERIES } from './hours.ts'
import { Count, Table } from './parts.tsx'

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

type ChartProps = { hours: readonly Hour[]; title: string; stacks: readonly (readonly number[])[] }

function Chart({ hours, title, stacks }: ChartProps) {
  const sums = stacks.map((stack) => stack.reduce((sum, count) => sum + count, 0))
  const top = Math.max(...sums, 1)
  return (
    <figure>
      <figcaption class="axis">
        <span>{title}</span>
        <span>
          most: <Count of={Math.max(...sums)} />
        </span>
      </figcaption>
      <svg viewBox={`0 0 240 ${HEIGHT}`} preserveAspectRatio="none" role="img">
        <title>{title}</title>
        {stacks.map((stack, hour) => bars(stack, hour, top))}
      </svg>
      <div class="axis soft" aria-hidden="true">
        <span>{hourText(hours[0]?.at ?? '')}</span>
        <span>{hourText(hours[12]?.at ?? '')}</span>
        <span>now</span>
      </div>
    </figure>
  )
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
