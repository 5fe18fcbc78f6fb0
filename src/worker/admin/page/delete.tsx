/** `/admin/ui/delete`: the question before events are deleted. It names them, and needs no script. */
import type { PropsWithChildren } from 'hono/jsx'
import { count, figure } from '../../alerts/words.ts'
import { type AppContext, servicesOf } from '../../services.ts'
import { COMMANDS } from '../api.ts'
import { checkForm } from '../input.ts'
import { deleteMatching, eventWithBody } from '../run/events.ts'
import { href, ownPage, type Values } from './addresses.ts'
import { EVENTS } from './event-table.tsx'
import { countOf } from './events.tsx'
import { badRequest, respond } from './frame.tsx'
import { Action } from './parts.tsx'
import { filterWords, type State } from './words.ts'

/** Of one event by its id, whatever its state, of some by theirs, or of all that a filter matches. */
export async function confirmDelete(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const query = new URL(c.req.url).searchParams
  const from = query.get('back')
  query.delete('back')
  const frame = { title: 'Delete', place: EVENTS }
  const one = query.get('event')
  if (one) {
    const stored = await eventWithBody(services, one)
    const state = stored?.event.state ?? 'pending'
    const back = stored ? `${EVENTS}/${one}` : EVENTS
    return respond(
      c,
      frame,
      <Confirm state={state} matched={stored ? 1 : 0} filter={{}} back={back}>
        <Action does="deleteEvent" values={{ id: one }} back={href(EVENTS, { state })} look="no">
          Delete 1 event
        </Action>
      </Confirm>,
    )
  }
  const checked = checkForm(COMMANDS.deleteMatching.takes, query)
  if (!checked.ok) return badRequest(c, checked.detail)
  const { state, path = undefined, ids, ...rest } = checked.output
  const counted = ids
    ? null
    : await countOf(services, { state, ...rest, ...(path !== undefined && { path }) })
  const matched =
    counted ?? (await deleteMatching(services, { ...checked.output, dryRun: true })).matched
  const { ids: _, ...filter } = Object.fromEntries([...query].filter(([, value]) => value))
  const back = from ? ownPage(from) : href(EVENTS, filter)
  const values: Values = { ...filter, ...(ids && { ids }) }
  return respond(
    c,
    frame,
    <Confirm
      state={state}
      matched={matched}
      filter={filter}
      back={back}
      gone={ids ? ids.length - matched : 0}
    >
      <Action does="deleteMatching" values={values} back={back} look="no">
        Delete {count(matched, 'event')}
      </Action>
    </Confirm>,
  )
}

type ConfirmProps = PropsWithChildren<{
  state: State
  matched: number
  /** As in the address. */
  filter: Readonly<Record<string, string>>
  back: string
  /** How many of the ticked ones are not among them. */
  gone?: number
}>

function Confirm({ state, matched, filter, back, gone = 0, children }: ConfirmProps) {
  const { state: _, ...narrower } = filter
  const words = Object.entries(narrower).map(([name, value]) => filterWords(name, value))
  return (
    <>
      <h1>Delete {count(matched, state === 'all' ? 'event' : `${state} event`)}?</h1>
      {gone > 0 && (
        <p>
          {figure(gone)} of the ticked ones {gone === 1 ? 'is' : 'are'}{' '}
          {state === 'all' ? 'not stored here' : `no longer ${state}`}.
        </p>
      )}
      {words.length > 0 && (
        <p>
          Filtered by <b>{words.join(', ')}</b>.
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
