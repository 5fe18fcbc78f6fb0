/** `/admin/ui/events`: a list, one event, and the question before events are deleted. */
import type { PropsWithChildren } from 'hono/jsx'
import { answerOf, count } from '../../alerts/words.ts'
import { STORED_KINDS } from '../../chatlio/kind.ts'
import { type AppContext, type Services, servicesOf } from '../../services.ts'
import { type Answer, COMMANDS, type Input } from '../api.ts'
import { checkForm, checkQuery, NO_PATH } from '../input.ts'
import { causes, deleteMatching, events, eventWithBody } from '../run/events.ts'
import { preview } from '../run/export.ts'
import { find } from '../run/people.ts'
import { status } from '../run/relay.ts'
import { href, type Values, withoutResult } from './addresses.ts'
import { badRequest, respond, respondFault } from './frame.tsx'
import { Action, Button, Choice, Facts, Field, Hidden, Table, Time } from './parts.tsx'
import { CODES, codeWords, MEANINGS, objection, readable, STATES } from './words.ts'

const PATH = '/admin/ui/events'

/** Without a state: whatever came last. */
export async function showEvents(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const { searchParams } = new URL(c.req.url)
  const query = withoutResult(searchParams)
  if (!query.get('state')) query.set('state', 'all')
  if (!query.get('order')) query.set('order', 'newest')
  const checked = checkQuery(COMMANDS.events.takes, query)
  if (!checked.ok) return badRequest(c, checked.detail)
  const { cursor, state } = checked.output
  const redriven =
    searchParams.get('done') === 'redrive' ? Number(searchParams.get('redriven') ?? 0) : 0
  const [page, matching, ledger] = await Promise.all([
    events(services, checked.output),
    countOf(services, checked.output),
    redriven > 0 ? status(services) : null,
  ])
  for (const name of ['cursor', 'order']) query.delete(name)
  const values = Object.fromEntries([...query].filter(([, value]) => value)) as FilterValues
  return respond(
    c,
    { title: state === 'all' ? 'Events' : `${STATES[state]} events`, place: PATH },
    <Events
      {...page}
      events={page.events.map(withoutPast)}
      filter={values}
      matching={matching}
      isFirst={cursor === undefined}
      progress={ledger && { redriven, refused: matching ?? 0, waiting: ledger.pending }}
    />,
  )
}

/** While AEP fails or is on hold, an event's own time for the next attempt passes, and says nothing any more. */
function withoutPast<Item extends { nextAttemptAt: string | null }>(event: Item): Item {
  const { nextAttemptAt: at } = event
  return { ...event, nextAttemptAt: at !== null && Date.parse(at) > Date.now() ? at : null }
}

type Filter = Pick<Input<'events'>, 'state' | 'kind' | 'code' | 'path' | 'day' | 'source' | 'id'>

/** From the causes, which are few; what they do not tell apart, and events that have none, are not counted: `null`. */
async function countOf(services: Services, filter: Filter): Promise<number | null> {
  const { state, kind, code, path, day, source, id } = filter
  if (state === 'pending' || state === 'all') return null
  if ([day, source, id].some((each) => each !== undefined)) return null
  return (await causes(services)).causes
    .filter(
      (cause) =>
        cause.state === state &&
        (code === undefined || cause.code === code) &&
        (path === undefined || cause.path === path),
    )
    .reduce((sum, { count, kinds }) => sum + (kind ? (kinds[kind] ?? 0) : count), 0)
}

export async function showEvent(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const id = c.req.param('id') ?? ''
  const frame = { title: 'Event', place: PATH }
  const stored = await eventWithBody(services, id)
  if (stored) {
    const event = withoutPast(stored.event)
    const body = c.req.query('payload') === '1' ? stored.body : null
    return respond(c, frame, <Event event={event} body={body} />)
  }
  const [receipt] = (await find(services, { id, limit: 1 })).events
  if (receipt) return respond(c, frame, <Delivered receipt={receipt} />)
  return respondFault(
    c,
    404,
    'No such event',
    'It never came, was erased, or was delivered too long ago to be remembered.',
  )
}

