/** What is recorded: the days of a week, drift, alerts, and the operators' log with what has become of a redrive. */
import { ALERTS } from '../../alerts/alerts.ts'
import { count, figure, forRelay, SET_ALERTS } from '../../alerts/words.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import { type Answer, COMMANDS } from '../api.ts'
import { checkQuery } from '../input.ts'
import { operatorOf } from '../routes.ts'
import {
  alerts,
  completeness,
  daysOf,
  drift,
  entriesOf,
  entryOf,
  withTranscripts,
} from '../run/relay.ts'
import { run } from '../run/run.ts'
import { href, PLACES } from './addresses.ts'
import { badRequest, relayOf, respond, respondFault } from './frame.tsx'
import { Action, type Column, EventLink, Table, Time, Words } from './parts.tsx'
import { filterWords, howLong, list } from './words.ts'

/** Reads more than the other pages do: which conversations have a transcript is looked up in the receipts. */
export async function showDays(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const [counted, transcripts] = await Promise.all([
    daysOf(services, 7),
    completeness(services, { days: 7 }),
  ])
  const days = withTranscripts(counted, transcripts)
  const { config } = services
  const { available, why, hours, events } = transcripts
  const rows = days.flatMap(({ day, rows }) => rows.map((row) => ({ day, ...row })))
  const unnamed = transcripts.days.reduce((sum, day) => sum + day.unnamed, 0)
  return respond(
    c,
    { title: 'Seven days', place: 'days' },
    <>
      <h1>Seven days</h1>
      <p class="soft">By day, in UTC. The counts are lower bounds.</p>
      <Table caption="All kinds" rows={days} columns={DAY} by="Day" look="tight flat" />
      {rows.length > 0 && (
        <Table
          caption="By kind and source"
          rows={rows}
          columns={DAY_ROW}
          by="Kind"
          look="tight flat"
        />
      )}
      <h2>Chats without a transcript</h2>
      {!available && <p>Not checked: {why}</p>}
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
        An isolate that ends loses the counts of its last seconds. A stored event counts as{' '}
        <i>in AEP</i> on the day it was delivered, and as <i>late</i> when that was more than{' '}
        {howLong(config.alerts.ageMs)} after it came. What AEP refused after accepting it counts as{' '}
        <i>refused</i> on the day it was accepted; what it lost and has not named yet, only in the
        sum of all kinds. An event that was refused, redriven and delivered is in both columns.
        {!config.readAccess.available && (
          <>
            {' '}
            <i>In AEP</i> is what AEP has acknowledged: its own counts are not read.
          </>
        )}{' '}
        A chat counts as <i>without transcript</i> {hours} hours after it began; one that an agent
        discards has none on purpose.
      </p>
    </>,
  )
}

type Day = Answer<'summary'>['days'][number]
type DayRow = Day['rows'][number]

const NUMBERS: readonly Column<Omit<DayRow, 'kind' | 'source'>>[] = [
  ['Received', ({ received }) => figure(received), 'n'],
  ['In AEP', ({ inAep }) => figure(inAep), 'n'],
  ['Refused', ({ refused }) => figure(refused), 'n'],
  ['Lost', ({ lost }) => figure(lost), 'n'],
  ['Late', ({ late }) => figure(late), 'n'],
  ['Slowest', ({ slowestMs }) => slowestMs !== null && howLong(slowestMs), 'n'],
]

const DAY: readonly Column<Day>[] = [
  [
    'Day',
    ({ day }) => <a href={href(PLACES.events, { state: 'all', day })}>{dayParts(day)}</a>,
    'at',
  ],
  ...NUMBERS,
  ['Without transcript', ({ withoutTranscript }) => withoutTranscript, 'n'],
]

const DAY_ROW: readonly Column<DayRow & { day: string }>[] = [
  ['Day', ({ day }) => dayParts(day), 'at'],
  ['Kind', ({ kind, source }) => [kind, ' ', source && <small>{source}</small>]],
  ...NUMBERS,
]

/** Without its year on a phone, so that what was lost is on the screen. */
const dayParts = (day: string) => [<span class="year">{day.slice(0, 5)}</span>, day.slice(5)]

export async function showDrift(c: AppContext): Promise<Response> {
  const { rows } = await drift(servicesOf(c.env))
  const open = rows.filter(({ accepted }) => !accepted)
  const accepted = rows.filter((row) => row.accepted)
  return respond(
    c,
    { title: 'Drift', place: 'drift' },
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
            <Action does="acceptDrift" back={PLACES.drift}>
              Accept all
            </Action>
          </div>
          <Differences name="To look at" rows={open} />
        </>
      )}
      {accepted.length > 0 && (
        <details>
          <summary>{accepted.length} accepted</summary>
          <Differences name="Accepted" rows={accepted} />
        </details>
      )}
    </>,
  )
}

const CHANGES = { new: 'New field:', type: 'Other type:', gone: 'No longer sent' } as const

const DRIFT: readonly Column<Answer<'drift'>['rows'][number]>[] = [
  ['Field', ({ path }) => <code>{path}</code>],
  [
    'Difference',
    ({ change, from, to, sample }) => {
      const types = change === 'gone' ? [] : [from, sample ?? to].filter(Boolean)
      return `${CHANGES[change]} ${types.join(' → ')}`
    },
  ],
  ['Seen', ({ count }) => figure(count), 'n wide'],
  ['Last', ({ lastAt }) => <Time at={lastAt} />, 'at'],
  ['In', ({ eventId }) => <EventLink id={eventId} />],
  [
    'Decision',
    ({ kind, path, change, accepted }) =>
      accepted ? (
        'Accepted'
      ) : (
        <Action does="acceptDrift" values={{ kind, path, change }} back={PLACES.drift}>
          Accept
        </Action>
      ),
  ],
]

