/** One event: what it is, what happened to it, what comes next, and its payload for those who ask. */
import { answerOf, count } from '../../../alerts/words.ts'
import type { readEvent } from '../../operations/events.ts'
import { codeWords, MEANINGS, STATES } from './labels.ts'
import { Action, Facts, href, Time } from './parts.tsx'
import { readable } from './readable.ts'

export type Detail = NonNullable<Awaited<ReturnType<typeof readEvent>>>

export function Event({ event, withPayload }: { event: Detail; withPayload: boolean }) {
  const { id, kind, state, receivedAt, bytes, attempts } = event
  const path = `/admin/ui/events/${id}`
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
          <Action to="/ui/redrive" values={{ id, state }} look="main">
            Redrive
          </Action>
        )}
        <a class="b no" href={href('/admin/ui/delete', { id, state })}>
          Delete…
        </a>
      </div>
      <h2>What happened</h2>
      <Story event={event} />
      <h2 id="payload">Payload and AEP’s answer</h2>
      <p>
        {!withPayload && (
          <>
            <a href={`${path}?payload=1#payload`}>Show them</a> (personal data).{' '}
          </>
        )}
        <a href={`${path}/body`}>Download the bytes as they came</a>
      </p>
      {withPayload && <Payload event={event} />}
    </>
  )
}

function Story({ event }: { event: Detail }) {
  const { state, receivedAt, tries, attempts, lastError, nextAttemptAt } = event
  const untold = attempts - tries.length
  return (
    <ol class="story">
      <li>
        <Time at={receivedAt} exact /> Received and stored.
      </li>
      {untold > 0 && <li>{count(untold, 'earlier attempt')}, of which no more is kept.</li>}
      {tries.map(({ at, code, status }) => (
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

function Payload({ event: { body, answer } }: { event: Detail }) {
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

export type Receipt = {
  kind: string
  receivedAt: string
  settledAt: string | null
  via: string | null
}

/** An event that AEP has: only a receipt is left. */
export function Delivered({ id, receipt }: { id: string; receipt: Receipt }) {
  const { kind, receivedAt, settledAt, via } = receipt
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
