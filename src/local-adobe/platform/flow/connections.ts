/**
 * Connections: base, source and target connections. A base connection of the HTTP API source, and a source
 * connection that needs none, each get an inlet: the address that records are sent to.
 */
import { Hono } from 'hono'
import { isObject, type JsonObject } from '../../streaming/message.ts'
import { jsonBody, objectBody, text } from '../body.ts'
import { invalidFlow } from '../errors.ts'
import type { Caller, PlatformEnv } from '../gateway.ts'
import { touches } from '../json-patch.ts'
import { findTenant } from '../registry/resources.ts'
import type { Kind, Resource, Store } from '../store.ts'
import { commonView, found, invalidBody, listed, patchedBody, requireMatch } from './common.ts'
import { CONNECTION_SPECS, HTTP_API } from './specs.ts'

type ConnectionKind = Extract<Kind, 'connections' | 'sourceConnections' | 'targetConnections'>

export function connectionRoutes(store: Store, kind: ConnectionKind): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()
  const view = (one: Resource, caller: Caller) => connectionView(store, kind, one, caller)

  app.get('/', (c) => {
    const caller = c.get('caller')
    const views = store.list(kind, caller.sandbox).map((one) => view(one, caller))
    return listed(c, kind, views)
  })

  app.get('/:id', (c) => {
    const caller = c.get('caller')
    return c.json({ items: [view(found(store, kind, c.req.param('id'), caller), caller)] })
  })

  if (kind === 'connections') {
    app.get('/:id/test', (c) => {
      found(store, kind, c.req.param('id'), c.get('caller'))
      return c.json({ result: true })
    })
  }

  app.post('/', async (c) => {
    const { sandbox } = c.get('caller')
    const body = await objectBody(c, invalidBody)
    check(store, kind, body, sandbox)
    const id = store.uuid()
    const hidden = hasInlet(kind, body) ? { inletId: store.hex() } : {}
    const added = store.add(kind, { id, sandbox, body: { ...body, state: 'enabled' }, hidden })
    const location = `/${kind}/${id}`
    return c.json({ id, etag: added.etag }, 201, { location })
  })

  app.patch('/:id', async (c) => {
    const resource = found(store, kind, c.req.param('id'), c.get('caller'))
    requireMatch(c, resource)
    const operations = await jsonBody(c, invalidBody)
    if (Array.isArray(operations) && touches(operations, '/connectionSpec')) {
      throw invalidFlow('1414-400', 'The connection spec of a connection cannot be updated.')
    }
    const body = patchedBody(resource.body, operations)
    check(store, kind, body, resource.sandbox)
    store.change(resource, body)
    return c.json({ id: resource.id, etag: resource.etag })
  })

  app.delete('/:id', (c) => {
    const resource = found(store, kind, c.req.param('id'), c.get('caller'))
    requireUnused(store, kind, resource)
    store.remove(kind, resource)
    return c.body(null, 204)
  })
  return app
}

export function inletUrl(inletId: unknown, { origin }: Caller): string {
  return `${origin}/collection/${String(inletId)}`
}

function connectionView(
  store: Store,
  kind: ConnectionKind,
  one: Resource,
  caller: Caller,
): JsonObject {
  const common = commonView(one, caller)
  if (kind === 'connections') {
    const { inletId } = one.hidden
    if (inletId === undefined || !isObject(one.body.auth)) return common
    const params = {
      authenticationRequired: false,
      ...(isObject(one.body.auth.params) ? one.body.auth.params : {}),
      inletId,
      inletUrl: inletUrl(inletId, caller),
    }
    return { ...common, auth: { ...one.body.auth, params } }
  }
  const baseId = text(one.body.baseConnectionId)
  const base = baseId ? store.find('connections', one.sandbox, baseId) : undefined
  const spec = base?.body.connectionSpec
  return {
    params: {},
    ...common,
    inheritedAttributes: base ? { baseConnection: { id: base.id, connectionSpec: spec } } : {},
  }
}

