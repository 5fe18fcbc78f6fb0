/**
 * The operators' routes: where is an event, why, and send it again.
 *
 * Promises: without a configured token these routes do not exist; a wrong token learns nothing but that. Every route
 * asks all shards. When one does not answer, the answer is 503, never an incomplete sum.
 */
import { Hono } from 'hono'
import openapi from '../../../docs/openapi.json'
import { problemResponse } from '../http/problem.ts'
import { type AppContext, servicesOf } from '../services.ts'
import { apiAccess } from './access.ts'
import { operatorOf } from './action.ts'
import { listAlerts, testAlert } from './alerts.ts'
import { accept, listDrift } from './drift.ts'
import { erase, listSuppressions, removeSuppression } from './erase.ts'
import {
  deleteEvents,
  downloadBody,
  eraseEvent,
  listCauses,
  listEvents,
  redriveEvents,
  showEvent,
} from './events.ts'
import { findEvents, showActivity, showLog } from './find.ts'
import { readStatus, setPaused } from './operations/status.ts'
import { notFound } from './problems.ts'

type AdminEnv = { Bindings: Env }

export const admin = new Hono<AdminEnv>({ strict: false })

admin.use('*', apiAccess)
admin.get('/status', status)
admin.get('/events', listEvents)
admin.get('/events/:id', showEvent)
admin.get('/events/:id/body', downloadBody)
admin.delete('/events/:id', eraseEvent)
admin.get('/causes', listCauses)
admin.post('/redrive', redriveEvents)
admin.post('/delete', deleteEvents)
admin.post('/pause', (c) => pause(c, true))
admin.post('/resume', (c) => pause(c, false))
admin.post('/find', findEvents)
admin.get('/activity', showActivity)
admin.get('/log', showLog)
admin.post('/erase', erase)
admin.get('/suppressions', listSuppressions)
admin.delete('/suppressions', removeSuppression)
admin.get('/alerts', listAlerts)
admin.post('/alerts/test', testAlert)
admin.get('/openapi.json', (c) => c.json(openapi))
admin.get('/drift', listDrift)
admin.post('/drift/accept', accept)
for (const [path, allow] of [
  ['/status', 'GET, HEAD'],
  ['/events', 'GET, HEAD'],
  ['/events/:id', 'GET, HEAD, DELETE'],
  ['/events/:id/body', 'GET, HEAD'],
  ['/causes', 'GET, HEAD'],
  ['/redrive', 'POST'],
  ['/delete', 'POST'],
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

async function status(c: AppContext): Promise<Response> {
  return c.json(await readStatus(servicesOf(c.env)))
}

async function pause(c: AppContext, paused: boolean): Promise<Response> {
  return c.json(await setPaused(servicesOf(c.env), operatorOf(c), paused))
}
