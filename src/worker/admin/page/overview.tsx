/** The overview: how things are, what to do, the ledger, problems by cause, the last 24 hours, yesterday. */
import { count, figure, forRelay } from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import type { Answer } from '../api.ts'
import { NO_PATH } from '../input.ts'
import { causes } from '../run/events.ts'
import { activity, alerts, daysOf, status } from '../run/relay.ts'
import { href, PLACES } from './addresses.ts'
import { Charts, firstHour, hoursOf } from './chart.tsx'
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
          Looked at <Time at={toIso(now)} />.
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
