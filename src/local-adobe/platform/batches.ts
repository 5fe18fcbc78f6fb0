/**
 * Batches: what became of accepted records, a quarter of an hour at a time: one batch of those that landed, and one of
 * those that did not, for each dataset and flow. Catalog lists them; Data Access gives the rows of a failed one.
 *
 * Made from the lake, never stored. A batch is `active` until `batchDelayMs` after its quarter, then `success` or
 * `failed`; as with Adobe, `created` says when it began, so a failed one turns up behind younger ones.
 * A failed row has the whole message. Adobe publishes its form twice: values as JSON text, and as objects; `failedForm`
 * and `failedBody` choose.
 */
import { type Context, Hono } from 'hono'
import type { Violation } from '../problem.ts'
import type { State } from '../state.ts'
import type { FailedRecord, LakeRecord } from '../streaming/lake.ts'
import type { JsonObject } from '../streaming/message.ts'
import { catalogError } from './errors.ts'
import { type Caller, DEFAULT_SANDBOX, type PlatformEnv } from './gateway.ts'
import type { Store } from './store.ts'

const QUARTER_MS = 900_000
/** Failed batches can be read so long. */
const RETENTION_MS = 30 * 86_400_000
const DEFAULT_LIMIT = 20
const MAX_LIMIT = 100

type Batch = {
  readonly id: string
  readonly datasetId: string
  readonly flowId: string | null
  readonly from: number
  readonly landed: readonly LakeRecord[]
  readonly failed: readonly FailedRecord[]
}

/** Those of the caller's sandbox, the oldest first. */
function batchesOf(store: Store, state: State, { sandbox }: Caller): readonly Batch[] {
  const { lake, settings } = state
  const batches = new Map<string, Batch & { landed: LakeRecord[]; failed: FailedRecord[] }>()
  const batchOf = (one: LakeRecord | FailedRecord, kind: 'landed' | 'failed') => {
    const datasetId = one.datasetId ?? settings.datasetId
    const { flowId } = one
    const from = Math.floor(one.at / QUARTER_MS) * QUARTER_MS
    const key = [kind, datasetId, flowId, from].join(' ')
    const known = batches.get(key)
    if (known) return known
    const made = { id: batchId(from, key), datasetId, flowId, from, landed: [], failed: [] }
    batches.set(key, made)
    return made
  }
  for (const one of lake.records) batchOf(one, 'landed').landed.push(one)
  for (const one of lake.failed) batchOf(one, 'failed').failed.push(one)
  const sandboxOf = (datasetId: string) =>
    store.all('dataSets').find(({ id }) => id === datasetId)?.sandbox ?? DEFAULT_SANDBOX
  return [...batches.values()]
    .filter(({ datasetId }) => sandboxOf(datasetId) === sandbox)
    .sort((a, b) => a.from - b.from)
}

/** Under `/catalog`. */
export function batchRoutes(store: Store, state: State): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()
  const views = (caller: Caller) =>
    batchesOf(store, state, caller).map((one) => ({
      id: one.id,
      view: batchView(one, state, caller),
    }))

  app.get('/', (c) => {
    const query = c.req.query()
    const { status, dataSet, createdAfter, createdBefore, orderBy = 'desc:created' } = query
    const limit = Number(query.limit ?? DEFAULT_LIMIT)
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
      throw catalogError(400, `limit must be a number from 1 to ${MAX_LIMIT}`)
    }
    const start = Number(query.start ?? query.offset ?? 0)
    const found = views(c.get('caller')).filter(({ view }) => {
      const objects = view.relatedObjects
      return (
        (status === undefined || view.status === status) &&
        (dataSet === undefined || objects.some(({ id }) => id === dataSet)) &&
        (createdAfter === undefined || view.created > Number(createdAfter)) &&
        (createdBefore === undefined || view.created < Number(createdBefore))
      )
    })
    if (orderBy.startsWith('desc')) found.reverse()
    const rows = found.slice(start, start + Math.min(limit, state.settings.pageSize))
    return c.json(Object.fromEntries(rows.map(({ id, view }) => [id, view])))
  })

  app.get('/:id', (c) => {
    const id = c.req.param('id')
    const found = views(c.get('caller')).find((one) => one.id === id)
    if (!found) throw catalogError(404, `Batch ${id} not found`)
    return c.json({ [id]: found.view })
  })
  return app
}