export async function showPreview(c: AppContext): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const found = await preview(servicesOf(c.env), { id })
  if (!found) return respondFault(c, 404, 'No such event', 'Only stored events can be looked at.')
  return respond(c, { title: 'What would be sent', place: PATH }, <Preview id={id} of={found} />)
}

function Preview({ id, of: { why, records, masked } }: { id: string; of: Answer<'preview'> }) {
  return (
    <>
      <h1>What would be sent now</h1>
      <p>
        Of <a href={`${PATH}/${id}`}>{id.slice(0, 8)}</a>, with the settings of today. {why}
      </p>
      {masked.length > 0 && (
        <>
          <h2>Masked</h2>
          <ul>
            {masked.map(({ path, text }) => (
              <li>
                <code>{path}</code>: <mark>{text ?? 'left out'}</mark>
              </li>
            ))}
          </ul>
        </>
      )}
      {records.map((record) => (
        <pre>
          <code>{readable(new TextEncoder().encode(JSON.stringify(record, null, 2)))}</code>
        </pre>
      ))}
    </>
  )
}

/** Of one event by its id, whatever its state, of some by theirs, or of all that a filter matches. */
export async function confirmDelete(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const query = new URL(c.req.url).searchParams
  query.delete('back')
  const frame = { title: 'Delete', place: PATH }
  const one = query.get('event')
  if (one) {
    const stored = await eventWithBody(services, one)
    const state = stored?.event.state ?? 'pending'
    const back = stored ? `${PATH}/${one}` : PATH
    return respond(
      c,
      frame,
      <ConfirmDelete state={state} matched={stored ? 1 : 0} filter={{}} back={back}>
        <Action does="deleteEvent" values={{ id: one }} back={href(PATH, { state })} look="no">
          Delete 1 event
        </Action>
      </ConfirmDelete>,
    )
  }
  const checked = checkForm(COMMANDS.deleteMatching.takes, query)
  if (!checked.ok) return badRequest(c, checked.detail)
  const { state, path = undefined, ids, ...rest } = checked.output
  const what = { ...checked.output, dryRun: true }
  const counted = ids
    ? null
    : await countOf(services, { state, ...rest, ...(path !== undefined && { path }) })
  const matched = counted ?? (await deleteMatching(services, what)).matched
  const { ids: _, ...filter } = Object.fromEntries([...query].filter(([, value]) => value))
  const back = href(PATH, filter)
  return respond(
    c,
    frame,
    <ConfirmDelete state={state} matched={matched} filter={filter} back={back}>
      <Action
        does="deleteMatching"
        values={{ ...filter, ...(ids && { ids }) }}
        back={back}
        look="no"
      >
        Delete {count(matched, 'event')}
      </Action>
    </ConfirmDelete>,
  )
}

type ConfirmProps = PropsWithChildren<{
  state: keyof typeof STATES
  matched: number
  /** As in the address. */
  filter: Readonly<Record<string, string>>
  back: string
}>

/** Asks before events are deleted; needs no script. */
function ConfirmDelete({ state, matched, filter, back, children }: ConfirmProps) {
  const narrowed = Object.entries(filter).filter(([name]) => name !== 'state')
  return (
    <>
      <h1>Delete {count(matched, `${STATES[state].toLowerCase()} event`)}?</h1>
      {narrowed.length > 0 && (
        <p>
          Only those with{' '}
          {narrowed.map(([name, value], index) => (
            <>
              {index > 0 && ', '}
              {FILTER_WORDS[name] ?? name} <b>{filterWords(name, value)}</b>
            </>
          ))}
          .
        </p>
      )}
      <p>
        What is deleted is erased here with its payload, and counted as erased. This cannot be
        undone.
      </p>
      <div class="row">
        {matched > 0 && children}
        <a href={back}>Cancel</a>
      </div>
    </>
  )
}

