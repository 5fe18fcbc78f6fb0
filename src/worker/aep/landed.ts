/**
 * Landed: what AEP says became of the events that it accepted: how many came and landed in each hour (Flow Service, `/runs`),
 * and which were kept out of the dataset afterwards: the rows of failed batches (Catalog, `/batches`; Data Access, `/failed`).
 *
 * Promises: reads only; at most `LISTS` requests for lists and `FILES` for failed batches a call, then a cursor says where to
 * go on, and nothing is read twice but what may still change. Never throws for what AEP answers: a refusal is a `problem`, and
 * what was read before it counts. A batch that cannot be read keeps none of the others back: it is tried again, behind them.
 * Of other flows in the same dataset nothing comes out. AEP's texts never do: an event's id, a code, a pointer, the batch; its
 * kind and source, as the relay wrote them. Request, clock and token are passed in.
 *
 * Accepts: whether AEP makes one run an hour for a streaming flow is not published, so runs are summed by the hour in which
 * they began; an hour counts as settled two hours after its end. A batch that fails more than three hours after it began is
 * found within a day: once a day the last seven days are looked through.
 */
import { isObject } from '../lib/json.ts'
import { DAY_MS, HOUR_MS } from '../limits.ts'
import { type FailedRow, readFailedRow } from './failed-row.ts'
import {
  continuationOf,
  getAnswer,
  getJson,
  linesOf,
  momentOf,
  type PlatformGet,
  type PlatformProblem,
} from './platform-get.ts'

/** `flowId`: `null` without a dataflow; then the batches of every flow are read, and no runs. */
export type LandedFlow = { readonly datasetId: string; readonly flowId: string | null }

/** In records: a split event is several. */
type Counts = Readonly<Record<'received' | 'ingested' | 'failed', number>>

/** A UTC hour, `at` its beginning; epoch milliseconds. `settled`: AEP will not change it any more. */
export type LandedHour = Counts & { readonly at: number; readonly settled: boolean }

/** An event that AEP accepted and kept out. `at`: when its batch was done with, epoch milliseconds. */
export type LandedFailure = Readonly<Record<'id' | 'code' | 'pointer' | 'batch', string>> & {
  readonly at: number
}

/** Failed rows of one batch that have all of this in common. `acceptedAt`: when their batch began, epoch milliseconds. */
type RowOrigin = Pick<FailedRow, 'kind' | 'source'> & { readonly acceptedAt: number }
export type ReadFailure = LandedFailure & RowOrigin & Pick<FailedRow, 'form'>
export type UnnamedRows = Pick<LandedFailure, 'code' | 'pointer'> &
  RowOrigin & { readonly count: number }

/** An hour beside what AEP acknowledged in it, at least. */
export type ComparedHour = LandedHour & { readonly ours: number }

export type LandedCursor = {
  /** The first hour that is to be read. */
  readonly hours: number
  /** Failed batches that were created later than this are looked at, */
  readonly batches: number
  /** and so many of their list have been. */
  readonly start: number
  /** Those that have been read to their end, with the time of their creation. */
  readonly done: Readonly<Record<string, number>>
  /** The one at which reading stopped, and how many of its files have been read. */
  readonly within: { readonly batch: string; readonly files: number } | null
  /** When all of the last days were last looked through, epoch milliseconds. */
  readonly lookedBackAt: number
  /** Batches that could not be read. */
  readonly unread: readonly string[]
}

export type Landed = {
  /** Empty without a dataflow. */
  readonly hours: readonly LandedHour[]
  readonly failures: readonly ReadFailure[]
  /** Failed rows that name no event of this relay. */
  readonly unnamed: readonly UnnamedRows[]
  /** Failed batches of ours whose files AEP no longer has. */
  readonly gone: number
  readonly cursor: LandedCursor
  /** There is more to read now. */
  readonly more: boolean
  readonly problem: PlatformProblem | null
}

