/**
 * Platform: Adobe's Platform APIs under `/data`, one room for each service, behind one gateway. Every
 * request is logged, then meets the script, then the headers that Adobe demands, then its service.
 *
 * An answer with `recorded` lets the service do its work first and then hides the result, as when a call
 * takes effect and its answer is lost.
 */
import { type Context, Hono } from 'hono'
import { type Answer, AS_DOCUMENTED } from '../answer.ts'
import { type Connection, reset, unfinishedBody, untilAborted } from '../connection.ts'
import { send, sendStatus } from '../send.ts'
import type { State } from '../state.ts'
import { GARBAGE } from '../streaming/responses.ts'
import { batchRoutes, exportRoutes } from './batches.ts'
import { catalogRoutes } from './catalog.ts'
import { Refused } from './errors.ts'
import { flowServiceRoutes } from './flow/routes.ts'
import { callerOf, type PlatformEnv } from './gateway.ts'
import { identityRoutes } from './identities.ts'
import { mappingRoutes } from './mapping/routes.ts'
import { mergePolicyRoutes } from './merge-policies.ts'
import { privacyRoutes } from './privacy.ts'
import { registryRoutes } from './registry/routes.ts'
import { bodyForStatus } from './scripted.ts'

type Env = PlatformEnv & { Bindings: { connection?: Connection } }

export function platformRoutes(state: State): Hono<Env> {
  const services = serviceRoutes(state)
  const app = new Hono<Env>()
  app.all('*', async (c) => {
    const request = c.req.raw
    const url = new URL(request.url)
    const path = url.pathname.replace(/\/+$/, '')
    const { lake } = state
    const body = await request.clone().text()
    const entry = {
      seq: lake.platformRequests.length + 1,
      at: state.now(),
      method: request.method,
      path,
      query: url.search,
      sandbox: request.headers.get('x-sandbox-name'),
      ...(state.keepBodies ? { body } : {}),
      status: null as number | null,
    }
    lake.platformRequests.push(entry)
    const answer = state.plan.decideCall(request.method, path)
    const untouched = AS_DOCUMENTED.includes(answer.type)
    const effective = untouched || ('recorded' in answer && answer.recorded === true)
    const normal = effective ? await services.fetch(bare(request, url, path)) : null
    await state.sleep(answer.delayMs ?? state.settings.latencyMs, request.signal)
    const response = untouched && normal ? normal : await scripted(answer, path, c, state)
    entry.status = response.status
    return response
  })
  return app
}

/** Published clients end paths with a slash; the services know none of these. */
function bare(request: Request, url: URL, path: string): Request {
  if (url.pathname === path) return request
  return new Request(`${url.origin}${path}${url.search}`, request)
}

async function scripted(
  answer: Answer,
  path: string,
  c: Context<Env>,
  state: State,
): Promise<Response> {
  const { signal } = c.req.raw
  switch (answer.type) {
    case 'status':
      return sendStatus(answer, bodyForStatus(answer.status, path), state.now())
    case 'garbage':
      return send(answer.status ?? 200, GARBAGE[answer.garbage])
    case 'stall':
    case 'reset': {
      if (answer.where === 'body') {
        const body = unfinishedBody('{"id":"', answer.type, signal, c.env.connection)
        return new Response(body, { headers: { 'content-type': 'application/json' } })
      }
      return answer.type === 'stall' ? untilAborted(signal) : reset(c.env.connection)
    }
    default:
      return send(500, null)
  }
}

function serviceRoutes(state: State): Hono<PlatformEnv> {
  const { platform: store } = state
  const app = new Hono<PlatformEnv>().basePath('/data')
  const settings = () => state.settings
  app.use('*', async (c, next) => {
    c.set('caller', callerOf(c, state.ims, state.settings))
    await next()
  })
  app.route('/core/idnamespace/identities', identityRoutes(store))
  app.route('/core/privacy', privacyRoutes(state))
  app.route('/core/ups/config/mergePolicies', mergePolicyRoutes(store))
  app.route('/foundation/schemaregistry', registryRoutes(store, settings))
  app.route('/foundation/catalog/batches', batchRoutes(store, state))
  app.route('/foundation/catalog', catalogRoutes(store))
  app.route('/foundation/export', exportRoutes(store, state))
  app.route('/foundation/flowservice', flowServiceRoutes(store, state))
  app.route('/foundation/conversion/mappingSets', mappingRoutes(store))
  // The older pages' address of the same.
  app.route('/foundation/mappingSets', mappingRoutes(store))
  app.notFound((c) => c.json(bodyForStatus(404, c.req.path), 404))
  app.onError((error) => {
    if (error instanceof Refused) return send(error.status, error.body)
    throw error
  })
  return app
}
