/** `GET /admin/drift`; `POST /admin/drift/accept`, which answers with the row. */
import { type AppContext, servicesOf } from '../services.ts'
import { operatorOf } from './action.ts'
import { acceptDrift, readDrift } from './operations/drift.ts'
import { AcceptDriftSchema, checkBody } from './parameters.ts'
import { badRequest, notFound } from './problems.ts'
import { readJson } from './read-json.ts'

export async function listDrift(c: AppContext): Promise<Response> {
  return c.json(await readDrift(servicesOf(c.env)))
}

export async function accept(c: AppContext): Promise<Response> {
  const body = checkBody(AcceptDriftSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const row = await acceptDrift(servicesOf(c.env), operatorOf(c), body.output)
  return row ? c.json(row) : notFound()
}
