/**
 * Flows: a new flow is `initializing`, and becomes `enabled`, with a new etag, after `flowEnableMs`. The
 * change is made by the first request that looks at flows after that time; nothing runs in the background.
 */
import { Hono } from 'hono'
import type { Settings } from '../../settings.ts'
import { isObject, type JsonObject } from '../../streaming/message.ts'
import { jsonBody, objectBody } from '../body.ts'
import { invalidFlow } from '../errors.ts'
import type { Caller, PlatformEnv } from '../gateway.ts'
import type { Resource, Store } from '../store.ts'
import { commonView, found, invalidBody, listed, patchedBody, requireMatch } from './common.ts'
import { inletUrl } from './connections.ts'
import { checkFlow, partsOf } from './flow-checks.ts'

const STATES = ['enabled', 'disabled', 'initializing']

export function flowRoutes(store: Store, settings: () => Settings): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()

  app.get('/', (c) => {
    const caller = c.get('caller')
    enableDue(store)
    const views = store.list('flows', caller.sandbox).map((one) => flowView(store, one, caller))
    return listed(c, 'flows', views)
  })

  app.get('/:id', (c) => {
    const caller = c.get('caller')
    enableDue(store)
    const flow = found(store, 'flows', c.req.param('id'), caller)
    return c.json({ items: [flowView(store, flow, caller)] })
  })

  app.post('/', async (c) => {
    const { sandbox } = c.get('caller')
    const body = await objectBody(c, invalidBody)
    if (body.state !== undefined) {
      throw invalidFlow('1410-400', '`State` is not allowed in the create flow request.')
    }
    checkFlow(store, body, sandbox)
    const id = store.uuid()
    const hidden = { enableAt: store.now() + settings().flowEnableMs }
    const initial = { ...body, state: 'initializing' }
    const { etag } = store.add('flows', { id, sandbox, body: initial, hidden })
    return c.json({ id, etag }, 201, { location: `/flows/${id}` })
  })

  app.patch('/:id', async (c) => {
    enableDue(store)
    const flow = found(store, 'flows', c.req.param('id'), c.get('caller'))
    requireMatch(c, flow)
    const body = patchedBody(flow.body, await jsonBody(c, invalidBody))
    if (!STATES.includes(String(body.state))) {
      throw invalidFlow(
        '1456-400',
        `State ${String(body.state)} is not a valid value. Allowed values are [${STATES.join(', ')}].`,
      )
    }
    checkFlow(store, body, flow.sandbox)
    store.change(flow, body)
    return c.json({ id: flow.id, etag: flow.etag })
  })

  app.post('/:id/action', (c) => {
    enableDue(store)
    const flow = found(store, 'flows', c.req.param('id'), c.get('caller'))
    const op = c.req.query('op')
    if (op !== 'enable' && op !== 'disable') {
      throw invalidFlow('1434-400', `Unsupported operation '${op}' received.`)
    }
    if (flow.body.state === 'initializing' || flow.body.state === `${op}d`) {
      throw invalidFlow(
        '1422-400',
        `The action ${op} cannot be applied on the current state ${flow.body.state}. Please update the action and try again.`,
      )
    }
    store.change(flow, { ...flow.body, state: `${op}d` })
    return c.json({ id: flow.id, etag: flow.etag })
  })

  app.delete('/:id', (c) => {
    store.remove('flows', found(store, 'flows', c.req.param('id'), c.get('caller')))
    return c.body(null, 204)
  })
  return app
}

export function enableDue(store: Store): void {
  for (const flow of store.all('flows')) {
    const due = Number(flow.hidden.enableAt) <= store.now()
    if (flow.body.state === 'initializing' && due) {
      store.change(flow, { ...flow.body, state: 'enabled' })
    }
  }
}

function flowView(store: Store, flow: Resource, caller: Caller): JsonObject {
  const { source, target, base } = partsOf(store, flow.body, flow.sandbox)
  const specOf = (one: Resource | undefined) => one?.body.connectionSpec
  const inletId = source?.hidden.inletId ?? base?.hidden.inletId
  const enabled = flow.body.state !== 'initializing'
  const options = enabled && inletId !== undefined ? { inletUrl: inletUrl(inletId, caller) } : {}
  return {
    ...commonView(flow, caller),
    inheritedAttributes: {
      properties: { isSourceFlow: true },
      sourceConnections: source
        ? [
            {
              id: source.id,
              connectionSpec: specOf(source),
              ...(base && { baseConnection: { id: base.id, connectionSpec: specOf(base) } }),
            },
          ]
        : [],
      targetConnections: target ? [{ id: target.id, connectionSpec: specOf(target) }] : [],
    },
    options: { ...(isObject(flow.body.options) ? flow.body.options : {}), ...options },
    runs: `/runs?property=flowId==${flow.id}`,
    providerRefId: flow.id.replaceAll('-', ''),
    lastOperation: { started: 0, updated: 0, operation: enabled ? 'enable' : 'create' },
  }
}