/** Under `/export`: Data Access. */
export function exportRoutes(store: Store, state: State): Hono<PlatformEnv> {
  const app = new Hono<PlatformEnv>()

  function found(c: Context<PlatformEnv>): Batch {
    const id = c.req.param('id')
    const batch = batchesOf(store, state, c.get('caller')).find((one) => one.id === id)
    const isThere =
      batch &&
      statusOf(batch, state) === 'failed' &&
      state.now() < batch.from + QUARTER_MS + RETENTION_MS
    if (!isThere) throw catalogError(404, `No failed files of batch ${id}`)
    return batch
  }

  app.get('/batches/:id/failed', (c) => {
    const batch = found(c)
    return answer(c, new Map([['_SUCCESS', ''], ...filesOf(batch, state)]), '')
  })

  app.get('/batches/:id/meta', (c) => {
    const batch = found(c)
    const path = c.req.query('path') ?? ''
    const files = new Map([['conversion_errors_0.json', errorRows(batch)]])
    if (path === '') return c.json(listing(c, new Map([['row_errors', '']]), ''))
    if (!/^row_errors(\/|$)/.test(path)) throw catalogError(404, `No ${path} in the batch`)
    return answer(c, files, 'row_errors/')
  })
  return app
}

/** The file that `path` names; without one, or for the folder itself, the list of all. */
function answer(c: Context<PlatformEnv>, files: ReadonlyMap<string, string>, folder: string) {
  const path = c.req.query('path') ?? ''
  if (path === '' || `${path}/` === folder) return c.json(listing(c, files, folder))
  const text = files.get(path.startsWith(folder) ? path.slice(folder.length) : path)
  if (text === undefined) throw catalogError(404, `No file ${path}`)
  return c.body(text, 200, { 'content-type': 'application/octet-stream' })
}

function listing(c: Context<PlatformEnv>, files: ReadonlyMap<string, string>, folder: string) {
  const { origin } = c.get('caller')
  const encoder = new TextEncoder()
  const start = Number(c.req.query('start') ?? 0)
  const limit = Math.min(MAX_LIMIT, Number(c.req.query('limit') ?? MAX_LIMIT))
  const data = [...files].slice(start, start + limit).map(([name, text]) => {
    const href = `${origin}${c.req.path}?path=${encodeURIComponent(folder + name)}`
    const length = String(encoder.encode(text).length)
    return { name, length, _links: { self: { href } } }
  })
  const next =
    start + limit < files.size
      ? { next: { href: `${origin}${c.req.path}?start=${start + limit}` } }
      : {}
  return { data, _page: { limit, count: files.size }, _links: next }
}

function statusOf(
  { from, failed }: Batch,
  { settings, now }: State,
): 'active' | 'failed' | 'success' {
  if (now() < from + QUARTER_MS + settings.batchDelayMs) return 'active'
  return failed.length > 0 ? 'failed' : 'success'
}

