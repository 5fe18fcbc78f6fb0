/** Stored events: lists, causes, one with its payload and its bytes; redriving and erasing. */
import { type AppContext, servicesOf } from '../services.ts'
import { operatorOf } from './action.ts'
import { readCauses } from './operations/causes.ts'
import { deleteEvent, readEvent, readEvents } from './operations/events.ts'
import { deleteMatching, redriveMatching } from './operations/matching.ts'
import { checkBody, checkQuery, ListSchema, MatchingSchema } from './parameters.ts'
import { badRequest, notFound } from './problems.ts'
import { readJson } from './read-json.ts'

export async function listEvents(c: AppContext): Promise<Response> {
  const query = checkQuery(ListSchema, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(query.detail)
  const { limit, cursor, ...filter } = query.output
  return c.json(await readEvents(servicesOf(c.env), filter, { limit, cursor }))
}

export async function showEvent(c: AppContext): Promise<Response> {
  const event = await readEvent(servicesOf(c.env), idOf(c))
  if (!event) return notFound()
  const { body: _, ...view } = event
  return c.json(view)
}

/** The stored bytes, whatever their encoding. As a download, since a browser must never show them as a page. */
export async function downloadBody(c: AppContext): Promise<Response> {
  const event = await readEvent(servicesOf(c.env), idOf(c))
  if (!event) return notFound()
  return new Response(event.body, {
    headers: {
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
    },
  })
}

export async function eraseEvent(c: AppContext): Promise<Response> {
  const erased = await deleteEvent(servicesOf(c.env), operatorOf(c), idOf(c))
  return erased ? c.body(null, 204) : notFound()
}

export async function redriveEvents(c: AppContext): Promise<Response> {
  const body = checkBody(MatchingSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const { dryRun, ...matching } = body.output
  return c.json(await redriveMatching(servicesOf(c.env), operatorOf(c), matching, { dryRun }))
}

export async function deleteEvents(c: AppContext): Promise<Response> {
  const body = checkBody(MatchingSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const { dryRun, ...matching } = body.output
  return c.json(await deleteMatching(servicesOf(c.env), operatorOf(c), matching, { dryRun }))
}

export async function listCauses(c: AppContext): Promise<Response> {
  return c.json({ causes: await readCauses(servicesOf(c.env)) })
}

function idOf(c: AppContext): string {
  return c.req.param('id') ?? ''
}
