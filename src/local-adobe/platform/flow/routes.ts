/** Flow Service: its collections under one path. */
import { Hono } from 'hono'
import type { State } from '../../state.ts'
import type { JsonObject } from '../../streaming/message.ts'
import type { PlatformEnv } from '../gateway.ts'
import type { Store } from '../store.ts'
import { listed, notFound } from './common.ts'
import { connectionRoutes } from './connections.ts'
import { flowRoutes } from './flows.ts'
import { runViews } from './runs.ts'
import { CONNECTION_SPECS, connectionSpecView, FLOW_SPECS, flowSpecView } from './specs.ts'

export function flowServiceRoutes(store: Store, state: State): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()
  for (const kind of ['connections', 'sourceConnections', 'targetConnections'] as const) {
    app.route(`/${kind}`, connectionRoutes(store, kind))
  }
  app.route(
    '/flows',
    flowRoutes(store, () => state.settings),
  )
  app.route(
    '/connectionSpecs',
    readOnly('connectionSpecs', () => CONNECTION_SPECS.map(connectionSpecView)),
  )
  app.route(
    '/flowSpecs',
    readOnly('flowSpecs', () => FLOW_SPECS.map(flowSpecView)),
  )
  app.get('/runs', (c) =>
    listed(c, 'runs', runViews(store, state, c.get('caller')), state.settings.pageSize),
  )
  app.get('/runs/:id', (c) => {
    const id = c.req.param('id')
    const found = runViews(store, state, c.get('caller')).filter((run) => run.id === id)
    if (found.length === 0) throw notFound('runs', id)
    return c.json({ items: found })
  })
  return app
}

function readOnly(kind: string, all: () => readonly JsonObject[]): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()
  app.get('/', (c) => listed(c, kind, all()))
  app.get('/:id', (c) => {
    const id = c.req.param('id')
    const items = all().filter((one) => one.id === id)
    if (items.length === 0) throw notFound(kind, id)
    return c.json({ items })
  })
  return app
}
