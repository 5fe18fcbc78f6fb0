/** `/admin/ui/events/{id}`: one event, stored or delivered, and what would be sent of it now. */
import type { Child, PropsWithChildren } from 'hono/jsx'
import { answerOf, count, forRelay, type RelayName } from '../../alerts/words.ts'
import { REDACT_RULES } from '../../config/config.ts'
import { utf8Bytes } from '../../lib/json.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import type { Answer } from '../api.ts'
import { eventWithBody, preview } from '../run/events.ts'
import { find } from '../run/people.ts'
import { href, PLACES } from './addresses.ts'
import { relayOf, respond, respondFault } from './frame.tsx'
import { Action, EventLink, Time, toCome, Words } from './parts.tsx'
import { capitalized, codeWords, NEXT, objection, readable, type State } from './words.ts'

export async function showEvent(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const id = c.req.param('id') ?? ''
  const frame = { title: 'Event', place: 'events' } as const
  const stored = await eventWithBody(services, id)
  if (stored) {
    const body = c.req.query('payload') === '1' ? stored.body : null
    const due = toCome(stored.event.nextAttemptAt, services.rim.now())
    return respond(c, frame, <Stored event={stored.event} due={due} body={body} />)
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

export async function showPreview(c: AppContext): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const found = await preview(servicesOf(c.env), { id })
  if (!found) return respondFault(c, 404, 'No such event', 'Only stored events can be looked at.')
  const { why, records, masked } = found
  return respond(
    c,
    { title: 'What would be sent', place: 'events' },
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
                <code>{path}</code>:{' '}
                {text === null ? (
                  <mark>left out</mark>
                ) : (
                  text.split(MARKS).map((part, index) => (index % 2 ? <mark>{part}</mark> : part))
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      {records.map((record) => (
        <Text of={JSON.stringify(record, null, 2)} />
      ))}
    </>,
  )
}

const MARKS = new RegExp(`(\\[(?:${REDACT_RULES.join('|')})\\])`)

function Text({ of }: { of: string | Uint8Array }) {
  const text = readable(typeof of === 'string' ? utf8Bytes(of) : of)
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
        {capitalized(state)}: {kind}
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

/** What happened then. */
const Step = ({ at, children }: PropsWithChildren<{ at: string }>) => (
  <li>
    <Time at={at} exact /> {children}
  </li>
)

/** `due`: when the next attempt is; `body`: the payload, for who asked for it. */
type StoredProps = { event: Answer<'event'>; due: string | null; body: Uint8Array | null }

function Stored({ event, due, body }: StoredProps) {
  const { id, state, bytes, attempts, history, lastError } = event
  const path = `${PLACES.events}/${id}`
  const untold = attempts - history.length
  const steps: Child[] = history.map(({ at, code, status }) => (
    <Step at={at}>
      {codeWords(code)} (<code>{answerOf(code, status)}</code>).
    </Step>
  ))
  if (untold > 0 && steps.length > 1)
    steps.splice(1, 0, <li>{count(untold, 'attempt')}, of which no more is kept.</li>)
  return (
    <>
      <Head {...event} facts={`${count(bytes, 'byte')}, ${count(attempts, 'attempt')}`} />
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
      <ol class="story">
        <Step at={event.receivedAt}>Received and stored.</Step>
        {steps}
        {lastError && state !== 'pending' && (
          <li>
            {capitalized(state)}: {attempts === 0 && `${codeWords(lastError.code)}. `}
            <code>{lastError.message}</code>
          </li>
        )}
      </ol>
      <p>
        <b>What is next:</b> <Time before="an attempt, due " at={due} after="." />
        {!due && NEXT[state]}
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

const RECOVERED = 'It was sent again; whether AEP has kept it then, `npm run compare` says.'
const NOT_RECOVERED = 'It is not in the dataset. `npm run recover` sends it again.'

type DeliveredProps = { receipt: Answer<'find'>['events'][number]; relay: RelayName }

/** An event that AEP has: only a receipt is left. */
function Delivered({ receipt, relay }: DeliveredProps) {
  const { state, receivedAt, settledAt, via, bytes, failedAt, code, pointer } = receipt
  return (
    <>
      <Head {...receipt} facts={`${count(bytes, 'byte')}, no longer kept here`} />
      <ol class="story">
        <Step at={receivedAt}>Received.</Step>
        {settledAt && (
          <Step at={settledAt}>
            AEP accepted it, {via === 'forwarded' ? 'forwarded at once' : 'from the outbox'}. In AEP
            its <code>_id</code> is the id above.
          </Step>
        )}
        {failedAt && (
          <Step at={failedAt}>
            AEP refused it: {objection(code, pointer)}.{' '}
            <Words of={forRelay(state === 'recovered' ? RECOVERED : NOT_RECOVERED, relay)} />
          </Step>
        )}
      </ol>
    </>
  )
}
