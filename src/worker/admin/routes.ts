/**
 * The operators' routes, made of the list of commands: where is an event, why, and send it again; and who is admitted to them:
 * the admin token as `Authorization: Bearer` (the API), the session of someone who signed in with it (the page), or Cloudflare
 * Access (both).
 *
 * Promises: fails closed. Without a token and an audience these routes do not exist; a wrong token learns nothing but that.
 * Access counts only with the configured audience: any other application of the account admits nobody. A request that changes
 * something, and that a browser may have been tricked into sending (no Bearer token), must come from our own pages. A method
 * that a route does not take is a 405 that names those it does. When the outbox does not answer, the answer is 503.
 */
import type { MiddlewareHandler } from 'hono'
import { csrf } from 'hono/csrf'
import { Hono } from 'hono/tiny'
import { readSessionCookie } from '../http/auth.ts'
import { problemResponse } from '../http/problem.ts'
import { type AppContext, type AppEnv, servicesOf } from '../services.ts'
import { COMMANDS, type Command, type CommandName, routeOf } from './api.ts'
import { type Checked, checkBody, checkQuery, readJson } from './input.ts'
import { run } from './run/run.ts'

type Admission = 'token' | 'session' | 'access'

export function hasOperators(c: AppContext): boolean {
  const { adminToken, accessAud } = servicesOf(c.env).config
  return adminToken !== null || accessAud !== null
}

/** How this request is admitted; `null`: not at all. */
export async function admit(c: AppContext, own: 'token' | 'session'): Promise<Admission | null> {
  const { adminKeys, sessions, config, rim } = servicesOf(c.env)
  const [, token] = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '') ?? []
  if (own === 'token' && (await adminKeys?.find(token))) return 'token'
  const cookie = readSessionCookie(c.req.header('cookie'))
  if (own === 'session' && (await sessions?.isOpen(cookie, rim.now()))) return 'session'
  const access = accessOf(c)
  return access && config.accessAud !== null && access.aud === config.accessAud ? 'access' : null
}

const accessOf = (c: AppContext) => (c.executionCtx as Pick<ExecutionContext, 'access'>).access

const sameOrigin = csrf()

/** By `Sec-Fetch-Site` or `Origin`; a request that only reads may come from anywhere. */
export async function isFromHere(c: AppContext): Promise<boolean> {
  try {
    await sameOrigin(c, async () => undefined)
    return true
  } catch {
    return false
  }
}

/** Leaves who asks, for the operators' log. Access is asked for an address only when something is done, or taken away. */
export async function nameOperator(c: AppContext, admission: Admission): Promise<void> {
  const { method, path } = c.req
  const isRead = (method === 'GET' || method === 'HEAD') && !path.endsWith('/export')
  const isNamed = admission === 'access' && !isRead
  const identity = isNamed
    ? await accessOf(c)
        ?.getIdentity()
        .catch(() => undefined)
    : undefined
  c.set('operator', isNamed ? (identity?.email ?? 'access') : 'token')
}

/** `token`, or the address of an operator whom Cloudflare Access let in. */
export const operatorOf = (c: AppContext) => c.get('operator') ?? 'token'

/** Whether an operator asks: only they see which relay this is. */
export const isAdmitted = (c: AppContext) => c.get('operator') !== undefined

/** For the API: a session opens nothing here. */
const apiAccess: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (!hasOperators(c)) return problemResponse({ code: 'not-found' })
  const admission = await admit(c, 'token')
  if (!admission) return problemResponse({ code: 'unauthorized', realm: 'admin' })
  if (admission !== 'token' && !(await isFromHere(c))) {
    return problemResponse({ code: 'forbidden' })
  }
  await nameOperator(c, admission)
  return next()
}

/** With their names. */
export const commands = Object.entries(COMMANDS) as [CommandName, Command][]

export function adminRoutes() {
  const admin = new Hono<AppEnv>({ strict: false })
  admin.use('*', apiAccess)
  const methods = new Map<string, string[]>()
  for (const [name, command] of commands) {
    const { method, path } = routeOf(command)
    const route = path.replaceAll('{id}', ':id')
    const own = method === 'GET' ? ['GET', 'HEAD'] : [method]
    methods.set(route, [...(methods.get(route) ?? []), ...own])
    admin.on(method, route, (c) => answer(c, name, command))
  }
  for (const [route, allowed] of methods) {
    const allow = allowed.join(', ')
    admin.all(route, () => problemResponse({ code: 'method-not-allowed', allow }))
  }
  admin.all('*', () => problemResponse({ code: 'not-found' }))
  return admin
}

export async function answer(
  c: AppContext,
  name: CommandName,
  command: Command,
): Promise<Response> {
  const checked = await inputOf(c, command)
  if (!checked.ok) return problemResponse({ code: 'invalid-request', detail: checked.detail })
  const input = { ...checked.output, ...('id' in c.req.param() && { id: c.req.param('id') }) }
  const { answer: result } = await run(servicesOf(c.env), operatorOf(c), name, input as never)
  if (result === null) return problemResponse({ code: 'not-found' })
  const { answers } = command
  if (answers === null) return c.body(null, 204)
  if (typeof answers !== 'string') return c.json(result)
  // As a download, since a browser must never show what is stored as a page.
  const headers = { 'content-type': answers, 'content-disposition': 'attachment' }
  return new Response((result as { body: BodyInit }).body, { headers })
}

async function inputOf(c: AppContext, { route, takes }: Command): Promise<Checked<object>> {
  if (!takes) return { ok: true, output: {} }
  const checked = route.startsWith('GET')
    ? checkQuery(takes, new URL(c.req.url).searchParams)
    : checkBody(takes, await readJson(c.req.raw))
  return checked as Checked<object>
}
