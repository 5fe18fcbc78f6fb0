/** `/admin/ui/events`: a list, one event, and what is done with one or with all that match a filter. */
import { type AppContext, servicesOf } from '../../services.ts'
import { operatorOf } from '../action.ts'
import { readCauses } from '../operations/causes.ts'
import { deleteEvent, readEvent, readEvents } from '../operations/events.ts'
import { find } from '../operations/find.ts'
import { deleteMatching, redriveMatching } from '../operations/matching.ts'
import { checkBody, checkQuery, ListSchema, MatchingSchema } from '../parameters.ts'
import { readFlash } from './flash.ts'
import { readForm } from './form.ts'
import { respond, respondFault, seeOther } from './respond.tsx'
import { ConfirmDelete } from './views/confirm.tsx'
import { Delivered, Event } from './views/event.tsx'
import { Events, type FilterValues } from './views/events.tsx'
import { STATES } from './views/labels.ts'
import { href } from './views/parts.tsx'

const EVENTS = '/admin/ui/events'

export async function showEvents(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const { flash, rest } = readFlash(c)
  if (!rest.get('state')) rest.set('state', 'pending')
  const query = checkQuery(ListSchema, rest)
  if (!query.ok) return badRequest(c, query.detail)
  const { limit, cursor, ...filter } = query.output
  const [page, matching] = await Promise.all([
    readEvents(services, filter, { limit, cursor }),
    countOf(services, filter),
  ])
  rest.delete('cursor')
  const values = Object.fromEntries([...rest].filter(([, value]) => value)) as FilterValues
  return respond(
    c,
    { title: `${STATES[filter.state]} events`, place: EVENTS, flash },
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

/** From the causes, which are few; a day is not among what they tell apart. */
async function countOf(
  services: Parameters<typeof readCauses>[0],
  filter: Parameters<typeof readEvents>[1],
): Promise<number | null> {
  const { state, kind, code, path, day } = filter
  if (state === 'pending' || day !== undefined) return null
  const causes = (await readCauses(services)).filter(
    (cause) =>
      cause.state === state &&
      (code === undefined || cause.code === code) &&
      (path === undefined || cause.path === path),
  )
  return causes.reduce((sum, { count, kinds }) => sum + (kind ? (kinds[kind] ?? 0) : count), 0)
}

export async function showEvent(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const { flash } = readFlash(c)
  const id = c.req.param('id') ?? ''
  const event = await readEvent(services, id)
  const withPayload = c.req.query('payload') === '1'
  const frame = { title: 'Event', place: EVENTS, flash }
  if (event) {
    return respond(c, frame, <Event event={withoutPast(event)} withPayload={withPayload} />)
  }
  const [receipt] = (await find(services, { id }, { limit: 1 })).events
  if (receipt) return respond(c, frame, <Delivered id={receipt.id} receipt={receipt} />)
  return respondFault(
    c,
    404,
    'No such event',
    'It never came, was erased, or was delivered too long ago to be remembered.',
  )
}

/** `id`: only this one. */
async function readMatching(c: AppContext) {
  const { id, dryRun, ...filter } = Object.fromEntries(
    [...(await readForm(c))].filter(([, value]) => value !== ''),
  )
  const body = { ...filter, ...(id && { ids: [id] }), dryRun: dryRun === '1' }
  return { id, filter, checked: checkBody(MatchingSchema, body) }
}

export async function redrive(c: AppContext): Promise<Response> {
  const { id, filter, checked } = await readMatching(c)
  if (!checked.ok) return badRequest(c, checked.detail)
  const { dryRun, ...matching } = checked.output
  const counts = await redriveMatching(servicesOf(c.env), operatorOf(c), matching, { dryRun })
  const result = { done: dryRun ? 'dry-run' : 'redrive', ...counts }
  return seeOther(
    id
      ? href(`${EVENTS}/${encodeURIComponent(id)}`, result)
      : href(EVENTS, { ...filter, ...result }),
  )
}

export async function confirmDelete(c: AppContext): Promise<Response> {
  const values = Object.fromEntries(new URL(c.req.url).searchParams)
  const { id, ...filter } = values
  const title = 'Delete'
  if (id) {
    const event = await readEvent(servicesOf(c.env), id)
    const { state = 'pending' } = event ?? {}
    const back = event ? `${EVENTS}/${id}` : EVENTS
    return respond(
      c,
      { title, place: EVENTS },
      <ConfirmDelete state={state} values={{ id, state }} matched={event ? 1 : 0} back={back} />,
    )
  }
  const checked = checkBody(MatchingSchema, filter)
  if (!checked.ok) return badRequest(c, checked.detail)
  const services = servicesOf(c.env)
  const matched =
    (await countOf(services, checked.output)) ??
    (await deleteMatching(services, '', checked.output, { dryRun: true })).matched
  return respond(
    c,
    { title, place: EVENTS },
    <ConfirmDelete
      state={checked.output.state}
      values={filter}
      matched={matched}
      back={href(EVENTS, filter)}
    />,
  )
}

export async function remove(c: AppContext): Promise<Response> {
  const services = servicesOf(c.env)
  const { id, filter, checked } = await readMatching(c)
  if (id) {
    const erased = (await deleteEvent(services, operatorOf(c), id)) ? 1 : 0
    return seeOther(href(EVENTS, { state: filter.state, done: 'delete', erased }))
  }
  if (!checked.ok) return badRequest(c, checked.detail)
  const { erased } = await deleteMatching(services, operatorOf(c), checked.output, {
    dryRun: false,
  })
  return seeOther(href(EVENTS, { ...filter, done: 'delete', erased }))
}

export function badRequest(c: AppContext, detail: string): Response {
  return respondFault(c, 400, 'This cannot be read', detail)
}