/** Names of filters, and of what they may be, in words. */
const FILTER_WORDS: { readonly [name: string]: string } = {
  kind: 'kind',
  code: 'why',
  path: 'place',
  day: 'day (UTC)',
  source: 'source',
  id: 'an id that begins with',
}

function filterWords(name: string, value: string): string {
  if (name === 'code') return codeWords(value)
  return name === 'path' && value === NO_PATH ? 'none known' : value
}

type Listing = Answer<'events'>
type Shown = Omit<Listing['events'][number], 'state'> & {
  state: keyof typeof STATES
  settledAt?: string | null | undefined
  failedAt?: string | undefined
  code?: string | undefined
  pointer?: string | undefined
}

/** As in the address. */
type FilterValues = { state: keyof typeof MEANINGS } & {
  [Name in 'kind' | 'code' | 'path' | 'day' | 'source' | 'id']?: string
}

/** What came of a redrive, as far as it can be told: `refused` are again in the list that was redriven. */
type Progress = { redriven: number; refused: number; waiting: number }

type EventsProps = Listing & {
  filter: FilterValues
  /** How many match; `null`: not known without reading them all. */
  matching: number | null
  /** Whether these are the first. */
  isFirst: boolean
  progress: Progress | null
}

const { delivered: _, ...LISTED } = STATES
const KINDS = Object.fromEntries(STORED_KINDS.map((kind) => [kind, kind]))
const SOME = 'some'

function Events(props: EventsProps) {
  const { filter, events, cursor, matching, isFirst, progress } = props
  const { state, kind, code, path, day, source, id } = filter
  const name = STATES[state].toLowerCase()
  const isParked = state === 'dead' || state === 'quarantined'
  const narrowed = Object.entries(filter).filter(([name]) => name !== 'state')
  return (
    <>
      <h1>{state === 'all' ? 'Events' : `${STATES[state]} events`}</h1>
      <p class="soft">{MEANINGS[state]}</p>
      {progress && <ProgressOf progress={progress} filter={filter} />}
      <form class="row" action={PATH}>
        <Choice label="State" name="state" value={state} options={LISTED} />
        <Choice label="Kind" name="kind" value={kind} any="any kind" options={KINDS} />
        <Choice label="Why" name="code" value={code} any="any reason" options={CODES} />
        <Field label="Id begins with" name="id" value={id} />
        <Field label="Source" name="source" value={source} placeholder="any" />
        <Field label="Day of receipt (UTC)" name="day" type="date" value={day} />
        {path && <Hidden values={{ path }} />}
        <Button>Filter</Button>
        <a href="/admin/ui/find">By person or conversation</a>
      </form>
      {narrowed.length > 0 && (
        <p class="row">
          {narrowed.map(([each, value]) => (
            <a
              href={href(PATH, { ...filter, [each]: undefined })}
              aria-label={`Without ${FILTER_WORDS[each] ?? each} ${filterWords(each, value)}`}
            >
              {FILTER_WORDS[each] ?? each}: {filterWords(each, value)} ✕
            </a>
          ))}
          {state !== 'all' && <a href={href(PATH, { state })}>All {name}</a>}
        </p>
      )}
      {isParked && events.length > 0 && <Bulk filter={filter} matching={matching} />}
      {events.length === 0 && cursor === null ? (
        <p>{emptyText(filter, isFirst)}</p>
      ) : (
        <EventTable
          caption={`${events.length} shown, the newest first`}
          events={events}
          form={isParked ? SOME : undefined}
        />
      )}
      {isParked && events.length > 0 && (
        <form id={SOME} class="row" method="post" action="/admin/ui/redrive">
          <Hidden values={{ state, back: href(PATH, filter) }} />
          <Button>Redrive the ticked ones</Button>
          <button class="no" type="submit" formaction="/admin/ui/delete" formmethod="get">
            Delete the ticked ones…
          </button>
        </form>
      )}
      <p class="row">
        {!isFirst && <a href={href(PATH, filter)}>Back to the newest</a>}
        {cursor && <a href={href(PATH, { ...filter, cursor })}>Older</a>}
        {(events.length > 0 || cursor) && (
          <a href={href('/admin/ui/export', filter)}>Export all that match (NDJSON)</a>
        )}
      </p>
    </>
  )
}

