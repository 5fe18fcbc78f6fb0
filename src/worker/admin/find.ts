/**
 * `POST /admin/find`, `GET /admin/activity`, `GET /admin/log`.
 * An address or id of a person comes in a body, since URLs are shown by `wrangler tail`.
 */
import { type AppContext, servicesOf } from '../services.ts'
import { ActivitySchema, FindSchema, LogSchema } from './lookup-parameters.ts'
import { readActivity } from './operations/activity.ts'
import { find } from './operations/find.ts'
import { readLog } from './operations/log.ts'
import { checkBody, checkQuery } from './parameters.ts'
import { badRequest } from './problems.ts'
import { readJson } from './read-json.ts'

export async function findEvents(c: AppContext): Promise<Response> {
  const body = checkBody(FindSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const { day, limit, cursor, ...what } = body.output
  return c.json(await find(servicesOf(c.env), what, { day, limit, cursor }))
}

export async function showActivity(c: AppContext): Promise<Response> {
  const query = checkQuery(ActivitySchema, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(query.detail)
  return c.json(await readActivity(servicesOf(c.env), query.output))
}

export async function showLog(c: AppContext): Promise<Response> {
  const query = checkQuery(LogSchema, new URL(c.req.url).searchParams)
  if (!query.ok) return badRequest(query.detail)
  return c.json(await readLog(servicesOf(c.env), query.output))
}
