/** `POST /admin/erase`; `GET` and `DELETE /admin/suppressions`. A person comes in a body, since URLs are shown by `wrangler tail`. */
import { type AppContext, servicesOf } from '../services.ts'
import { operatorOf } from './action.ts'
import { EraseSchema, PersonSchema } from './lookup-parameters.ts'
import { endSuppression, erasePerson, readSuppressions } from './operations/erase.ts'
import { checkBody } from './parameters.ts'
import { badRequest, notFound } from './problems.ts'
import { readJson } from './read-json.ts'

export async function erase(c: AppContext): Promise<Response> {
  const body = checkBody(EraseSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  return c.json(await erasePerson(servicesOf(c.env), operatorOf(c), body.output))
}

export async function listSuppressions(c: AppContext): Promise<Response> {
  return c.json(await readSuppressions(servicesOf(c.env)))
}

export async function removeSuppression(c: AppContext): Promise<Response> {
  const body = checkBody(PersonSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const ended = await endSuppression(servicesOf(c.env), operatorOf(c), body.output)
  return ended ? c.body(null, 204) : notFound()
}
