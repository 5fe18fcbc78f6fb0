/** Stored events of one state: filters, what can be done with all that match, and a page of them. */
import { count } from '../../../alerts/words.ts'
import { STORED_KINDS } from '../../../chatlio/kind.ts'
import type { readEvents } from '../../operations/events.ts'
import { CODES, codeWords, MEANINGS, STATES } from './labels.ts'
import { Action, Button, Choice, Field, href, Table, Time, type Values } from './parts.tsx'

type Listing = Awaited<ReturnType<typeof readEvents>>
export type Shown = Omit<Listing['events'][number], 'state'> & {
  state: keyof typeof STATES
  settledAt?: string | null
}

/** As in the address. */
export type FilterValues = { state: keyof typeof MEANINGS } & {
  [Name in 'kind' | 'code' | 'path' | 'day']?: string
}

export type EventsProps = Listing & {
  filter: FilterValues
  /** How many match; `null`: not known without reading them all. */
  matching: number | null
  /** Whether these are the first. */
  isFirst: boolean
}

const PATH = '/admin/ui/events'
const { delivered: _, ...LISTED } = STATES
const KINDS = Object.fromEntries(STORED_KINDS.map((kind) => [kind, kind]))

export function Events({ filter, events, cursor, matching, isFirst }: EventsProps) {
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
        <Field label="Place at fault" name="path" value={path} />
        <Field label="Day of receipt (UTC)" name="day" type="date" value={day} />
        <Button>Filter</Button>
        {(kind || code || path || day) && <a href={href(PATH, { state })}>All {name}</a>}
      </form>
      {state !== 'pending' && events.length > 0 && <Bulk filter={filter} matching={matching} />}
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
  const all = matching === null ? 'all that match' : `these ${matching.toLocaleString('en-US')}`
  return (
    <div class="row">
      {matching !== null && <b>{count(matching, 'event')} match</b>}
      <Action to="/ui/redrive" values={{ ...filter, dryRun: 1 }}>
        Dry run
      </Action>
      <Action to="/ui/redrive" values={filter}>
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
  return (
    <>
      {lastError ? codeWords(lastError.code) : STATES[state]} <small>{lastError?.message}</small>
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
