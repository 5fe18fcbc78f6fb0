/** `/admin/ui/events/{id}`: one event, stored or delivered, and what would be sent of it now. */
import { answerOf, count, forRelay, type RelayName } from '../../alerts/words.ts'
import { REDACT_RULES } from '../../config/config.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import type { Answer } from '../api.ts'
import { eventWithBody, preview } from '../run/events.ts'
import { find } from '../run/people.ts'
import { href } from './addresses.ts'
import { EVENTS, EventLink } from './event-table.tsx'
import { relayOf, respond, respondFault } from './frame.tsx'
import { Action, Time, When, Words } from './parts.tsx'
import { codeWords, NEXT, objection, readable, type State, stateName } from './words.ts'

export async function showEvent(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const id = c.req.param('id') ?? ''
  const frame = { title: 'Event', place: EVENTS }
  const stored = await eventWithBody(services, id)
  if (stored) {
    const body = c.req.query('payload') === '1' ? stored.body : null
    return respond(c, frame, <Event event={withoutPast(stored.event)} body={body} />)
  }
  const [receipt] = (await find(services, { id, limit: 1 })).events
  if (receipt) return respond(c, frame, <Delivered receipt={receipt} relay={relayOf(c)} />)
  return respondFault(
    c,
    404,
    'No such event',
    'It never came, was erased or suppressed, or was delivered too long ago to be remembered.',
  )
}

const RECOVERED = 'It was sent again; whether AEP has kept it then, `npm run compare` says.'
const NOT_RECOVERED = 'It is not in the dataset. `npm run recover` sends it again.'

/** While AEP fails or is on hold, an event's own time for the next attempt passes, and says nothing any more. */
export function withoutPast<Item extends { nextAttemptAt: string | null }>(event: Item): Item {
  const { nextAttemptAt: at } = event
  return { ...event, nextAttemptAt: at !== null && Date.parse(at) > Date.now() ? at : null }
}

export async function showPreview(c: AppContext): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const found = await preview(servicesOf(c.env), { id })
  if (!found) return respondFault(c, 404, 'No such event', 'Only stored events can be looked at.')
  return respond(c, { title: 'What would be sent', place: EVENTS }, <Preview id={id} of={found} />)
}

function Preview({ id, of: { why, records, masked } }: { id: string; of: Answer<'preview'> }) {
  return (
    <>
      <h1>What would be sent now</h1>
      <p>
        Of <EventLink id={id} />, with the settings of today. {why}
      </p>
      {masked.length > 0 && (
        <>
          <h2>Masked</h2>
          <ul>
            {masked.map(({ path, text }) => (
              <li>
                <code>{path}</code>: <Masked text={text} />
              </li>
            ))}
          </ul>
        </>
      )}
      {records.map((record) => (
        <Text of={JSON.stringify(record, null, 2)} />
      ))}
    </>
  )
}

const MARKS = new RegExp(`(\\[(?:${REDACT_RULES.join('|')})\\])`)

/** `null`: all of it is left out. */
function Masked({ text }: { text: string | null }) {
  if (text === null) return <mark>left out</mark>
  return <>{text.split(MARKS).map((part, index) => (index % 2 ? <mark>{part}</mark> : part))}</>
}

function Text({ of }: { of: string | Uint8Array }) {
  const text = readable(typeof of === 'string' ? new TextEncoder().encode(of) : of)
  if (text === null) return <p>The bytes are not UTF-8, so they can only be downloaded.</p>
  return (
    <pre tabindex={0}>
      <code>{text}</code>
    </pre>
  )
}

type HeadProps = { id: string; kind: string; source: string | null; state: State; facts: string }

function Head({ id, kind, source, state, facts }: HeadProps) {
  return (
    <>
      <h1>
        {stateName(state)}: {kind}
      </h1>
      <p>
        <code>{id}</code>
      </p>
      <p class="soft">
        {facts}
        {source && `, source ${source}`}
      </p>
    </>
  )
}

type Detail = Answer<'event'>

/** `body`: the payload, for who asked for it. */
function Event({ event, body }: { event: Detail; body: Uint8Array | null }) {
  const { id, state, bytes, attempts, nextAttemptAt } = event
  const path = `${EVENTS}/${id}`
  const facts = `${count(bytes, 'byte')}, ${count(attempts, 'attempt')}`
  return (
    <>
      <Head {...event} facts={facts} />
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
      <p>
        <b>What is next:</b> <When before="an attempt, due " at={nextAttemptAt} after="." />
        {!nextAttemptAt && NEXT[state]}
      </p>
      <h2 id="payload">Payload and AEP’s answer</h2>
      <p class="row">
        {!body && (
          <span>
            <a href={`${path}?payload=1#payload`}>Show them</a> (personal data)
          </span>
        )}
        <a href={`${path}/body`} download={`${id}.json`}>
          Download the bytes as they came
        </a>
        <a href={`${path}/preview`}>What would be sent now</a>
      </p>
      {body && (
        <>
          <Text of={body} />
          <h3>AEP’s answer to the last attempt</h3>
          {event.answer ? <Text of={event.answer} /> : <p>None is kept.</p>}
        </>
      )}
    </>
  )
}

function Story({ event }: { event: Detail }) {
  const { state, receivedAt, history, attempts, lastError } = event
  const untold = attempts - history.length
  return (
    <ol class="story">
      <li>
        <Time at={receivedAt} exact /> Received and stored.
      </li>
      {history.map(({ at, code, status }, index) => (
        <>
          {index === 1 && untold > 0 && (
            <li>{count(untold, 'attempt')}, of which no more is kept.</li>
          )}
          <li>
            <Time at={at} exact /> {codeWords(code)} (<code>{answerOf(code, status)}</code>).
          </li>
        </>
      ))}
      {lastError && state !== 'pending' && (
        <li>
          {stateName(state)}: {attempts === 0 && `${codeWords(lastError.code)}. `}
          <code>{lastError.message}</code>
        </li>
      )}
    </ol>
  )
}

/** An event that AEP has: only a receipt is left. */
type DeliveredProps = { receipt: Answer<'find'>['events'][number]; relay: RelayName }

function Delivered({ receipt, relay }: DeliveredProps) {
  const { state, receivedAt, settledAt, via, bytes, failedAt, code, pointer } = receipt
  return (
    <>
      <Head {...receipt} facts={`${count(bytes, 'byte')}, no longer kept here`} />
      <ol class="story">
        <li>
          <Time at={receivedAt} exact /> Received.
        </li>
        {settledAt && (
          <li>
            <Time at={settledAt} exact /> AEP accepted it,{' '}
            {via === 'forwarded' ? 'forwarded at once' : 'from the outbox'}. In AEP its{' '}
            <code>_id</code> is the id above.
          </li>
        )}
        {failedAt && (
          <li>
            <Time at={failedAt} exact /> AEP refused it: {objection(code, pointer)}.{' '}
            <Words of={forRelay(state === 'recovered' ? RECOVERED : NOT_RECOVERED, relay)} />
          </li>
        )}
      </ol>
    </>
  )
}
