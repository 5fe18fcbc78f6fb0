/**
 * Failed batches: which events AEP accepted and kept out of the dataset, from Catalog (`/batches`) and Data Access (`/failed`).
 *
 * Promises: those of `landed.ts`. A batch that cannot be read keeps none of the others back: it is tried again, behind them.
 * Accepts: a batch that fails more than three hours after it began is found within a day: once a day the last seven days are
 * looked through.
 */
import { isObject } from '../lib/json.ts'
import { HOUR_MS } from '../limits.ts'
import { type FailedRow, readFailedRow } from './failed-row.ts'
import type { Landed, LandedCursor, LandedOptions, ReadFailure, UnnamedRows } from './landed.ts'
import {
  getAnswer,
  getJson,
  linesOf,
  momentOf,
  type PlatformGet,
  type PlatformProblem,
} from './platform-get.ts'

/** A batch is listed under the time of its beginning, and fails later; once in `DEEP_EVERY_MS` it may be much later. */
const LOOK_BACK_MS = 3 * HOUR_MS
const DEEP_LOOK_BACK_MS = 7 * 24 * HOUR_MS
const DEEP_EVERY_MS = 24 * HOUR_MS
const BATCHES_PAGE = 100
/** Of a week in which every quarter of an hour has a failed batch. */
const MAX_DONE = 7 * 24 * 4
const CATALOG = '/data/foundation/catalog'
const EXPORT = '/data/foundation/export'

export type FailedBatch = {
  readonly id: string
  readonly created: number
  readonly updated: number
}

/** What one call may still read. */
export type Budget = { lists: number; files: number; rows: number; readonly late: () => boolean }

const isSpent = ({ files, rows, late }: Budget) => files <= 0 || rows <= 0 || late()

/** Every row of one batch, with its line; `null`: all were read, `gone`: AEP no longer has them. */
export async function readBatch(
  get: PlatformGet,
  batch: string,
  each: (row: FailedRow, line: string) => void,
): Promise<null | 'gone' | PlatformProblem> {
  const budget = { lists: 0, files: Infinity, rows: Infinity, late: () => false }
  const { end } = await readFiles(get, batch, 0, budget, each)
  return end === 'done' || end === 'budget' ? null : end
}

type Failures = Pick<Landed, 'failures' | 'unnamed' | 'gone' | 'more' | 'problem'> & {
  readonly cursor: Omit<LandedCursor, 'hours'>
}

export async function readFailures(options: LandedOptions, budget: Budget): Promise<Failures> {
  const { get, cursor, now, each } = options
  const failures: ReadFailure[] = []
  const unnamed = new Map<string, UnnamedRows>()
  let gone = 0
  const done = new Map(Object.entries(cursor.done))
  const stopped = (more: boolean, problem: PlatformProblem | null, to: Partial<LandedCursor>) => {
    const { batches, start, within, lookedBackAt } = { ...cursor, ...to }
    const unread = [...troubled.keys()]
    const kept = [...done].filter(([, created]) => created > now - DEEP_LOOK_BACK_MS)
    const next = { batches, start, done: Object.fromEntries(kept.slice(-MAX_DONE)), within }
    const rows = { failures, unnamed: [...unnamed.values()], gone }
    return { ...rows, more, problem, cursor: { ...next, lookedBackAt, unread } }
  }
  const listed = await listBatches(options, budget)
  const isUnread = ({ id }: FailedBatch) => cursor.unread?.includes(id) ?? false
  const open = listed.batches.filter(({ id }) => !done.has(id))
  const troubled = new Map<string, { created: number; problem: PlatformProblem }>()
  for (const batch of [...open.filter((one) => !isUnread(one)), ...open.filter(isUnread)]) {
    const skip = cursor.within?.batch === batch.id ? cursor.within.files : 0
    const { end, files } = await readFiles(get, batch.id, skip, budget, (row) => {
      each?.(row, batch)
      const { id, code, pointer, kind, source } = row
      const origin = { code, pointer, kind, source, acceptedAt: batch.created }
      if (id !== null) {
        failures.push({ ...origin, id, batch: batch.id, at: batch.updated })
        return
      }
      const key = JSON.stringify(origin)
      unnamed.set(key, { ...origin, count: (unnamed.get(key)?.count ?? 0) + 1 })
    })
    const within = { batch: batch.id, files }
    if (end === 'budget') return stopped(true, null, { within })
    if (end === 'done' || end === 'gone') {
      if (end === 'gone') gone += 1
      done.set(batch.id, batch.created)
    } else {
      troubled.set(batch.id, { created: batch.created, problem: end })
      // No other can be read either.
      if (end.reason === 'permission') return stopped(false, end, { within })
    }
  }
  const [first] = troubled.values()
  const problem = listed.problem ?? first?.problem ?? null
  if (listed.problem) return stopped(false, problem, {})
  if (listed.more) {
    return stopped(true, problem, { start: cursor.start + listed.seen, within: null })
  }
  // All are read. Recent batches may still fail, so they are listed again, and so are those that could not be read.
  const isDeep = Math.abs(now - (cursor.lookedBackAt ?? 0)) >= DEEP_EVERY_MS
  const oldest = Math.min(...[...troubled.values()].map(({ created }) => created - 1))
  const from = isDeep ? now - DEEP_LOOK_BACK_MS : Math.min(now - LOOK_BACK_MS, oldest)
  const batches = Math.max(from, now - DEEP_LOOK_BACK_MS)
  const lookedBackAt = isDeep ? now : cursor.lookedBackAt
  return stopped(false, problem, { batches, start: 0, within: null, lookedBackAt })
}

