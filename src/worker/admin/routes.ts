/**
 * The operators' routes: where is an event, why, and send it again.
 *
 * Promises: without a configured token these routes do not exist; a wrong token learns nothing but that. Every route
 * asks all shards. When one does not answer, the answer is 503, never an incomplete sum.
 */
import type { MiddlewareHandler } from 'hono'
import { Hono } from 'hono'
import openapi from '../../../docs/openapi.json'
import { problemResponse } from '../http/problem.ts'
import { REDRIVE_PAGE } from '../limits.ts'
import type { EventDetail } from '../outbox/state.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { logAction } from './action.ts'
import { listAlerts, sendTestAlert } from './alerts.ts'
import { after, encodeCursor } from './cursor.ts'
import { acceptDrift, listDrift } from './drift.ts'
import { endSuppression, erasePerson, listSuppressions } from './erase.ts'
import { findEvents, showActivity, showLog } from './find.ts'
import { checkBody, checkQuery, ListSchema, RedriveSchema } from './parameters.ts'
import { badRequest, notFound } from './problems.ts'
import { readJson } from './read-json.ts'
import { eventDetailView, eventView, statusView } from './view.ts'

type AdminEnv = { Bindings: Env }

export const admin = new Hono<AdminEnv>({ strict: false })

admin.use('*', adminOnly())
admin.get('/status', status)
admin.get('/events', listEvents)
admin.get('/events/:id', showEvent)
admin.get('/events/:id/body', downloadBody)
admin.delete('/events/:id', eraseEvent)
admin.post('/redrive', redriveEvents)
admin.post('/pause', (c) => setPause(c, true))
admin.post('/resume', (c) => setPause(c, false))
admin.post('/find', findEvents)
admin.get('/activity', showActivity)
admin.get('/log', showLog)
admin.post('/erase', erasePerson)
admin.get('/suppressions', listSuppressions)
admin.delete('/suppressions', endSuppression)
admin.get('/alerts', listAlerts)
admin.post('/alerts/test', sendTestAlert)
admin.get('/openapi.json', (c) => c.json(openapi))
admin.get('/drift', listDrift)
admin.post('/drift/accept', acceptDrift)
for (const [path, allow] of [
  ['/status', 'GET, HEAD'],
  ['/events', 'GET, HEAD'],
  ['/events/:id', 'GET, HEAD, DELETE'],
  ['/events/:id/body', 'GET, HEAD'],
  ['/redrive', 'POST'],
  ['/pause', 'POST'],
  ['/resume', 'POST'],
  ['/find', 'POST'],
  ['/activity', 'GET, HEAD'],
  ['/log', 'GET, HEAD'],
  ['/erase', 'POST'],
  ['/suppressions', 'GET, HEAD, DELETE'],
  ['/openapi.json', 'GET, HEAD'],
  ['/alerts', 'GET, HEAD'],
  ['/alerts/test', 'POST'],
  ['/drift', 'GET, HEAD'],
  ['/drift/accept', 'POST'],
] as const) {
  admin.all(path, () => problemResponse({ code: 'method-not-allowed', allow }))
}
admin.all('*', () => notFound())

function adminOnly(): MiddlewareHandler<AdminEnv> {
  return async function adminOnly(c, next) {
    const { adminKeys } = servicesOf(c.env)
    if (!adminKeys) return notFound()
    const [, token] = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '') ?? []
    if ((await adminKeys.find(token)) === null) {
      return problemResponse({ code: 'unauthorized', realm: 'admin' })
    }
    return next()
  }
}

async function status(c: AppContext): Promise<Response> {
  const { shards, webhookKeys } = servicesOf(c.env)
  const statuses = await shards.all((shard) => shard.status())
  return c.json(statusView(statuses, await webhookKeys.fingerprints()))
}

async function listEvents(c: AppContext): Promise<Response> {
  const query = checkQuery(ListSchema, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(query.detail)
  const { state, kind = null, code = null, limit, cursor } = query.output
  // One more than requested shows whether there is another page.
  const pages = await servicesOf(c.env).shards.all(async (shard, index) => {
    const listed = await shard.list({ state, kind, code }, after(cursor, index), limit + 1)
    return listed.map((event) => ({ ...event, shard: index }))
  })
  const events = pages.flat().sort((a, b) => a.position - b.position || a.shard - b.shard)
  const last = events.length > limit ? events[limit - 1] : undefined
  return c.json({
    events: events.slice(0, limit).map(eventView),
    cursor: last ? encodeCursor(last) : null,
  })
}

async function findEvent(c: AppContext): Promise<EventDetail | undefined> {
  const id = c.req.param('id') ?? ''
  const found = await servicesOf(c.env).shards.all((shard) => shard.get(id))
  return found.find((event) => event !== null)
}

async function showEvent(c: AppContext): Promise<Response> {
  const event = await findEvent(c)
  return event ? c.json(eventDetailView(event)) : notFound()
}

/** The stored bytes, whatever their encoding. As a download, since a browser must never show them as a page. */
async function downloadBody(c: AppContext): Promise<Response> {
  const event = await findEvent(c)
  if (!event) return notFound()
  return new Response(event.body, {
    headers: {
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
    },
  })
}

async function eraseEvent(c: AppContext): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const erased = await servicesOf(c.env).shards.all((shard) => shard.erase(id))
  if (!erased.includes(true)) return notFound()
  await logAction(c, 'delete', { erased: 1 })
  return c.body(null, 204)
}

async function redriveEvents(c: AppContext): Promise<Response> {
  const body = checkBody(RedriveSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const { state, ids = null, kind = null, code = null, dryRun } = body.output
  const sums = { matched: 0, redriven: 0, stillInvalid: 0 }
  await servicesOf(c.env).shards.all(async (shard) => {
    // A page at a time, so that a shard with a hundred thousand events goes on relaying between two pages.
    for (let next: number | null = -1; next !== null; ) {
      const page: Awaited<ReturnType<typeof shard.redrive>> = await shard.redrive({
        state,
        kind,
        code,
        ids,
        dryRun,
        after: next,
        limit: REDRIVE_PAGE,
      })
      sums.matched += page.matched
      sums.redriven += page.redriven
      sums.stillInvalid += page.stillInvalid
      next = page.next
    }
  })
  if (!dryRun) await logAction(c, 'redrive', sums)
  return c.json(sums)
}

async function setPause(c: AppContext, paused: boolean): Promise<Response> {
  const { shards, relay } = servicesOf(c.env)
  const now = Date.now()
  const states = await shards.all((shard) => shard.pause(paused, now))
  // So this isolate does not wait for its next refresh.
  for (const state of states) relay.mergeUpstream(state)
  await logAction(c, paused ? 'pause' : 'resume', {})
  return status(c)
}
