/** `GET /admin/drift`: how what Chatlio sends differs from what it documents; `POST /admin/drift/accept` silences one. */
import { toIso } from '../chatlio/timestamp.ts'
import type { DriftRow } from '../drift/drift.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { logAction } from './action.ts'
import { AcceptDriftSchema, checkBody } from './parameters.ts'
import { badRequest, notFound } from './problems.ts'
import { readJson } from './read-json.ts'

export async function listDrift(c: AppContext): Promise<Response> {
  const rows = await servicesOf(c.env).shards.at(0).driftRows()
  return c.json({ rows: rows.map(driftView) })
}

/** Answers with the row. */
export async function acceptDrift(c: AppContext): Promise<Response> {
  const body = checkBody(AcceptDriftSchema, await readJson(c.req.raw))
  if (!body.ok) return badRequest(body.detail)
  const row = await servicesOf(c.env).shards.at(0).acceptDrift(body.output)
  if (!row) return notFound()
  await logAction(c, 'accept-drift', {})
  return c.json(driftView(row))
}

function driftView({ firstAt, lastAt, ...row }: DriftRow) {
  const { kind, path, change, from, to, count, eventId, sample, accepted } = row
  return {
    kind,
    path,
    change,
    from,
    to,
    count,
    firstAt: toIso(firstAt),
    lastAt: toIso(lastAt),
    eventId,
    sample,
    accepted,
  }
}
