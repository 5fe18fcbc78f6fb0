/**
 * The overview: how things are, what to do, the ledger, problems by cause, yesterday; and the last 24 hours, hour by hour, from
 * the counters of webhooks: two charts, drawn here, whose bars say their figures.
 */
import { count, figure, forRelay } from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { HOUR_MS } from '../../limits.ts'
import type { Outcome } from '../../outbox/event.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import type { Answer } from '../api.ts'
import { NO_PATH } from '../input.ts'
import { causes } from '../run/events.ts'
import { activity, alerts, daysOf, status } from '../run/relay.ts'
import { href, PLACES } from './addresses.ts'
import { relayOf, respond } from './frame.tsx'
import { Action, type Column, Facts, Table, Time, Words } from './parts.tsx'
import { capitalized, codeWords, howLong, list, sayHow } from './words.ts'

export async function showOverview(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const { config, rim } = services
  const now = rim.now()
  const [known, { points }, parked, reasons, states, [, yesterday], landed] = await Promise.all([
    status(services),
    activity(services, { step: 'hour', from: firstHour(now) }),
    causes(services),
    services.health.reasons(),
    alerts(services),
    daysOf(services, 2),
    config.readAccess.available ? services.outbox().landed() : null,
  ])
  const { keys, hold } = known
  const said = { status: known, config, reasons, alerts: states.alerts, landed }
  const { tone, sentence, need, parts } = sayHow(said)
  const isPaused = hold?.reason === 'paused'
  const title = `${need > 0 ? `(${need}) ` : ''}${sentence}`
  return respond(
    c,
    { title, place: 'overview', refreshes: 15 },
    <>
      <section class={`card ${tone}`}>
        <h1>{sentence}</h1>
        {parts.map(({ title, since, meaning, action, see }) => (
          <p>
            {parts.length > 1 && <b>{title}. </b>}
            <Time before="It began " at={since} after=". " />
            {meaning && <Words of={`${meaning} `} />}
            {action && (
              <>
                <b>What to do:</b> <Words of={forRelay(action, relayOf(c))} />{' '}
              </>
            )}
            {see && <a href={see}>See</a>}
          </p>
        ))}
      </section>
      <div class="row">
        {isPaused ? (
          <Action does="resume" look="main">
            Resume relaying
          </Action>
        ) : (
          <Action does="pause">Pause relaying</Action>
        )}
        {hold && !isPaused && <Action does="resume">Try again now</Action>}
        <span class="soft">
          Checked <Time at={toIso(now)} />.
          <Time before=" Next attempt due " at={known.nextAttemptAt} after="." />
          <Time before=" The oldest that is pending came " at={known.oldestPendingAt} after="." />
        </span>
      </div>
      <div class="desk">
        <section aria-labelledby="problems">
          <h2 id="problems">Problems by cause</h2>
          {parked.causes.length === 0 ? (
            <p>None: no event is dead or quarantined.</p>
          ) : (
            <Table
              caption="Events that need a person"
              rows={parked.causes}
              columns={CAUSE}
              by="Cause"
            />
          )}
        </section>
        <Ledger status={known} />
      </div>
      <Charts hours={hoursOf(points, known, now)} />
      {yesterday && <Yesterday day={yesterday} />}
      <details>
        <summary>Webhook keys: {keys.length}</summary>
        <ul>
          {keys.map(({ fingerprint, name, lastUsedAt }) => (
            <li>
              <code>{fingerprint}</code> {name && `(${name}) `}
              <Time before="last used " at={lastUsedAt} />
              {!lastUsedAt && 'not used yet'}
            </li>
          ))}
        </ul>
        <p class="soft">
          The first six digits of each key’s SHA-256. A key that is no longer used can be retired.
        </p>
      </details>
      <p>
        <a href="/admin/ui/support" download="support.json">
          Support bundle
        </a>{' '}
        (JSON: status, causes, alerts, settings, versions, operators’ log; no secrets, no personal
        data)
      </p>
    </>,
  )
}

const ENDS = ['delivered', 'pending', 'dead', 'quarantined', 'erased'] as const

/** Counted each for itself, and added up here: a person can check it. */
function Ledger({ status }: { status: Answer<'status'> }) {
  const { accepted, forwarded, suppressed, unavailable } = status
  const sum = ENDS.reduce((all, end) => all + status[end], 0)
  const ends = ENDS.map((end) => {
    const number = figure(status[end])
    const listed = href(PLACES.events, { state: end })
    const link = (
      <a href={listed} aria-label={`${number} ${end}`}>
        {number}
      </a>
    )
    return [capitalized(end), end === 'erased' ? number : link] as const
  })
  return (
    <section aria-labelledby="ledger">
      <h2 id="ledger">The ledger of the outbox</h2>
      <Facts of={[['Accepted', figure(accepted)], ...ends]} />
      <p class={sum === accepted ? 'soft' : 'card bad'}>
        {sum === accepted ? 'It balances: ' : 'It does not balance: '}
        {ENDS.map((end) => figure(status[end])).join(' + ')} = {figure(sum)}. Beside it, at least:{' '}
        {count(forwarded, 'event')} forwarded straight to AEP, {figure(suppressed)} of suppressed
        people dropped, {figure(unavailable)} lost. All since the first deployment.
      </p>
    </section>
  )
}

function Yesterday({ day }: { day: Awaited<ReturnType<typeof daysOf>>[number] }) {
  const { received, inAep, refused, lost, late, slowestMs } = day
  return (
    <p>
      <b>Yesterday (UTC)</b>: {figure(received)} received · {figure(inAep)} in AEP ·{' '}
      {figure(refused)} refused · {figure(lost)} lost · {figure(late)} late
      {slowestMs !== null && ` (the slowest ${howLong(slowestMs)})`}.{' '}
      <a href={PLACES.days}>Seven days, by kind and source</a>
    </p>
  )
}

type Cause = Answer<'causes'>['causes'][number]

const filterOf = ({ state, code, path }: Cause) => ({ state, code, path: path ?? NO_PATH })

/** What was refused, grouped by what it has in common: a row each, with what to do about it. */
const CAUSE: readonly Column<Cause>[] = [
  ['Cause', ({ code, path }) => [codeWords(code), path && [' · ', <code>{path}</code>]]],
  ['Kind', ({ kinds }) => (Object.keys(kinds).length === 1 ? Object.keys(kinds) : list(kinds))],
  ['Events', ({ count }) => figure(count), 'n'],
  ['First', ({ firstAt }) => <Time at={firstAt} />, 'at wide'],
  ['Last', ({ lastAt }) => <Time at={lastAt} />, 'at'],
  [
    'To do',
    (cause) => {
      const [number, matching] = [figure(cause.count), href(PLACES.events, filterOf(cause))]
      return (
        <>
          <a href={matching} aria-label={`See ${number}`}>
            See
          </a>{' '}
          <Action does="redrive" values={filterOf(cause)} back={matching}>
            Redrive {number}
          </Action>
        </>
      )
    },
    'acts',
  ],
]

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
const firstHour = (now: number) => (hourNumber(now) - 23) * HOUR_MS

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
    pending = Math.max(pending - countOf(['buffered']) + drained, 0)
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

function Charts({ hours }: { hours: readonly Hour[] }) {
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