type LandedOptions = {
  readonly get: PlatformGet
  readonly flow: LandedFlow
  readonly cursor: LandedCursor
  readonly now: number
  /** Whether the time for this call is over: then it ends as if its requests were spent. */
  readonly late?: () => boolean
  /** After so many failed rows it ends with the file that it reads. */
  readonly rows?: number
}

const LISTS = 4
/** Of these, for the runs of hours. */
const RUN_LISTS = 3
const FILES = 20
/** After its end AEP may still count for an hour so long. */
const SETTLE_MS = 2 * HOUR_MS
/** In one call: as many runs as a page holds, where there is one an hour. */
const HOURS = 48
const RUNS_PAGE = 50
const BATCHES_PAGE = 100
/** A batch takes up what came within a quarter of an hour. */
const QUARTER_MS = 900_000
/** A batch is listed under the time of its beginning, and fails later; once in `DEEP_EVERY_MS` it may be much later. */
const LOOK_BACK_MS = 3 * HOUR_MS
const DEEP_LOOK_BACK_MS = 7 * DAY_MS
const DEEP_EVERY_MS = DAY_MS
/** Of a week in which every quarter of an hour has a failed batch. */
const MAX_DONE = DEEP_LOOK_BACK_MS / QUARTER_MS

const FLOW_SERVICE = '/data/foundation/flowservice'
const CATALOG = '/data/foundation/catalog'
const EXPORT = '/data/foundation/export'

/** Everything since then, epoch milliseconds. */
export function landedSince(since: number): LandedCursor {
  const [hours, batches] = [floorHour(since), since - QUARTER_MS]
  return { hours, batches, start: 0, done: {}, within: null, lookedBackAt: since, unread: [] }
}

/**
 * How many fewer AEP has received than it acknowledged, at least, over the settled hours from `from` on and below `to`. What
 * was sent in the last second of an hour AEP may count in the next; and what AEP counted in the hours before we may have
 * counted later: once AEP had answered, or by a clock that ran ahead. So what the hours on both sides have too many does not
 * miss.
 */
export function missingIn(hours: readonly ComparedHour[], from: number, to: number): number {
  const own = hours.filter(({ at, settled }) => settled && at >= from && at < to)
  const ends = own.map(({ at }) => at)
  const [first, last] = [Math.min(...ends), Math.max(...ends)]
  const tooMany = ({ received, ours }: ComparedHour) => received - ours
  const after = hours.filter(({ at }) => at === last + HOUR_MS).map(tooMany)
  let before = 0
  let sum = 0
  for (const hour of hours.filter(({ at }) => at < first).sort((a, b) => b.at - a.at)) {
    sum += tooMany(hour)
    before = Math.max(before, sum)
  }
  const missing = -own.map(tooMany).reduce((a, b) => a + b, 0)
  return Math.max(missing - before - Math.max(after[0] ?? 0, 0), 0)
}

/** What one call may still read. */
type Budget = { lists: number; files: number; rows: number; readonly late: () => boolean }

const isSpent = ({ files, rows, late }: Budget) => files <= 0 || rows <= 0 || late()

export async function readLanded(options: LandedOptions): Promise<Landed> {
  const { flow, now } = options
  const { late = () => false, rows = Infinity } = options
  const budget = { lists: LISTS, files: FILES, rows, late }
  const { hours, next, more, problem } =
    flow.flowId === null
      ? { hours: [], next: floorHour(now), more: false, problem: null }
      : await readHours(options, flow.flowId, budget)
  const failed = await readFailures(options, budget)
  return {
    ...failed,
    hours,
    cursor: { ...failed.cursor, hours: next },
    more: failed.more || more,
    problem: problem ?? failed.problem,
  }
}

