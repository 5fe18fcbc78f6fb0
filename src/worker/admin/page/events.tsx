/** `/admin/ui/events`: a list, one event, and the question before events are deleted. */
import type { PropsWithChildren } from 'hono/jsx'
import { answerOf, count } from '../../alerts/words.ts'
import { STORED_KINDS } from '../../chatlio/kind.ts'
import { type AppContext, type Services, servicesOf } from '../../services.ts'
import { type Answer, COMMANDS, type Input } from '../api.ts'
import { checkForm, checkQuery } from '../input.ts'
import { causes, deleteMatching, events, eventWithBody } from '../run/events.ts'
import { find } from '../run/people.ts'
import { href, type Values, withoutResult } from './addresses.ts'
import { badRequest, respond, respondFault } from './frame.tsx'
import { Action, Button, Choice, Facts, Field, Table, Time } from './parts.tsx'
import { CODES, codeWords, MEANINGS, readable, STATES } from './words.ts'

const PATH = '/admin/ui/events'

export async function showEvents(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const query = withoutResult(new URL(c.req.url).searchParams)
  if (!query.get('state')) query.set('state', 'pending')
  const checked = checkQuery(COMMANDS.events.takes, query)
  if (!checked.ok) return badRequest(c, checked.detail)
  const { cursor, state } = checked.output
  const [page, matching] = await Promise.all([
    events(services, checked.output),
    countOf(services, checked.output),
  ])
  query.delete('cursor')
  const values = Object.fromEntries([...query].filter(([, value]) => value)) as FilterValues
  return respond(
    c,
    { title: `${STATES[state]} events`, place: PATH },
    <Events
      {...page}
      events={page.events.map(withoutPast)}
      filter={values}
      matching={matching}
      isFirst={cursor === undefined}
    />,
  )
}

/** While AEP fails or is on hold, an event's own time for the next attempt passes, and says nothing any more. */
function withoutPast<Item extends { nextAttemptAt: string | null }>(event: Item): Item {
  const { nextAttemptAt: at } = event
  return { ...event, nextAttemptAt: at !== null && Date.parse(at) > Date.now() ? at : null }
}

type Filter = Pick<Input<'events'>, 'state' | 'kind' | 'code' | 'path' | 'day'>