function batchView(batch: Batch, state: State, { orgId, sandbox }: Caller) {
  const { id, datasetId, flowId, from, landed, failed } = batch
  const status = statusOf(batch, state)
  const done = from + QUARTER_MS + state.settings.batchDelayMs
  const isDone = status !== 'active'
  const mapper = failed.filter(({ record }) => Object.keys(record).length === 0).length
  return {
    imsOrg: orgId,
    created: from,
    updated: isDone ? done : Math.min(state.now(), done),
    createdClient: 'acp_foundation_push',
    createdUser: 'acp_foundation_push@AdobeID',
    updatedUser: 'acp_foundation_push@AdobeID',
    version: '1.0.1',
    status,
    ...(isDone && { started: from, completed: done }),
    sandboxId: sandbox,
    tags: { ...(flowId !== null && { flowId: [flowId] }), acp_latestBatchId: [id] },
    relatedObjects: [{ type: 'dataSet', id: datasetId }],
    metrics: {
      recordsSize: JSON.stringify([...landed, ...failed].map(({ record }) => record)).length,
      outputRecordCount: landed.length,
      invalidRecordCount: failed.length,
      invalidRecordsStreamingValidation: failed.length - mapper,
      invalidRecordsMapper: mapper,
      invalidRecordsProfile: 0,
      invalidRecordsIdentity: 0,
      invalidRecordsUnknown: 0,
    },
    errors: isDone ? distinctErrors(failed) : [],
  }
}

function distinctErrors(failed: readonly FailedRecord[]) {
  const codes = new Set(failed.flatMap(({ violations }) => violations.map(codeOf)))
  return [...codes].map((code) => ({ code, description: 'Records failed validation.' }))
}

/** Of Adobe's `DCVS` codes four are known, from reports of others; the last one here is made up. */
const CODES: Readonly<Record<string, string>> = {
  type: 'DCVS-1104-400',
  format: 'DCVS-1105-400',
  enum: 'DCVS-1106-400',
  required: 'DCVS-1111-400',
}

function codeOf({ code, keyword }: Violation): string {
  return code ?? CODES[keyword] ?? 'DCVS-1100-400'
}

/** Names of files and their rows. */
function filesOf(
  { failed, id }: Batch,
  { settings }: State,
): readonly (readonly [string, string])[] {
  const { failedFileRows: size } = settings
  return Array.from({ length: Math.ceil(failed.length / size) }, (_, index) => {
    const rows = failed.slice(index * size, (index + 1) * size)
    const name = `part-${String(index).padStart(5, '0')}-${id.toLowerCase()}.json`
    return [name, rows.map((one) => `${failedRow(one, settings)}\n`).join('')] as const
  })
}

function failedRow(
  { source, record, header, violations, flowId, datasetId }: FailedRecord,
  { failedForm, failedBody, orgId }: State['settings'],
): string {
  const sent =
    header === null ? source : { xdmMeta: { schemaRef: header.schemaRef }, xdmEntity: source }
  const body = failedBody === 'mapped' && header === null ? record : sent
  const values: JsonObject = {
    body,
    header: header ?? { imsOrgId: orgId, datasetId, flowId },
    _errors: {
      _streamingValidation: violations.map((one) => ({
        code: codeOf(one),
        message: `#${one.pointer}: ${one.message}`,
      })),
    },
  }
  const text = (value: unknown, key: string) => {
    const whole = JSON.stringify(value)
    return failedBody === 'cut' && key === 'body' ? whole.slice(0, whole.length / 2) : whole
  }
  const asText = failedForm === 'text' || failedBody === 'cut'
  return JSON.stringify(
    asText
      ? Object.fromEntries(Object.entries(values).map(([key, value]) => [key, text(value, key)]))
      : values,
  )
}

/** As error diagnostics writes them. */
function errorRows({ failed, id }: Batch): string {
  const rows = failed.map(({ source, violations }) => ({
    _corrupt_record: JSON.stringify(source),
    _errors: violations.map((one) => ({
      code: codeOf(one),
      message: `#${one.pointer}: ${one.message}`,
    })),
    _filename: `${id.toLowerCase()}.json`,
  }))
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** In the form of Adobe's, a ULID: the time, and here what tells the batch from others in the place of chance. */
function batchId(from: number, key: string): string {
  let time = ''
  for (let rest = from; time.length < 10; rest = Math.floor(rest / 32)) {
    time = `${CROCKFORD[rest % 32]}${time}`
  }
  let tail = ''
  for (let hash = 0x811c9dc5, index = 0; tail.length < 16; index += 1) {
    for (const char of `${key} ${index}`)
      hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
    tail += CROCKFORD[(hash >>> 27) & 31]
  }
  return time + tail
}
