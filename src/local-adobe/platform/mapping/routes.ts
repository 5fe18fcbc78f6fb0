/** Data Prep: mapping sets: create, list by name, look up by version, replace, validate, preview. */
import { Hono } from 'hono'
import { isObject, type JsonObject } from '../../streaming/message.ts'
import { objectBody, text } from '../body.ts'
import { mappingError } from '../errors.ts'
import type { Caller, PlatformEnv } from '../gateway.ts'
import { resolve, type Schema } from '../registry/resolve.ts'
import { findTenant } from '../registry/resources.ts'
import type { Resource, Store } from '../store.ts'
import { latestVersion, mappingSetView, mappingsOf } from './mapping-set.ts'
import { applyRows, type Row, readRow, rowProblems } from './rows.ts'

const invalid = (message: string) => mappingError(400, 'Invalid mapping set request', message)

export function mappingRoutes(store: Store): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()

  app.get('/', (c) => {
    const query = new URL(c.req.url).searchParams
    // `start` is documented as required too; Adobe's own client leaves it out.
    if (query.get('limit') === null) throw invalid('The parameters start and limit are required.')
    const [limit, start] = [Number(query.get('limit')), Number(query.get('start') ?? 0)]
    if (!Number.isInteger(limit) || limit < 1) throw invalid('limit must be a positive number.')
    if (!Number.isInteger(start) || start < 0) throw invalid('start must be a number from 0.')
    const name = query.get('name')
    const rows = store
      .list('mappingSets', c.get('caller').sandbox)
      .filter(({ body }) => name === null || body.name === name)
      .slice(start, start + limit)
    const data = rows.map((set) => mappingSetView(set, latestVersion(set)))
    return c.json({ data, _page: { count: data.length, limit }, _links: {} })
  })

  app.post('/', async (c) => {
    const { sandbox } = c.get('caller')
    const body = checked(await objectBody(c, invalid), sandbox, c.req.query('validate'))
    const hidden = { versions: [body] }
    const set = store.add('mappingSets', { id: store.hex(), sandbox, body, hidden })
    return c.json(brief(set))
  })

  app.post('/validate', async (c) => {
    const { rows, schema } = parts(await objectBody(c, invalid), c.get('caller').sandbox)
    const validationResponse = rows.map((row) => {
      const problems = rowProblems(row, schema)
      const { source, destination, sourceType } = row
      const errors = problems.map((exception) => ({ destination, exception, source, sourceType }))
      return { status: errors.length ? 'FAILED' : 'SUCCESS', errors: errors.length ? errors : null }
    })
    return c.json({ validationResponse })
  })

  app.post('/preview', async (c) => {
    const { data, mappingSet } = await objectBody(c, invalid)
    if (!isObject(mappingSet)) throw invalid('mappingSet is required.')
    const records: readonly unknown[] = Array.isArray(data) ? data : [data]
    if (!records.every(isObject)) throw invalid('data must be an array of objects.')
    const { rows, schema } = parts(mappingSet, c.get('caller').sandbox)
    const mapped = records.map((record) => applyRows(rows, record, schema, store.now()))
    return c.json(
      mapped.map((one) => ({ data: one.data, errors: one.errors.length ? one.errors : null })),
    )
  })

  app.get('/:id', (c) => {
    const set = found(c.req.param('id'), c.get('caller'))
    const version = Number(c.req.query('version') ?? latestVersion(set))
    if (!(version >= 0 && version <= latestVersion(set))) throw notFound(set.id)
    return c.json(mappingSetView(set, version))
  })

  app.get('/:id/mappings', (c) => {
    const set = found(c.req.param('id'), c.get('caller'))
    return c.json({ data: mappingSetView(set, latestVersion(set)).mappings })
  })

  app.get('/:id/mappings/:rowId', (c) => {
    const set = found(c.req.param('id'), c.get('caller'))
    const rowId = c.req.param('rowId')
    const row = mappingSetView(set, latestVersion(set)).mappings.find((one) => one.id === rowId)
    if (!row) throw notFound(rowId)
    return c.json(row)
  })

  app.put('/:id', async (c) => {
    const caller = c.get('caller')
    const set = found(c.req.param('id'), caller)
    const body = checked(await objectBody(c, invalid), caller.sandbox, c.req.query('validate'))
    const versions = Array.isArray(set.hidden.versions) ? set.hidden.versions : []
    store.change(set, body, { versions: [...versions, body] })
    return c.json(mappingSetView(set, latestVersion(set)))
  })

  app.delete('/:id', (c) => {
    store.remove('mappingSets', found(c.req.param('id'), c.get('caller')))
    return c.body(null, 204)
  })

  function found(id: string, { sandbox }: Caller): Resource {
    const set = store.find('mappingSets', sandbox, id)
    if (!set) throw notFound(id)
    return set
  }

  function parts(body: JsonObject, sandbox: string): { rows: readonly Row[]; schema: Schema } {
    const output = isObject(body.outputSchema) ? body.outputSchema : {}
    const ref = isObject(output.schemaRef) ? output.schemaRef : {}
    const schemaId = text(ref.id)
    if (!schemaId) throw invalid('outputSchema.schemaRef.id is required.')
    const schema = findTenant(store, sandbox, 'schemas', schemaId)
    if (!schema) throw invalid(`The schema ${schemaId} could not be found.`)
    if (!Array.isArray(body.mappings) || body.mappings.length === 0) {
      throw invalid('mappings must be an array with at least one row.')
    }
    if (!body.mappings.every((row) => readRow(row) !== null)) {
      throw invalid('Every mapping requires source and destination.')
    }
    return { rows: mappingsOf(body), schema: resolve(store, sandbox, schema.body) }
  }

  /** `validate=false` stores rows unchecked, as Adobe's client does; a flow checks them later. */
  function checked(input: JsonObject, sandbox: string, validate: string | undefined): JsonObject {
    const body = inCurrentForm(input)
    const { rows, schema } = parts(body, sandbox)
    if (validate?.toLowerCase() === 'false') return body
    const problems = rows.flatMap((row) => rowProblems(row, schema))
    if (problems.length > 0) throw invalid(problems.join('; '))
    return body
  }
  return app
}

const brief = (set: Resource) => ({
  id: set.id,
  version: latestVersion(set),
  createdDate: set.createdAt,
  modifiedDate: set.updatedAt,
  createdBy: 'local-user',
  modifiedBy: 'local-user',
})

/** Older pages post `xdmSchema` and `xdmVersion`, to `/data/foundation/mappingSets`. */
function inCurrentForm(body: JsonObject): JsonObject {
  const { xdmSchema, xdmVersion, ...rest } = body
  if (rest.outputSchema !== undefined || typeof xdmSchema !== 'string') return body
  const contentType = `application/vnd.adobe.xed-full+json;version=${Number.parseInt(String(xdmVersion ?? 1), 10)}`
  return { ...rest, outputSchema: { schemaRef: { id: xdmSchema, contentType } } }
}

const notFound = (id: string) => mappingError(404, 'Mapping set not found', `No mapping set ${id}.`)