const specIdOf = (body: JsonObject): string =>
  isObject(body.connectionSpec) ? String(body.connectionSpec.id) : ''

/** An HTTP API source uses the inlet of its base connection; any other source has an inlet itself. */
function hasInlet(kind: ConnectionKind, body: JsonObject): boolean {
  if (kind === 'connections') return specIdOf(body) === HTTP_API
  return kind === 'sourceConnections' && !text(body.baseConnectionId)
}

function check(store: Store, kind: ConnectionKind, body: JsonObject, sandbox: string): void {
  if (!isObject(body.connectionSpec)) throw invalidBody('connectionSpec is required.')
  const spec = CONNECTION_SPECS.find(({ id }) => id === specIdOf(body))
  const role = kind === 'targetConnections' ? 'target' : 'source'
  const fits = spec?.role === role && (kind !== 'connections' || spec.needsBase === true)
  if (!spec || !fits) {
    throw invalidFlow(
      '1413-400',
      'The spec ID provided is  invalid. Please provide a valid spec ID and try again.',
    )
  }
  if (!text(body.name)) throw invalidBody('name is required.')
  if (kind === 'connections') {
    checkAuth(body, spec.id)
    return
  }
  if (!isObject(body.data)) throw invalidBody('data is required.')
  if (kind === 'targetConnections') {
    checkTarget(store, body, sandbox)
    return
  }
  const baseId = text(body.baseConnectionId)
  if (spec.needsBase && !baseId) throw invalidBody('baseConnectionId is required for this source.')
  if (baseId && !store.find('connections', sandbox, baseId)) {
    throw invalidFlow('1439-400', `The requested connections resource ${baseId} is not found.`)
  }
}

function checkAuth(body: JsonObject, specId: string): void {
  const { auth } = body
  const specName = isObject(auth) ? text(auth.specName) : null
  if (specName !== 'Streaming Connection') {
    throw invalidFlow(
      '1415-400',
      `The auth spec '${specName}' could not be found for the connection spec ID ${specId}.`,
    )
  }
  const params = isObject(auth) && isObject(auth.params) ? auth.params : {}
  if (params.dataType !== 'raw' && params.dataType !== 'xdm') {
    throw invalidBody('auth.params.dataType must be raw or xdm.')
  }
}

function checkTarget(store: Store, body: JsonObject, sandbox: string): void {
  const params = isObject(body.params) ? body.params : {}
  const dataSetId = text(params.dataSetId)
  if (!dataSetId) throw invalidBody('params.dataSetId is required.')
  if (!store.find('dataSets', sandbox, dataSetId)) {
    throw invalidFlow('1439-400', `The requested dataSets resource ${dataSetId} is not found.`)
  }
  const schema = isObject(body.data) && isObject(body.data.schema) ? body.data.schema : null
  if (schema && !findTenant(store, sandbox, 'schemas', String(schema.id))) {
    throw invalidFlow('1439-400', `The requested schemas resource ${schema.id} is not found.`)
  }
}

function requireUnused(store: Store, kind: ConnectionKind, { id, sandbox }: Resource): void {
  if (kind === 'connections') {
    const used = store
      .list('sourceConnections', sandbox)
      .some(({ body }) => body.baseConnectionId === id)
    if (!used) return
    throw invalidFlow(
      '1418-400',
      `The base connection with the ID ${id} cannot be deleted because the base connection is being used in one or more flows. Please ensure that corresponding flows are deleted before deleting a base connection.`,
    )
  }
  const field = kind === 'sourceConnections' ? 'sourceConnectionIds' : 'targetConnectionIds'
  const used = store.list('flows', sandbox).some(({ body }) => {
    const ids = body[field]
    return Array.isArray(ids) && ids.includes(id)
  })
  if (used) throw invalidFlow('1447-400', `Found active flows containing id ${id}.`)
}