/** A table for each kind. */
function Differences({ name, rows }: { name: string } & Answer<'drift'>) {
  const byKind = [...Map.groupBy(rows, ({ kind }) => kind)]
  return (
    <>
      {byKind.map(([kind, own]) => {
        const caption = `${name}, ${kind}: ${own.length}`
        return <Table caption={caption} rows={own} columns={DRIFT} by="Field" look="tight even" />
      })}
    </>
  )
}

/** What a person should see first stands first. */
const ALERT_STATES = { firing: 'Firing', pending: 'About to fire', ok: 'Quiet' } as const

const ALERT: readonly Column<Answer<'alerts'>['alerts'][number]>[] = [
  ['Alert', ({ name }) => ALERTS[name].label],
  ['Name', ({ name }) => <code>{name}</code>, 'at'],
  ['State', ({ state }) => (state === 'ok' ? 'Quiet' : <mark>{ALERT_STATES[state]}</mark>)],
  ['Since', ({ since }) => <Time at={since} />, 'at'],
  [
    'Last message',
    ({ lastSentAt, lastError }) => [
      lastSentAt || lastError ? <Time before="sent " at={lastSentAt} /> : 'never',
      ' ',
      lastError && <mark>The last was not sent: {lastError}</mark>,
    ],
    ({ lastSentAt, lastError }) => (lastSentAt || lastError ? undefined : 'wide'),
  ],
]

/** The result of a test is shown at once: why it failed is a text, and no text goes into an address. */
export async function showAlerts(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const isTest = c.req.method === 'POST'
  const test = isTest && (await run(services, operatorOf(c), 'testAlert', {})).answer
  const known = (await alerts(services)).alerts
  const urgent = Object.keys(ALERT_STATES).flatMap((is) =>
    known.filter(({ state }) => state === is),
  )
  return respond(
    c,
    { title: 'Alerts', place: 'alerts' },
    <>
      <h1>Alerts</h1>
      {test && (
        <p class={`card ${test.sent ? 'ok' : 'bad'}`} role="status">
          {test.sent ? 'The test alert was sent.' : `The test alert was not sent: ${test.error}.`}
        </p>
      )}
      {!services.config.alerts.webhook && (
        <p class="card warn">
          Alerts go nowhere yet. <b>What to do:</b> <Words of={forRelay(SET_ALERTS, relayOf(c))} />
        </p>
      )}
      <Table caption="Checked every five minutes" rows={urgent} columns={ALERT} by="Alert" />
      <div class="row">
        <Action does="testAlert">Send a test alert</Action>
      </div>
    </>,
  )
}

export async function showLog(c: AppContext): Promise<Response> {
  const query = checkQuery(COMMANDS.log.takes, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(c, query.detail)
  const { entries, cursor } = await entriesOf(servicesOf(c.env), query.output)
  return respond(
    c,
    { title: 'Log', place: 'log' },
    <>
      <h1>What operators did</h1>
      {entries.length === 0 ? (
        <p>Nothing in the last 90 days.</p>
      ) : (
        <Table caption="The newest first, for 90 days" rows={entries} columns={ENTRY} by="What" />
      )}
      {cursor && (
        <p>
          <a href={href(PLACES.log, { cursor })}>Older</a>
        </p>
      )}
    </>,
  )
}

export async function showEntry(c: AppContext): Promise<Response> {
  const entry = await entryOf(servicesOf(c.env), Number(c.req.param('entry')) || 0)
  if (!entry) return respondFault(c, 404, 'No such entry', 'Entries are kept for 90 days.')
  return respond(
    c,
    { title: 'Log', place: 'log', refreshes: progressSeconds(entry) },
    <>
      <h1>What an operator did</h1>
      <Table caption={`Entry ${entry.position}`} rows={[entry]} columns={ENTRY} by="What" />
      <Progress entry={entry} />
      <p>
        <a href={PLACES.log}>The whole log</a>
      </p>
    </>,
  )
}

const ENTRY: readonly Column<
  Pick<Entry, 'position' | 'at' | 'by' | 'action' | 'filter' | 'counts'>
>[] = [
  ['When (UTC)', ({ at }) => <Time at={at} bare />, 'at'],
  ['Who', ({ by }) => (by === 'token' ? 'admin token' : by)],
  [
    'What',
    ({ position, action }) => (
      <a href={`${PLACES.log}/${position}`}>{action.replaceAll('-', ' ')}</a>
    ),
  ],
  ['To what', ({ filter }) => Object.entries(filter).map(filterWords).join(', ')],
  ['How many', ({ counts }) => list(counts)],
]

type Entry = NonNullable<Awaited<ReturnType<typeof entryOf>>>

/** How often the page refreshes while some are pending, in seconds. */
export const progressSeconds = (entry: Entry | null) => (entry?.progress?.pending ? 3 : undefined)

/** Nothing, where nothing was redriven. `link`: to the entry in the log. */
export function Progress({ entry, link }: { entry: Entry; link?: boolean }) {
  const { position, counts, progress } = entry
  if (!progress) return null
  const { pending, dead, quarantined, gone, someErased } = progress
  const watched = pending + dead + quarantined + gone
  const { redriven = watched } = counts
  return (
    <p class="card">
      Of {watched < redriven && `the first ${figure(watched)} of `}
      {figure(redriven)} redriven:{' '}
      <b>
        {figure(gone)} accepted{someErased && ' or erased since'}, {figure(dead + quarantined)}{' '}
        refused again, {figure(pending)} pending
      </b>
      . {link && <a href={`${PLACES.log}/${position}`}>In the log</a>}
    </p>
  )
}