function emptyText({ state, ...narrower }: FilterValues, isFirst: boolean): string {
  if (!isFirst) return 'There are no more.'
  if (state === 'all' && Object.keys(narrower).length === 0) return 'No webhook has come yet.'
  return `No event matches: nothing is ${state === 'all' ? 'like this' : STATES[state].toLowerCase()} here.`
}

function ProgressOf({ progress, filter }: { progress: Progress; filter: Values }) {
  const { redriven, refused, waiting } = progress
  const back = Math.min(refused, redriven)
  const left = Math.min(waiting, redriven - back)
  return (
    <p class="card">
      Of {count(redriven, 'event')} redriven: {redriven - back - left} accepted or gone, {back} set
      aside again, {left} waiting.{' '}
      <a href={href(PATH, { ...filter, done: 'redrive', redriven })}>How it goes on</a>{' '}
      <a href="/admin/ui/log">In the log</a>
    </p>
  )
}

/** Acts on every match, shown or not. */
function Bulk({ filter, matching }: { filter: Values; matching: number | null }) {
  const back = href(PATH, filter)
  const all = matching === null ? 'all that match' : `these ${matching.toLocaleString('en-US')}`
  return (
    <div class="row">
      {matching !== null && (
        <b>
          {count(matching, 'event')} {matching === 1 ? 'matches' : 'match'}
        </b>
      )}
      <Action does="redrive" values={filter} back={back} look="main">
        Redrive {all}
      </Action>
      <Action does="redrive" values={{ ...filter, dryRun: 1 }} back={back}>
        Dry run
      </Action>
      <a class="b no" href={href('/admin/ui/delete', filter)}>
        Delete {all}…
      </a>
    </div>
  )
}

type EventTableProps = {
  caption: string
  events: readonly Shown[]
  /** The form that ticked ones go with; absent: none are ticked. */
  form?: string | undefined
}

/** A row each: what differs stands in columns of its own. */
export function EventTable({ caption, events, form }: EventTableProps) {
  const heads = ['Received', 'State', 'Kind', 'Event', 'Why']
  return (
    <Table caption={caption} heads={form ? ['Tick', ...heads] : heads} tight>
      {events.map((event) => (
        <tr>
          {form && (
            <td>
              <input
                type="checkbox"
                name="ids"
                value={event.id}
                form={form}
                aria-label={`Tick ${event.id.slice(0, 8)}`}
              />
            </td>
          )}
          <td>
            <Time at={event.receivedAt} />
          </td>
          <td>{STATES[event.state]}</td>
          <td>
            {event.kind}
            {event.source && <small> · {event.source}</small>}
          </td>
          <th scope="row">
            <a href={`${PATH}/${event.id}`} title={event.id}>
              <code>{event.id.slice(0, 8)}</code>
            </a>
          </th>
          <td>
            <Why event={event} />
          </td>
        </tr>
      ))}
    </Table>
  )
}

function Why({ event }: { event: Shown }) {
  const { state, attempts, lastError, nextAttemptAt, settledAt, failedAt, code, pointer } = event
  const words = lastError ? codeWords(lastError.code) : ''
  const message = lastError?.message ?? ''
  return (
    <>
      {words} {message.toLowerCase() !== words.toLowerCase() && <small>{message}</small>}{' '}
      <small>
        {state !== 'delivered' && attempts > 0 && `${count(attempts, 'attempt')}. `}
        {nextAttemptAt && (
          <>
            Next <Time at={nextAttemptAt} />.
          </>
        )}
        {settledAt && (
          <>
            AEP accepted it <Time at={settledAt} />.
          </>
        )}
        {failedAt && (
          <>
            {' '}
            It refused it <Time at={failedAt} />: {objection(code, pointer)}.
          </>
        )}
      </small>
    </>
  )
}

type Detail = Answer<'event'>

