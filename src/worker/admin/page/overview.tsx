/** The overview: how things are, what to do, the ledger, problems by cause, the last 24 hours, yesterday. */
import { count, figure } from '../../alerts/words.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import type { Answer } from '../api.ts'
import { NO_PATH } from '../input.ts'
import { causes } from '../run/events.ts'
import { activity, alerts, daysOf, status } from '../run/relay.ts'
import { href } from './addresses.ts'
import { Charts, firstHour, type Hour, hoursOf } from './chart.tsx'
import { EVENTS } from './event-table.tsx'
import { relayOf, respond } from './frame.tsx'
import { Action, Facts, Table, Time, TimeCell, When, Words } from './parts.tsx'
import { type Part, type Said, sayHow } from './sentences.ts'
import { codeWords, howLong, list, type State } from './words.ts'

export async function showOverview(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const { config, rim } = services
  const now = rim.now()
  const [known, { points }, parked, reasons, states, days, landed] = await Promise.all([
    status(services),
    activity(services, { step: 'hour', from: firstHour(now) }),
    causes(services),
    services.health.reasons(),
    alerts(services),
    daysOf(services, 2),
    config.readAccess.available ? services.outbox().landed() : null,
  ])
  const { pending, hold, dead, quarantined } = known
  const need = dead + quarantined
  const used = known.keys.some(({ lastUsedAt }) => lastUsedAt !== null)
  const said = sayHow({
    relay: relayOf(c),
    reasons,
    pending,
    hold,
    need,
    letsIn: config.webhookKeys.length > 0,
    alerts: states.alerts,
    hasCome: used || known.accepted + known.forwarded > 0,
    alertsGo: config.alerts.webhook !== null,
    problems: config.problems,
    landed,
  })
  return respond(
    c,
    {
      title: `${need > 0 ? `(${need}) ` : ''}${said.sentence}`,
      place: '/admin',
      refreshes: 15,
    },
    <Overview
      status={known}
      said={said}
      hours={hoursOf(points, known, now)}
      causes={parked.causes}
      yesterday={days[1] ?? null}
      now={toIso(now)}
    />,
  )
}

type Status = Answer<'status'>

type OverviewProps = {
  status: Status
  said: Said
  hours: readonly Hour[]
  causes: Answer<'causes'>['causes']
  yesterday: Day | null
  now: string
}

function Overview({ status, said, hours, causes, yesterday, now }: OverviewProps) {
  const paused = status.hold?.reason === 'paused'
  return (
    <>
      <How said={said} />
      <div class="row">
        {paused ? (
          <Action does="resume" look="main">
            Resume relaying
          </Action>
        ) : (
          <Action does="pause">Pause relaying</Action>
        )}
        {status.hold && !paused && <Action does="resume">Try again now</Action>}
        <span class="soft">
          Looked at <Time at={now} />.
          <When before=" Next attempt due " at={status.nextAttemptAt} after="." />
          <When before=" The oldest that is pending came " at={status.oldestPendingAt} after="." />
        </span>
      </div>
      <div class="desk">
        <Causes causes={causes} />
        <Ledger status={status} />
      </div>
      <Charts hours={hours} />
      {yesterday && <Yesterday day={yesterday} />}
      <Keys keys={status.keys} />
      <p>
        <a href="/admin/ui/support" download="support.json">
          Support bundle
        </a>{' '}
        (JSON: status, causes, alerts, settings, versions, operators’ log; no secrets, no personal
        data)
      </p>
    </>
  )
}

function How({ said: { tone, sentence, parts } }: { said: Said }) {
  return (
    <section class={`card ${tone}`}>
      <h1>{sentence}</h1>
      {parts.map((part) => (
        <PartOf part={part} named={parts.length > 1} />
      ))}
    </section>
  )
}

/** `named`: there are others. */
function PartOf({ part, named }: { part: Part; named: boolean }) {
  const { title, since, meaning, action, see } = part
  return (
    <p>
      {named && <b>{title}. </b>}
      <When before="It began " at={since} after=". " />
      {meaning && <Words of={`${meaning} `} />}
      {action && (
        <>
          <b>What to do:</b> <Words of={action} />{' '}
        </>
      )}
      {see && <a href={see}>See</a>}
    </p>
  )
}