/** The oldest first, so that what one call leaves is what the next begins with. */
async function readHours({ get, cursor, now }: LandedOptions, flowId: string, budget: Budget) {
  const from = cursor.hours
  const to = Math.min(from + HOURS * HOUR_MS, floorHour(now) + HOUR_MS)
  const started = 'metrics.durationSummary.startedAtUTC'
  let query: URLSearchParams | null = new URLSearchParams([
    ['property', `flowId==${flowId}`],
    ['property', `${started}>${from - 1}`],
    ['property', `${started}<${to}`],
    ['limit', String(RUNS_PAGE)],
    ['orderby', 'createdAt'],
  ])
  const sums = new Map<number, Counts>()
  for (let page = 0; query !== null && page < RUN_LISTS && !budget.late(); page += 1) {
    budget.lists -= 1
    const answer = await getJson(get, 'runs', `${FLOW_SERVICE}/runs?${query}`)
    if ('what' in answer) return { hours: [], next: from, more: false, problem: answer }
    const { items } = answer.json
    for (const run of Array.isArray(items) ? items : []) addRun(run, flowId, sums)
    const token = continuationOf(answer.json)
    query = token === null ? null : new URLSearchParams({ continuationToken: token })
  }
  // While the list has another page, its last hour may be incomplete.
  const end = query === null ? to : Math.min(to, Math.max(from, ...sums.keys()))
  const hours: LandedHour[] = []
  for (let at = from; at < end; at += HOUR_MS) {
    hours.push({ at, ...(sums.get(at) ?? NONE), settled: isSettled(at, now) })
  }
  const next = hours.find(({ settled }) => !settled)?.at ?? end
  return { hours, next, more: end <= floorHour(now) && next > from, problem: null }
}

/** What was read by a clock that ran ahead: by this one no hour is settled too early, and none is left out. */
export function notAhead<
  Read extends { hours: readonly LandedHour[]; cursor: LandedCursor | null },
>(read: Read, now: number): Read {
  const hours = read.hours.map((hour) => {
    return { ...hour, settled: hour.settled && isSettled(hour.at, now) }
  })
  const open = hours.find(({ settled }) => !settled)?.at ?? Infinity
  const { cursor } = read
  return { ...read, hours, cursor: cursor && { ...cursor, hours: Math.min(cursor.hours, open) } }
}

function isSettled(hour: number, now: number): boolean {
  return hour + HOUR_MS + SETTLE_MS <= now
}

const NONE: Counts = { received: 0, ingested: 0, failed: 0 }

function addRun(run: unknown, flowId: string, sums: Map<number, Counts>): void {
  if (!isObject(run) || !isObject(run.metrics) || run.flowId !== flowId) return
  const { durationSummary, recordSummary } = run.metrics
  const started = isObject(durationSummary) ? momentOf(durationSummary.startedAtUTC) : null
  const at = started ?? momentOf(run.createdAt)
  if (at === null || !isObject(recordSummary)) return
  const ingested = countOf(recordSummary.outputRecordCount)
  const failed = countOf(recordSummary.failedRecordCount)
  const received = countOf(recordSummary.inputRecordCount) || ingested + failed
  const known = sums.get(floorHour(at)) ?? NONE
  sums.set(floorHour(at), {
    received: known.received + received,
    ingested: known.ingested + ingested,
    failed: known.failed + failed,
  })
}

const countOf = (value: unknown): number =>
  Math.max(Number.isSafeInteger(value) ? Number(value) : 0, 0)

function floorHour(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS
}