/** From the causes, which are few; a day is not among what they tell apart, and pending events have none: `null`. */
async function countOf(services: Services, filter: Filter): Promise<number | null> {
  const { state, kind, code, path, day } = filter
  if (state === 'pending' || day !== undefined) return null
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

/** Of one event by its id, whatever its state, or of all that a filter matches. */
export async function confirmDelete(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const query = new URL(c.req.url).searchParams
  const id = query.get('id')
  const frame = { title: 'Delete', place: PATH }
  if (id) {
    const stored = await eventWithBody(services, id)
    const state = stored?.event.state ?? 'pending'
    return respond(
      c,
      frame,
      <ConfirmDelete state={state} matched={stored ? 1 : 0} back={stored ? `${PATH}/${id}` : PATH}>
        <Action does="deleteEvent" values={{ id }} back={href(PATH, { state })} look="no">
          Delete 1 event
        </Action>
      </ConfirmDelete>,
    )
  }
  const checked = checkForm(COMMANDS.deleteMatching.takes, query)
  if (!checked.ok) return badRequest(c, checked.detail)
  const { state, path = undefined, ...rest } = checked.output
  const what = { ...checked.output, dryRun: true }
  const matched =
    (await countOf(services, { state, ...rest, ...(path !== undefined && { path }) })) ??
    (await deleteMatching(services, what)).matched
  const values = Object.fromEntries(query)
  const back = href(PATH, values)
  return respond(
    c,
    frame,
    <ConfirmDelete state={state} matched={matched} back={back}>
      <Action does="deleteMatching" values={values} back={back} look="no">
        Delete {count(matched, 'event')}
      </Action>
    </ConfirmDelete>,
  )
}

type ConfirmProps = PropsWithChildren<{
  state: keyof typeof STATES
  matched: number
  back: string
}>

/** Asks before events are deleted; needs no script. */
function ConfirmDelete({ state, matched, back, children }: ConfirmProps) {
  return (
    <>
      <h1>Delete {count(matched, `${STATES[state].toLowerCase()} event`)}?</h1>
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

type Listing = Answer<'events'>
type Shown = Omit<Listing['events'][number], 'state'> & {
  state: keyof typeof STATES
  settledAt?: string | null | undefined
}

/** As in the address. */
type FilterValues = { state: keyof typeof MEANINGS } & {
  [Name in 'kind' | 'code' | 'path' | 'day']?: string
}

type EventsProps = Listing & {
  filter: FilterValues
  /** How many match; `null`: not known without reading them all. */
  matching: number | null
  /** Whether these are the first. */
  isFirst: boolean
}

const { delivered: _, ...LISTED } = STATES
const KINDS = Object.fromEntries(STORED_KINDS.map((kind) => [kind, kind]))

function Events({ filter, events, cursor, matching, isFirst }: EventsProps) {
  const { state, kind, code, path, day } = filter
  const name = STATES[state].toLowerCase()
  return (
    <>
      <h1>{STATES[state]} events</h1>
      <p class="soft">{MEANINGS[state]}</p>
      <form class="row" action={PATH}>
        <Choice label="State" name="state" value={state} options={LISTED} />
        <Choice label="Kind" name="kind" value={kind} any="any kind" options={KINDS} />
        <Choice label="Why" name="code" value={code} any="any reason" options={CODES} />
        <Field label="Place (-: none)" name="path" value={path} />
        <Field label="Day of receipt (UTC)" name="day" type="date" value={day} />
        <Button>Filter</Button>
        {(kind || code || path || day) && <a href={href(PATH, { state })}>All {name}</a>}
      </form>
      {state !== 'pending' && events.length > 0 && (
        <Bulk filter={{ state, kind, code, path, day }} matching={matching} />
      )}
      {events.length === 0 && cursor === null ? (
        <p>{isFirst ? `No event matches: nothing is ${name} here.` : 'There are no more.'}</p>
      ) : (
        <EventTable caption={`${events.length} shown, the oldest first`} events={events} />
      )}
      <p class="row">
        {!isFirst && <a href={href(PATH, filter)}>Back to the oldest</a>}
        {cursor && <a href={href(PATH, { ...filter, cursor })}>Newer</a>}
      </p>
    </>
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
      <Action does="redrive" values={{ ...filter, dryRun: 1 }} back={back}>
        Dry run
      </Action>
      <Action does="redrive" values={filter} back={back}>
        Redrive {all}
      </Action>
      <a class="b no" href={href('/admin/ui/delete', filter)}>
        Delete {all}…
      </a>
    </div>
  )
}

export function EventTable({ caption, events }: { caption: string; events: readonly Shown[] }) {
  return (
    <Table caption={caption} heads={['Event', 'Received', 'Why']}>
      {events.map((event) => (
        <tr>
          <th scope="row">
            <a href={`${PATH}/${event.id}`}>
              <code>{event.id.slice(0, 8)}</code>
            </a>
            <br />
            <small>{event.kind}</small>
          </th>
          <td>
            <Time at={event.receivedAt} />
          </td>
          <td>
            <Why event={event} />
          </td>
        </tr>
      ))}
    </Table>
  )
}

function Why({ event }: { event: Shown }) {
  const { state, attempts, lastError, nextAttemptAt, settledAt } = event
  const words = lastError ? codeWords(lastError.code) : STATES[state]
  const message = lastError?.message ?? ''
  return (
    <>
      {words} {message.toLowerCase() !== words.toLowerCase() && <small>{message}</small>}
      <br />
      <small>
        {attempts > 0 && `${count(attempts, 'attempt')}. `}
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
        <a class="b no" href={href('/admin/ui/delete', { id })}>
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
        <a href={`${path}/body`}>Download the bytes as they came</a>
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
  const { id, kind, receivedAt, settledAt, via } = receipt
  return (
    <>
      <h1>Delivered: {kind}</h1>
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
      </ol>
      <p>Its payload is not kept here any more.</p>
    </>
  )
}
