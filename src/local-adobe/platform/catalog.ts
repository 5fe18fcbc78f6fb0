/**
 * Catalog: datasets (batches have a room of their own). Lists are objects keyed by id,
 * newest first; a change answers with a reference such as `["@/dataSets/ID"]`.
 */
import { type Context, Hono } from 'hono'
import { isObject, type JsonObject } from '../streaming/message.ts'
import { jsonBody, objectBody, text } from './body.ts'
import { catalogError } from './errors.ts'
import { holds, parseCondition } from './filter.ts'
import type { Caller, PlatformEnv } from './gateway.ts'
import { applyPatch } from './json-patch.ts'
import { classOf, findTenant } from './registry/resources.ts'
import { isUnion } from './registry/unions.ts'
import type { Resource, Store } from './store.ts'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 100
const FILTERS = ['name', 'description', 'version', 'createdClient', 'createdUser', 'updatedUser']
const READ_ONLY = ['version', 'imsOrg', 'created', 'updated', 'createdClient', 'createdUser']

const badRequest = (message: string) => catalogError(400, message)

export function catalogRoutes(store: Store): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()

  app.get('/dataSets', (c) => c.json(list(c)))
  app.get('/lastBatches', (c) => c.json({}))

  app.post('/dataSets', async (c) => {
    const { sandbox } = c.get('caller')
    const body = await objectBody(c, badRequest)
    check(body, sandbox)
    // Adobe's ids are 24 hex digits.
    const { id } = store.add('dataSets', { id: store.hex().slice(0, 24), sandbox, body })
    return c.json([`@/dataSets/${id}`], 201, { location: `@/dataSets/${id}` })
  })

  // Adobe's pages on enabling a dataset use the path with `v2`.
  for (const path of ['/dataSets/:id', '/v2/dataSets/:id']) {
    app.get(path, (c) => {
      const caller = c.get('caller')
      const resource = found(c.req.param('id') ?? '', caller)
      return c.json({ [resource.id]: only(view(store, resource, caller), c) })
    })
    app.patch(path, async (c) => {
      const { sandbox } = c.get('caller')
      const resource = found(c.req.param('id') ?? '', c.get('caller'))
      const body = patched(resource.body, await jsonBody(c, badRequest), c)
      check(body, sandbox)
      store.change(resource, body)
      return c.json([`@/dataSets/${resource.id}`])
    })
    app.put(path, async (c) => {
      const resource = found(c.req.param('id') ?? '', c.get('caller'))
      const body = writable(await objectBody(c, badRequest))
      check(body, resource.sandbox)
      store.change(resource, body)
      return c.json([`@/dataSets/${resource.id}`])
    })
    app.delete(path, (c) => {
      const resource = found(c.req.param('id') ?? '', c.get('caller'))
      store.remove('dataSets', resource)
      return c.json([`@/dataSets/${resource.id}`])
    })
  }

  function list(c: Context<PlatformEnv>): JsonObject {
    const caller = c.get('caller')
    const query = new URL(c.req.url).searchParams
    const views = store
      .list('dataSets', caller.sandbox)
      .toReversed()
      .map((one) => ({ id: one.id, view: view(store, one, caller) }))
    const conditions = [
      ...query.getAll('property').map(parseCondition),
      ...FILTERS.flatMap((name) => {
        const value = query.get(name)
        return value === null ? [] : [parseCondition(`${name}==${value}`)]
      }),
    ]
    const tags = query.getAll('tags').flatMap((tag) => tag.split(','))
    const start = Number(query.get('start') ?? 0)
    const rows = views
      .filter(({ view: own }) => conditions.every((condition) => holds(condition, own)))
      .filter(({ view: own }) => tags.every((tag) => hasTag(own.tags, tag)))
      .slice(start, start + limitOf(c))
    return Object.fromEntries(rows.map(({ id, view: own }) => [id, only(own, c)]))
  }

  function found(id: string, { sandbox }: Caller): Resource {
    const resource = store.find('dataSets', sandbox, id)
    if (!resource) throw catalogError(404, `Dataset ${id} not found`)
    return resource
  }

  function check(body: JsonObject, sandbox: string): void {
    if (!text(body.name)) throw badRequest('A name must be specified')
    const { schemaRef } = body
    const id = isObject(schemaRef) ? text(schemaRef.id) : null
    if (!id || !isObject(schemaRef)) throw badRequest('A schemaRef with an id must be specified')
    const contentType = text(schemaRef.contentType) ?? ''
    if (!/^application\/vnd\.adobe\.xed[a-z-]*\+json; ?version=\d+(\.\d+)?$/.test(contentType)) {
      throw badRequest(
        'schemaRef.contentType must be such as application/vnd.adobe.xed+json;version=1',
      )
    }
    const schema = findTenant(store, sandbox, 'schemas', id)
    if (!schema) throw badRequest(`The schema ${id} could not be found`)
    if (body.tags !== undefined && !isObject(body.tags)) throw badRequest('tags must be an object')
    if (isProfileEnabled(body) && !isUnion(schema.body)) {
      throw badRequest('To enable profile datasets the schema should be valid')
    }
  }
  return app
}