async function readFailures(options: LandedOptions, budget: Budget) {
  const { get, cursor, now } = options
  const failures: ReadFailure[] = []
  const unnamed = new Map<string, UnnamedRows>()
  let gone = 0
  const done = new Map(Object.entries(cursor.done))
  const troubled = new Map<string, { created: number; problem: PlatformProblem }>()
  const stopped = (more: boolean, problem: PlatformProblem | null, to: Partial<LandedCursor>) => {
    const kept = [...done].filter(([, created]) => created > now - DEEP_LOOK_BACK_MS)
    const read = { done: Object.fromEntries(kept.slice(-MAX_DONE)), unread: [...troubled.keys()] }
    const rows = { failures, unnamed: [...unnamed.values()], gone }
    return { ...rows, more, problem, cursor: { ...cursor, ...to, ...read } }
  }
  const listed = await listBatches(options, budget)
  const open = listed.batches.filter(({ id }) => !done.has(id))
  const isUnread = ({ id }: FailedBatch) => cursor.unread?.includes(id) ?? false
  for (const batch of [...open.filter((one) => !isUnread(one)), ...open.filter(isUnread)]) {
    const skip = cursor.within?.batch === batch.id ? cursor.within.files : 0
    const onRow = ({ id, form, ...cause }: FailedRow) => {
      const rows = { ...cause, acceptedAt: batch.created }
      if (id === null) addUnnamed(rows, unnamed)
      else failures.push({ ...rows, id, form, batch: batch.id, at: batch.updated })
    }
    const { end, files } = await readBatch(get, batch.id, onRow, skip, budget)
    const within = { batch: batch.id, files }
    if (end === 'budget') return stopped(true, null, { within })
    if (end === null || end === 'gone') {
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

function addUnnamed(rows: Omit<UnnamedRows, 'count'>, unnamed: Map<string, UnnamedRows>): void {
  const key = JSON.stringify(rows)
  unnamed.set(key, { ...rows, count: (unnamed.get(key)?.count ?? 0) + 1 })
}

type FailedBatch = Readonly<Record<'created' | 'updated', number>> & { readonly id: string }

/** Those of the flow, the oldest first: others of the same dataset are not opened. `seen`: of every flow. */
async function listBatches({ get, flow, cursor }: LandedOptions, budget: Budget) {
  const seen = new Set<string>()
  const batches: FailedBatch[] = []
  let more = true
  let problem: PlatformProblem | null = null
  while (more && budget.lists > 0 && !budget.late()) {
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
    const before = seen.size
    for (const [id, value] of Object.entries('what' in answer ? {} : answer.json)) {
      const batch = seen.has(id) ? null : batchOf(id, value, flow.flowId)
      seen.add(id)
      if (batch) batches.push(batch)
    }
    more = seen.size > before
    problem = 'what' in answer ? answer : null
  }
  return { batches: batches.sort((a, b) => a.created - b.created), seen: seen.size, more, problem }
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

/**
 * Every row of one batch, with its line. `end`: `null` when all were read; `gone`: AEP no longer has them. `files`: those that
 * were read to their end, `skip` included.
 */
export async function readBatch(
  get: PlatformGet,
  batch: string,
  onRow: (row: FailedRow, line: string) => void,
  skip = 0,
  budget: Budget = { lists: 0, files: Infinity, rows: Infinity, late: () => false },
): Promise<{ end: null | 'gone' | 'budget' | PlatformProblem; files: number }> {
  const path = `${EXPORT}/batches/${batch}/failed`
  const names: string[] = []
  for (let query: string | null = ''; query !== null; ) {
    if (isSpent(budget)) return { end: 'budget', files: skip }
    budget.files -= 1
    const answer = await getJson(get, 'files', path + query)
    if ('what' in answer) return { end: answer.status === 404 ? 'gone' : answer, files: skip }
    const { data, _links } = answer.json
    names.push(...(Array.isArray(data) ? data.flatMap(fileName) : []))
    const next = isObject(_links) && isObject(_links.next) ? _links.next.href : null
    query = typeof next === 'string' && next.includes('?') ? next.slice(next.indexOf('?')) : null
  }
  for (const [index, name] of names.entries()) {
    if (index < skip) continue
    if (isSpent(budget)) return { end: 'budget', files: index }
    budget.files -= 1
    const answer = await getAnswer(get, 'files', `${path}?path=${encodeURIComponent(name)}`)
    if ('what' in answer) return { end: answer, files: index }
    // Those with an id count once, however often they are read; the others when their file has been read to its end.
    const unnamed: [FailedRow, string][] = []
    try {
      for await (const line of linesOf(answer)) {
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
  return { end: null, files: names.length }
}

/** Not the empty file that says that all are there. */
function fileName(file: unknown): string[] {
  const name = isObject(file) ? file.name : undefined
  return typeof name === 'string' && name !== '' && !name.startsWith('_') ? [name] : []
}