/** Counted each for itself, and added up here: a person can check it. */
function Ledger({ status }: { status: Status }) {
  const { accepted, delivered, pending, dead, quarantined, erased } = status
  const { forwarded, suppressed, unavailable } = status
  const ends = [delivered, pending, dead, quarantined, erased]
  const sum = ends.reduce((all, each) => all + each, 0)
  const link = (state: State, number: number) => (
    <a href={href(EVENTS, { state })} aria-label={`${figure(number)} ${state}`}>
      {figure(number)}
    </a>
  )
  return (
    <section aria-labelledby="ledger">
      <h2 id="ledger">The ledger of the outbox</h2>
      <Facts
        of={[
          ['Accepted', figure(accepted)],
          ['Delivered', link('delivered', delivered)],
          ['Pending', link('pending', pending)],
          ['Dead', link('dead', dead)],
          ['Quarantined', link('quarantined', quarantined)],
          ['Erased', figure(erased)],
        ]}
      />
      <p class={sum === accepted ? 'soft' : 'card bad'}>
        {sum === accepted ? 'It balances: ' : 'It does not balance: '}
        {ends.map((each) => figure(each)).join(' + ')} = {figure(sum)}. Beside it, at least:{' '}
        {count(forwarded, 'event')} forwarded straight to AEP, {figure(suppressed)} of suppressed
        people dropped, {figure(unavailable)} lost. All since the first deployment.
      </p>
    </section>
  )
}

function Keys({ keys }: { keys: Status['keys'] }) {
  return (
    <details>
      <summary>Webhook keys: {keys.length}</summary>
      <ul>
        {keys.map(({ fingerprint, name, lastUsedAt }) => (
          <li>
            <code>{fingerprint}</code> {name && `(${name}) `}
            <When before="last used " at={lastUsedAt} />
            {!lastUsedAt && 'not used yet'}
          </li>
        ))}
      </ul>
      <p class="soft">
        The first six digits of each key’s SHA-256. A key that is no longer used can be retired.
      </p>
    </details>
  )
}

type Day = Awaited<ReturnType<typeof daysOf>>[number]

function Yesterday({ day }: { day: Day }) {
  const { received, inAep, refused, lost, late, slowestMs } = day
  return (
    <p>
      <b>Yesterday (UTC)</b>: {figure(received)} received · {figure(inAep)} in AEP ·{' '}
      {figure(refused)} refused · {figure(lost)} lost · {figure(late)} late
      {slowestMs !== null && ` (the slowest ${howLong(slowestMs)})`}.{' '}
      <a href="/admin/ui/days">Seven days, by kind and source</a>
    </p>
  )
}

/** What was refused, grouped by what it has in common: a row each, with what to do about it. */
function Causes({ causes }: { causes: Answer<'causes'>['causes'] }) {
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">Problems by cause</h2>
      {causes.length === 0 ? (
        <p>None: no event is dead or quarantined.</p>
      ) : (
        <Table
          caption="Events that need a person"
          heads={['Cause', 'Kind', '#Events', 'First', 'Last', 'To do']}
          tight
        >
          {causes.map((cause) => (
            <CauseRow cause={cause} />
          ))}
        </Table>
      )}
    </section>
  )
}

function CauseRow({ cause }: { cause: Answer<'causes'>['causes'][number] }) {
  const { state, code, path, firstAt, lastAt, kinds } = cause
  const filter = { state, code, path: path ?? NO_PATH }
  const matching = href(EVENTS, filter)
  const number = figure(cause.count)
  const names = Object.keys(kinds)
  return (
    <tr>
      <th scope="row">
        {codeWords(code)}
        {path && [' · ', <code>{path}</code>]}
      </th>
      <td>{names.length === 1 ? names[0] : list(kinds)}</td>
      <td class="n">{number}</td>
      <TimeCell at={firstAt} wide />
      <TimeCell at={lastAt} />
      <td class="acts">
        <a href={matching} aria-label={`See ${number}`}>
          See
        </a>{' '}
        <Action does="redrive" values={filter} back={matching}>
          Redrive {number}
        </Action>
      </td>
    </tr>
  )
}