/** `body`: the payload, for who asked for it. */
function Event({ event, body }: { event: Detail; body: Uint8Array | null }) {
  const { id, kind, state, receivedAt, bytes, attempts } = event
  const path = `${PATH}/${id}`
  return (
    <>
      <h1>
        {STATES[state]}: {kind}
      </h1>
      <p>
        <code>{id}</code>
      </p>
      <Facts
        of={[
          ['Received', <Time at={receivedAt} />],
          ['Bytes', bytes.toLocaleString('en-US')],
          ['Attempts', attempts],
        ]}
      />
      <div class="row">
        {state !== 'pending' && (
          <Action does="redrive" values={{ ids: id, state }} back={path} look="main">
            Redrive
          </Action>
        )}
        <a class="b no" href={href('/admin/ui/delete', { event: id })}>
          Delete…
        </a>
      </div>
      <h2>What happened</h2>
      <Story event={event} />
      <h2 id="payload">Payload and AEP’s answer</h2>
      <p>
        {!body && (
          <>
            <a href={`${path}?payload=1#payload`}>Show them</a> (personal data).{' '}
          </>
        )}
        <a href={`${path}/body`}>Download the bytes as they came</a>{' '}
        <a href={`/admin/ui/events/${id}/preview`}>What would be sent now</a>
      </p>
      {body && <Payload body={body} answer={event.answer} />}
    </>
  )
}

function Story({ event }: { event: Detail }) {
  const { state, receivedAt, history, attempts, lastError, nextAttemptAt } = event
  const untold = attempts - history.length
  return (
    <ol class="story">
      <li>
        <Time at={receivedAt} exact /> Received and stored.
      </li>
      {untold > 0 && <li>{count(untold, 'earlier attempt')}, of which no more is kept.</li>}
      {history.map(({ at, code, status }) => (
        <li>
          <Time at={at} exact /> {codeWords(code)} (<code>{answerOf(code, status)}</code>).
        </li>
      ))}
      {lastError && (
        <li>
          {STATES[state]}: {attempts === 0 && `${codeWords(lastError.code)}. `}
          <code>{lastError.message}</code>
        </li>
      )}
      <li>
        {nextAttemptAt ? (
          <>
            Next attempt <Time at={nextAttemptAt} />.
          </>
        ) : (
          MEANINGS[state]
        )}
      </li>
    </ol>
  )
}

function Payload({ body, answer }: { body: Uint8Array; answer: string | null }) {
  const text = readable(body)
  return (
    <>
      {text === null ? (
        <p>The bytes are not UTF-8, so they can only be downloaded.</p>
      ) : (
        <pre>
          <code>{text}</code>
        </pre>
      )}
      <h3>AEP’s answer to the last try</h3>
      {answer ? (
        <pre>
          <code>{readable(new TextEncoder().encode(answer))}</code>
        </pre>
      ) : (
        <p>None is kept.</p>
      )}
    </>
  )
}

/** An event that AEP has: only a receipt is left. */
function Delivered({ receipt }: { receipt: Answer<'find'>['events'][number] }) {
  const { id, kind, state, receivedAt, settledAt, via, failedAt, code, pointer } = receipt
  return (
    <>
      <h1>
        {STATES[state]}: {kind}
      </h1>
      <p>
        <code>{id}</code>
      </p>
      <ol class="story">
        <li>
          <Time at={receivedAt} exact /> Received.
        </li>
        {settledAt && (
          <li>
            <Time at={settledAt} exact /> AEP accepted it,{' '}
            {via === 'forwarded' ? 'straight through' : 'sent from the store'}. In AEP its{' '}
            <code>_id</code> is the id above.
          </li>
        )}
        {failedAt && (
          <li>
            <Time at={failedAt} exact /> AEP refused it: {objection(code, pointer)}. It is not in
            the dataset.{' '}
            {state === 'recovered' ? 'It was sent again.' : <code>npm run recover</code>}
          </li>
        )}
      </ol>
      <p>Its payload is not kept here any more.</p>
    </>
  )
}
