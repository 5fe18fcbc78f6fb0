/** Events as rows: what differs stands in columns of its own. */
import { count } from '../../alerts/words.ts'
import type { Answer } from '../api.ts'
import { Table, TimeCell, When } from './parts.tsx'
import { codeWords, howLong, objection, stateName } from './words.ts'

export const EVENTS = '/admin/ui/events'

type Shown = Answer<'events'>['events'][number]

type EventTableProps = {
  caption: string
  events: readonly Shown[]
  /** The form that ticked ones go with; absent: none are ticked. */
  form?: string | undefined
}

export function EventTable({ caption, events, form }: EventTableProps) {
  const heads = ['Received (UTC)', 'State', 'Kind', 'Event', 'Why, or how', '#Attempts']
  return (
    <Table caption={caption} heads={form ? ['Tick', ...heads] : heads} tight>
      {events.map((event) => {
        const { id, receivedAt, state, kind, source, attempts } = event
        return (
          <tr>
            {form && (
              <td>
                <input
                  type="checkbox"
                  name="ids"
                  value={id}
                  form={form}
                  aria-label={`Tick ${short(id)}`}
                />
              </td>
            )}
            <TimeCell at={receivedAt} bare />
            <td>{NEEDS_PERSON.has(state) ? <mark>{stateName(state)}</mark> : stateName(state)}</td>
            <td>
              {kind}
              {source && <small> · {source}</small>}
            </td>
            <th scope="row" class="at">
              <EventLink id={id} />
            </th>
            <td>
              <Why event={event} />
            </td>
            <td class="n wide">{attempts}</td>
          </tr>
        )
      })}
    </Table>
  )
}

/** These a person looks for in a list of all. */
const NEEDS_PERSON: ReadonlySet<string> = new Set(['dead', 'quarantined', 'failed'])

const short = (id: string) => id.slice(0, 8)

export function EventLink({ id }: { id: string }) {
  return (
    <a href={`${EVENTS}/${id}`} title={id}>
      <code>{short(id)}</code>
    </a>
  )
}

/** The latest error, or how and how fast the event was delivered. */
function Why({ event }: { event: Shown }) {
  const { lastError, nextAttemptAt, receivedAt, settledAt, via } = event
  const words = lastError ? codeWords(lastError.code) : ''
  const message = lastError?.message.replace(/^AEP answered /, '') ?? ''
  const took = settledAt ? howLong(Date.parse(settledAt) - Date.parse(receivedAt)) : ''
  return (
    <>
      {words}{' '}
      <small>
        {message.toLowerCase() !== words.toLowerCase() && message}
        {took && `${via === 'forwarded' ? 'forwarded' : 'from the outbox'}, ${took}`}
        <When before=" · next due " at={nextAttemptAt} />
      </small>
      <Afterwards of={event} />
    </>
  )
}

/** Why AEP refused the event after it had accepted it. */
function Afterwards({ of: { failedAt, code, pointer } }: { of: Shown }) {
  if (!failedAt) return null
  return <> AEP refused it afterwards: {objection(code, pointer)}</>
}

/** `50 of 1,234 shown`; `of`: how many match, `null`: not known without reading them all. */
export function shownOf(shown: number, of: number | null, hasMore: boolean): string {
  const all = of === null ? '' : ` of ${count(of, 'event')}`
  return `${shown}${all} shown, the newest first${hasMore ? '; older ones follow' : ''}`
}
