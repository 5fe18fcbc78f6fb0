/**
 * The operators' routes: where is it, why, and send it again.
 *
 * Promises: without a configured token there are no such routes; a wrong token learns nothing more. What is asked goes
 * over all shards. A shard that does not answer is our trouble, so 503, never a wrong sum.
 */

import type { MiddlewareHandler } from 'hono'
import { Hono } from 'hono'
import * as v from 'valibot'
import openapi from '../../../docs/openapi.json'
import { holdsKey } from '../http/auth.ts'
import { problemResponse } from '../http/problem.ts'
import { readUpTo } from '../lib/bounded-body.ts'
import { isObject, parseJson } from '../lib/json.ts'
import { MAX_BODY_BYTES, REDRIVE_PAGE } from '../limits.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { listAlerts, sendTestAlert } from './alerts.ts'
import { after, encodeCursor } from './cursor.ts'
import { acceptDrift, listDrift } from './drift.ts'
import { explain, ListSchema, RedriveSchema } from './parameters.ts'
import { eventDetailView, eventView, statusView } from './view.ts'

type AdminEnv = { Bindings: Env }

export const admin = new Hono<AdminEnv>({ strict: false })

admin.use('*', adminOnly())
admin.get('/status', status)
admin.get('/events', listEvents)
admin.get('/events/:id', showEvent)
admin.delete('/events/:id', eraseEvent)
admin.post('/redrive', redriveEvents)
admin.post('/pause', (c) => setPause(c, true))
admin.post('/resume', (c) => setPause(c, false))
admin.get('/alerts', listAlerts)
admin.post('/alerts/test', sendTestAlert)
admin.get('/openapi.json', (c) => c.json(openapi))
admin.get('/drift', listDrift)
admin.post('/drift/accept', acceptDrift)
for (const [path, allow] of [
  ['/status', 'GET, HEAD'],
  ['/events', 'GET, HEAD'],
  ['/events/:id', 'GET, HEAD, DELETE'],
  ['/redrive', 'POST'],
  ['/pause', 'POST'],
  ['/resume', 'POST'],
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
    const { adminToken } = servicesOf(c.env).config
    if (adminToken === null) return notFound()
    const [, token] = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '') ?? []
    if (!(await holdsKey(token, tokenList(adminToken)))) {
      return problemResponse({ code: 'unauthorized', realm: 'admin' })
    }
    return next()
  }
}

/** The list is the key under which its hashes are remembered, so the same token must give the same list. */
const lists = new Map<string, readonly string[]>()
function tokenList(token: string): readonly string[] {
  const list = lists.get(token) ?? [token]
  lists.set(token, list)
  return list
}

async function status(c: AppContext): Promise<Response> {
  const { shards } = servicesOf(c.env)
  return c.json(statusView(await shards.all((shard) => shard.status())))
}

async function listEvents(c: AppContext): Promise<Response> {
  const given = Object.entries(c.req.query()).filter(([, value]) => value !== '')
  const query = v.safeParse(ListSchema, Object.fromEntries(given))
  if (!query.success) return badRequest(query.issues)
  const { state, kind = null, limit, cursor } = query.output
  // One more than asked for tells whether there is another page.
  const pages = await servicesOf(c.env).shards.all(async (shard, index) => {
    const listed = await shard.list({ state, kind }, after(cursor, index), limit + 1)
    return listed.map((event) => ({ ...event, shard: index }))
  })
  const events = pages.flat().sort((a, b) => a.position - b.position || a.shard - b.shard)
  const last = events.length > limit ? events[limit - 1] : undefined
  return c.json({
    events: events.slice(0, limit).map(eventView),
    cursor: last ? encodeCursor(last) : null,
  })
}

async function showEvent(c: AppContext): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const found = await servicesOf(c.env).shards.all((shard) => shard.get(id))
  const event = found.find((each) => each !== null)
  return event ? c.json(eventDetailView(event)) : notFound()
}

async function eraseEvent(c: AppContext): Promise<Response> {
  const id = c.req.param('id') ?? ''
  const erased = await servicesOf(c.env).shards.all((shard) => shard.erase(id))
  return erased.includes(true) ? c.body(null, 204) : notFound()
}

async function redriveEvents(c: AppContext): Promise<Response> {
  const { bytes, complete } = await readUpTo(c.req.raw, MAX_BODY_BYTES)
  const parsed = parseJson(bytes)
  if (!complete || !parsed.ok || !isObject(parsed.value)) {
    return problemResponse({ code: 'invalid-request', detail: 'body: expected a JSON object' })
  }
  const body = v.safeParse(RedriveSchema, parsed.value)
  if (!body.success) return badRequest(body.issues)
  const { state, ids = null, kind = null, dryRun } = body.output
  const sums = { matched: 0, redriven: 0, stillInvalid: 0 }
  await servicesOf(c.env).shards.all(async (shard) => {
    // A page at a time, so that a shard with a hundred thousand of them goes on relaying meanwhile.
    for (let next: number | null = -1; next !== null; ) {
      const page: Awaited<ReturnType<typeof shard.redrive>> = await shard.redrive({
        state,
        kind,
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
  return c.json(sums)
}

async function setPause(c: AppContext, paused: boolean): Promise<Response> {
  const { shards, relay } = servicesOf(c.env)
  const now = Date.now()
  const states = await shards.all((shard) => shard.pause(paused, now))
  // This isolate need not wait for its next refresh.
  for (const state of states) relay.mergeUpstream(state)
  return status(c)
}

function badRequest(issues: readonly v.BaseIssue<unknown>[]): Response {
  return problemResponse({ code: 'invalid-request', detail: issues.map(explain).join('; ') })
}

function notFound(): Response {
  return problemResponse({ code: 'not-found' })
}