type Listed = {
  /** The oldest first. */
  readonly batches: readonly FailedBatch[]
  /** Of every flow. */
  readonly seen: number
  /** There are younger ones. */
  readonly more: boolean
  readonly problem: PlatformProblem | null
}

/** Those of the flow: others of the same dataset are not opened. */
async function listBatches({ get, flow, cursor }: LandedOptions, budget: Budget): Promise<Listed> {
  const seen = new Set<string>()
  const batches: FailedBatch[] = []
  const result = (more: boolean, problem: PlatformProblem | null = null) => {
    batches.sort((a, b) => a.created - b.created)
    return { batches, seen: seen.size, more, problem }
  }
  while (budget.lists > 0 && !budget.late()) {
    budget.lists -= 1
    const query = new URLSearchParams({
      status: 'failed',
      dataSet: flow.datasetId,
      createdAfter: String(cursor.batches),
      limit: String(BATCHES_PAGE),
      start: String(cursor.start + seen.size),
      orderBy: 'asc:created',
    })
    const answer = await getJson(get, 'batches', `${CATALOG}/batches?${query}`)
    if ('reason' in answer) return result(false, answer.reason)
    const before = seen.size
    for (const [id, value] of Object.entries(answer.body)) {
      const batch = seen.has(id) ? null : batchOf(id, value, flow.flowId)
      seen.add(id)
      if (batch) batches.push(batch)
    }
    if (seen.size === before) return result(false)
  }
  return result(true)
}

/** `null`: of another flow, or not what a batch looks like. */
function batchOf(id: string, value: unknown, flowId: string | null): FailedBatch | null {
  if (!isObject(value) || !/^[\w-]{1,64}$/.test(id)) return null
  const { status, tags } = value
  const created = momentOf(value.created)
  if (created === null || status !== 'failed') return null
  const flows = isObject(tags) && Array.isArray(tags.flowId) ? tags.flowId : []
  if (flowId !== null && !flows.includes(flowId)) return null
  return { id, created, updated: momentOf(value.updated) ?? created }
}

type ReadFiles = {
  /** `gone`: AEP no longer has them. */
  readonly end: 'done' | 'gone' | 'budget' | PlatformProblem
  /** Read to their end, those skipped included. */
  readonly files: number
}

async function readFiles(
  get: PlatformGet,
  batch: string,
  skip: number,
  budget: Budget,
  onRow: (row: FailedRow, line: string) => void,
): Promise<ReadFiles> {
  const path = `${EXPORT}/batches/${batch}/failed`
  const names: string[] = []
  for (let query: string | null = ''; query !== null; ) {
    if (isSpent(budget)) return { end: 'budget', files: skip }
    budget.files -= 1
    const answer = await getJson(get, 'files', path + query)
    if ('reason' in answer) {
      return { end: answer.reason.status === 404 ? 'gone' : answer.reason, files: skip }
    }
    const { data, _links } = answer.body
    names.push(...(Array.isArray(data) ? data.flatMap(fileName) : []))
    const next = isObject(_links) && isObject(_links.next) ? _links.next.href : null
    query = typeof next === 'string' && next.includes('?') ? next.slice(next.indexOf('?')) : null
  }
  for (const [index, name] of names.entries()) {
    if (index < skip) continue
    if (isSpent(budget)) return { end: 'budget', files: index }
    budget.files -= 1
    const response = await getAnswer(get, 'files', `${path}?path=${encodeURIComponent(name)}`)
    if ('reason' in response) return { end: response.reason, files: index }
    // Those with an id count once, however often they are read; the others when their file has been read to its end.
    const unnamed: [FailedRow, string][] = []
    try {
      for await (const line of linesOf(response.response)) {
        const row = readFailedRow(line)
        if (!row) continue
        budget.rows -= 1
        if (row.id === null) unnamed.push([row, line])
        else onRow(row, line)
      }
      for (const [row, line] of unnamed) onRow(row, line)
    } catch {
      return { end: { what: 'files', reason: 'failed', status: null }, files: index }
    }
  }
  return { end: 'done', files: names.length }
}

/** Not the empty file that says that all are there. */
function fileName(file: unknown): string[] {
  const name = isObject(file) ? file.name : undefined
  return typeof name === 'string' && name !== '' && !name.startsWith('_') ? [name] : []
}
