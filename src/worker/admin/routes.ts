/**
 * The operators' routes, made of the list of commands: where is an event, why, and send it again.
 *
 * Promises: without a configured token these routes do not exist; a wrong token learns nothing but that; a method that a
 * route does not take is a 405 that names those it does. When the outbox does not answer, the answer is 503.
 */
import { Hono } from 'hono/tiny'
import { problemResponse } from '../http/problem.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { apiAccess, operatorOf } from './access.ts'
import { COMMANDS, type Command, type CommandName } from './api.ts'
import { type Checked, checkBody, checkQuery, readJson } from './input.ts'
import { run } from './run/run.ts'

/** With their names. */
export const commands = Object.entries(COMMANDS) as [CommandName, Command][]

/** As Hono writes it. */
export const routeOf = ({ path }: Command) => path.replaceAll('{id}', ':id')

export function adminRoutes() {
  const admin = new Hono<{ Bindings: Env }>({ strict: false })
  admin.use('*', apiAccess)
  const methods = new Map<string, string[]>()
  for (const [name, command] of commands) {
    const route = routeOf(command)
    const own = command.method === 'GET' ? ['GET', 'HEAD'] : [command.method]
    methods.set(route, [...(methods.get(route) ?? []), ...own])
    admin.on(command.method, route, (c) => answer(c, name, command))
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
  const result = await run(servicesOf(c.env), operatorOf(c), name, input as never)
  if (result === null) return problemResponse({ code: 'not-found' })
  const { answers } = command
  if (answers === null) return c.body(null, 204)
  if (typeof answers !== 'string') return c.json(result)
  // As a download, since a browser must never show what is stored as a page.
  const headers = { 'content-type': answers, 'content-disposition': 'attachment' }
  return new Response((result as { body: BodyInit }).body, { headers })
}

async function inputOf(c: AppContext, { method, takes }: Command): Promise<Checked<object>> {
  if (!takes) return { ok: true, output: {} }
  const checked =
    method === 'GET'
      ? checkQuery(takes, new URL(c.req.url).searchParams)
      : checkBody(takes, await readJson(c.req.raw))
  return checked as Checked<object>
}
