/** Drift, alerts, and the days of a week. */
import { ALERTS } from '../../alerts/alerts.ts'
import { count, figure, forRelay, type RelayName, SET_ALERTS } from '../../alerts/words.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import type { Answer } from '../api.ts'
import { operatorOf } from '../routes.ts'
import { alerts, completeness, daysOf, drift, withTranscripts } from '../run/relay.ts'
import { run } from '../run/run.ts'
import { href } from './addresses.ts'
import { EventLink } from './event-table.tsx'
import { relayOf, respond } from './frame.tsx'
import { Action, Table, Time, TimeCell, When, Words } from './parts.tsx'
import { howLong } from './words.ts'

const DRIFT = '/admin/ui/drift'

export async function showDrift(c: AppContext): Promise<Response> {
  return respond(
    c,
    { title: 'Drift', place: DRIFT },
    <Drift {...(await drift(servicesOf(c.env)))} />,
  )
}

/** The result of a test is shown at once: why it failed is a text, and no text goes into an address. */
export async function showAlerts(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const test = c.req.method === 'POST' ? await run(services, operatorOf(c), 'testAlert', {}) : null
  return respond(
    c,
    { title: 'Alerts', place: '/admin/ui/alerts' },
    <Alerts
      {...(await alerts(services))}
      goSomewhere={services.config.alerts.webhook !== null}
      relay={relayOf(c)}
      test={test}
    />,
  )
}

/** Reads more than the other pages do: which conversations have a transcript is looked up in the receipts. */
export async function showDays(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const [counted, transcripts] = await Promise.all([
    daysOf(services, 7),
    completeness(services, { days: 7 }),
  ])
  const days = withTranscripts(counted, transcripts)
  const { alerts, readAccess } = services.config
  return respond(
    c,
    { title: 'Seven days', place: '/admin/ui/days' },
    <Days
      days={days}
      transcripts={transcripts}
      lateMs={alerts.ageMs}
      areCountsRead={readAccess.available}
    />,
  )
}

const DAY_HEADS = [
  '#Received',
  '#In AEP',
  '#Refused',
  '#Lost',
  '#Late',
  '#Slowest',
  '#Without transcript',
]

type DaysProps = {
  days: Answer<'summary'>['days']
  transcripts: Answer<'completeness'>
  lateMs: number
  areCountsRead: boolean
}

function Days({ days, transcripts, lateMs, areCountsRead }: DaysProps) {
  const { available, why, hours, events } = transcripts
  const unnamed = transcripts.days.reduce((sum, day) => sum + day.unnamed, 0)
  return (
    <>
      <h1>Seven days</h1>
      <p class="soft">By UTC day, at least.</p>
      <Table caption="All kinds" heads={['Day', ...DAY_HEADS]} tight="flat">
        {days.map(({ day, withoutTranscript, ...counts }) => (
          <tr>
            <th scope="row" class="at">
              <a href={href('/admin/ui/events', { state: 'all', day })}>
                <Day of={day} />
              </a>
            </th>
            <Numbers of={counts} />
            <td class="n">{withoutTranscript ?? ''}</td>
          </tr>
        ))}
      </Table>
      {days.some(({ rows }) => rows.length > 0) && (
        <Table
          caption="By kind and source"
          heads={['Day', 'Kind', ...DAY_HEADS.slice(0, -1)]}
          tight="flat"
        >
          {days.flatMap(({ day, rows }) =>
            rows.map(({ kind, source, ...counts }) => (
              <tr>
                <td class="at">
                  <Day of={day} />
                </td>
                <th scope="row">
                  {kind} {source && <small>{source}</small>}
                </th>
                <Numbers of={counts} />
              </tr>
            )),
          )}
        </Table>
      )}
      <h2>Chats without a transcript</h2>
      {!available && <p>Not looked at: {why}</p>}
      {available && events.length === 0 && <p>None.</p>}
      {unnamed > 0 && <p>{count(unnamed, 'event')} without a conversation’s id take no part.</p>}
      {events.length > 0 && (
        <ul>
          {events.map(({ id, kind, receivedAt }) => (
            <li>
              <EventLink id={id} /> {kind}, <Time at={receivedAt} />
            </li>
          ))}
        </ul>
      )}
      <h2>How it is counted</h2>
      <p class="soft">
        An isolate that ends loses its last seconds. What was stored is in AEP on the day on which
        it was delivered, and late when that was more than {howLong(lateMs)} after it came. What AEP
        refused after accepting it counts on the day on which it was accepted; what it has lost, and
        not named yet, in the sum of all kinds alone. What was refused, redriven and delivered is in
        both columns.
        {!areCountsRead && ' In AEP is what AEP has acknowledged: its own counts are not read.'} A
        chat is without its transcript {hours} hours after it began; one that an agent discards has
        none on purpose.
      </p>
    </>
  )
}

/** Without its year on a phone, so that what was lost is on the screen. */
function Day({ of: day }: { of: string }) {
  return (
    <>
      <span class="year">{day.slice(0, 5)}</span>
      {day.slice(5)}
    </>
  )
}