/** A dataset whose records go to Real-Time Customer Profile as well. */
export function isProfileEnabled(body: JsonObject): boolean {
  return hasTag(body.tags, 'unifiedProfile:enabled:true')
}

/** `tag` is `name:value`; a blank after a colon counts for nothing, since Adobe's samples differ. */
function hasTag(tags: unknown, tag: string): boolean {
  const [name = '', ...value] = tag.replaceAll(' ', '').split(':')
  const own = isObject(tags) && Object.hasOwn(tags, name) ? tags[name] : []
  const list: readonly unknown[] = Array.isArray(own) ? own : []
  return list.some((one) => String(one).replaceAll(' ', '') === value.join(':'))
}

function view(store: Store, resource: Resource, { orgId }: Caller): JsonObject {
  const { id, sandbox, createdAt, updatedAt, body } = resource
  const ref = isObject(body.schemaRef) ? String(body.schemaRef.id) : ''
  const schema = findTenant(store, sandbox, 'schemas', ref)
  const behavior = schema ? classOf(store, sandbox, schema.body)?.behavior : undefined
  const own = isObject(body.tags) ? body.tags : {}
  return {
    ...body,
    tags: { 'adobe/pqs/table': [tableName(String(body.name))], ...own },
    classification: {
      dataBehavior: behavior?.split('/').at(-1) ?? 'record',
      managedBy: 'CUSTOMER',
    },
    version: '1.0.0',
    imsOrg: orgId,
    created: createdAt,
    updated: updatedAt,
    createdClient: 'local-client',
    createdUser: 'local-user',
    updatedUser: 'local-user',
    viewId: `${id.slice(0, -1)}0`,
    basePath: '',
    files: `@/dataSetFiles?dataSetId=${id}`,
    observableSchema: {},
  }
}

/** Under which Query Service shows a dataset; clients of Adobe's rely on the tag. */
const tableName = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')

/** `properties=name,tags` asks for these alone. */
function only(own: JsonObject, c: Context<PlatformEnv>): JsonObject {
  const names = c.req.query('properties')?.split(',')
  if (!names) return own
  return Object.fromEntries(Object.entries(own).filter(([key]) => names.includes(key)))
}

function limitOf(c: Context<PlatformEnv>): number {
  const limit = Number(c.req.query('limit') ?? DEFAULT_LIMIT)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw badRequest(`limit must be a number from 1 to ${MAX_LIMIT}`)
}

/** JSON Patch by its own content type; any other body is merged on its first level. */
function patched(body: JsonObject, input: unknown, c: Context<PlatformEnv>): JsonObject {
  const isJsonPatch = c.req.header('content-type')?.startsWith('application/json-patch+json')
  if (!isJsonPatch) {
    if (!isObject(input)) {
      throw badRequest('JSON Patch requires the content-type application/json-patch+json')
    }
    return { ...body, ...writable(input) }
  }
  if (!Array.isArray(input)) throw badRequest('A JSON Patch is an array of operations')
  // Tags may be added to a dataset that has none.
  const result = applyPatch({ tags: {}, ...body }, input)
  if (result.ok) return result.value
  throw badRequest(`The patch cannot be applied: ${JSON.stringify(result.failure)}`)
}

const writable = (body: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(body).filter(([key]) => !READ_ONLY.includes(key)))