type Numbered = Pick<
  Answer<'summary'>['days'][number],
  'received' | 'inAep' | 'refused' | 'lost' | 'late' | 'slowestMs'
>

function Numbers({ of: { received, inAep, refused, lost, late, slowestMs } }: { of: Numbered }) {
  return (
    <>
      {[received, inAep, refused, lost, late].map((number) => (
        <td class="n">{figure(number)}</td>
      ))}
      <td class="n">{slowestMs === null ? '' : howLong(slowestMs)}</td>
    </>
  )
}

const CHANGES = { new: 'New field:', type: 'Other type:', gone: 'No longer sent' } as const

type DriftRows = Answer<'drift'>['rows']

function Drift({ rows }: { rows: DriftRows }) {
  const open = rows.filter(({ accepted }) => !accepted)
  const accepted = rows.filter((row) => row.accepted)
  return (
    <>
      <h1>What Chatlio sends, against what it documents</h1>
      <p class="soft">
        Names and types, never values. Unknown fields of valid events are relayed as they come;
        events that are no longer valid are in quarantine. Accept what is right: it raises no more
        alerts.
      </p>
      {open.length === 0 ? (
        <p>There is no difference to look at.</p>
      ) : (
        <>
          <div class="row">
            <b>{open.length} to look at</b>
            <Action does="acceptDrift" back={DRIFT}>
              Accept all
            </Action>
          </div>
          <ByKind name="To look at" rows={open} />
        </>
      )}
      {accepted.length > 0 && (
        <details>
          <summary>{accepted.length} accepted</summary>
          <ByKind name="Accepted" rows={accepted} />
        </details>
      )}
    </>
  )
}

function ByKind({ name, rows }: { name: string; rows: DriftRows }) {
  return (
    <>
      {[...Map.groupBy(rows, ({ kind }) => kind)].map(([kind, own]) => (
        <DriftTable caption={`${name}, ${kind}: ${own.length}`} rows={own} />
      ))}
    </>
  )
}

function DriftTable({ caption, rows }: { caption: string; rows: DriftRows }) {
  const heads = ['Field', 'Difference', '#Seen', 'Last', 'In', 'Decision']
  return (
    <Table caption={caption} heads={heads} tight="even">
      {rows.map(({ kind, path, change, from, to, sample, count, lastAt, eventId, accepted }) => (
        <tr>
          <th scope="row">
            <code>{path}</code>
          </th>
          <td>
            {CHANGES[change]}{' '}
            {change !== 'gone' && [from, sample ?? to].filter(Boolean).join(' → ')}
          </td>
          <td class="n wide">{figure(count)}</td>
          <TimeCell at={lastAt} />
          <td>
            <EventLink id={eventId} />
          </td>
          <td>
            {accepted ? (
              'Accepted'
            ) : (
              <Action does="acceptDrift" values={{ kind, path, change }} back={DRIFT}>
                Accept
              </Action>
            )}
          </td>
        </tr>
      ))}
    </Table>
  )
}

const ALERT_STATES = { ok: 'Quiet', pending: 'About to fire', firing: 'Firing' } as const
/** What a person should see first stands first. */
const URGENCY = ['firing', 'pending', 'ok'] as const

type AlertsProps = Answer<'alerts'> & {
  /** Whether there is an address that they are sent to. */
  goSomewhere: boolean
  relay: RelayName
  test: Answer<'testAlert'> | null
}

function Alerts({ alerts, goSomewhere, relay, test }: AlertsProps) {
  const urgent = alerts.toSorted((a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state))
  return (
    <>
      <h1>Alerts</h1>
      {test && (
        <p class={`card ${test.sent ? 'ok' : 'bad'}`} role="status">
          {test.sent ? 'The test alert was sent.' : `The test alert was not sent: ${test.error}.`}
        </p>
      )}
      {!goSomewhere && (
        <p class="card warn">
          Alerts go nowhere yet. <b>What to do:</b> <Words of={forRelay(SET_ALERTS, relay)} />
        </p>
      )}
      <Table
        caption="Looked at every five minutes"
        heads={['Alert', 'Name', 'State', 'Since', 'Last message']}
        tight
      >
        {urgent.map(({ name, state, since, lastSentAt, lastError }) => (
          <tr>
            <th scope="row">{ALERTS[name].label}</th>
            <td class="at">
              <code>{name}</code>
            </td>
            <td>{state === 'ok' ? ALERT_STATES.ok : <mark>{ALERT_STATES[state]}</mark>}</td>
            <td class="at">{since && <Time at={since} />}</td>
            <td class={lastSentAt || lastError ? undefined : 'wide'}>
              {lastSentAt ? <When before="sent " at={lastSentAt} /> : !lastError && 'never'}{' '}
              {lastError && <mark>The last was not sent: {lastError}</mark>}
            </td>
          </tr>
        ))}
      </Table>
      <div class="row">
        <Action does="testAlert">Send a test alert</Action>
      </div>
    </>
  )
}
