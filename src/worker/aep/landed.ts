/**
 * Landed: what AEP says became of the events that it accepted: how many came and landed in each hour (Flow Service, `/runs`),
 * and which were kept out of the dataset afterwards (`failed-batches.ts`).
 *
 * Promises: reads only; at most `LISTS` requests for lists and `FILES` for failed batches a call, then a cursor says where to
 * go on, and nothing is read twice but what may still change. Never throws for what AEP answers: a refusal is a `problem`, and
 * what was read before it counts. Of other flows in the same dataset nothing comes out. AEP's texts never do: an event's id,
 * a code, a pointer, the batch; its kind and source, as the relay wrote them. Request, clock and token are passed in.
 *
 * Accepts: whether AEP makes one run an hour for a streaming flow is not published, so runs are summed by the hour in which
 * they began; an hour counts as settled two hours after its end.
 */
import { isObject } from '../lib/json.ts'
import { HOUR_MS } from '../limits.ts'
import { type Budget, type FailedBatch, readFailures } from './failed-batches.ts'
import type { FailedRow } from './failed-row.ts'
import {
  continuationOf,
  getJson,
  momentOf,
  type PlatformGet,
  type PlatformProblem,
} from './platform-get.ts'

/** `flowId`: `null` without a dataflow; then the batches of every flow are read, and no runs. */
export type LandedFlow = { readonly datasetId: string; readonly flowId: string | null }

/** A UTC hour, `at` its beginning; epoch milliseconds. Counted in records: a split event is several. */
export type LandedHour = {
  readonly at: number
  readonly received: number
  readonly ingested: number
  readonly failed: number
  /** AEP will not change it any more. */
  readonly settled: boolean
}

/** An event that AEP accepted and kept out. `at`: when its batch was done with, epoch milliseconds. */
export type LandedFailure = Readonly<Record<'id' | 'code' | 'pointer' | 'batch', string>> & {
  readonly at: number
}

/** Failed rows of one batch that have all of this in common. `acceptedAt`: when their batch began, epoch milliseconds. */
type RowOrigin = Pick<FailedRow, 'kind' | 'source'> & { readonly acceptedAt: number }
export type ReadFailure = LandedFailure & RowOrigin
export type UnnamedRows = Pick<LandedFailure, 'code' | 'pointer'> &
  RowOrigin & { readonly count: number }

/** An hour beside what AEP acknowledged in it, at least. In records. */
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

export type LandedOptions = {
  readonly get: PlatformGet
  readonly flow: LandedFlow
  readonly cursor: LandedCursor
  readonly now: number
  /** Whether the time for this call is over: then it ends as if its requests were spent. */
  readonly late?: () => boolean
  /** After so many failed rows it ends with the file that it reads. */
  readonly rows?: number
  /** Called for each failed row of ours, for a reader who wants the record; what it keeps is its own affair. */
  readonly each?: (row: FailedRow, batch: FailedBatch) => void
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

const FLOW_SERVICE = '/data/foundation/flowservice'

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

/** A batch takes up what came within a quarter of an hour. */
const QUARTER_MS = 900_000

export async function readLanded(options: LandedOptions): Promise<Landed> {
  const { flow, now, cursor } = options
  const { late = () => false, rows = Infinity } = options
  const budget = { lists: LISTS, files: FILES, rows, late }
  const hours =
    flow.flowId === null
      ? { hours: [], next: floorHour(now), more: false, problem: null }
      : await readHours(options, flow.flowId, budget)
  const failed = await readFailures(options, budget)
  return {
    ...failed,
    hours: hours.hours,
    cursor: { ...cursor, ...failed.cursor, hours: hours.next },
    more: failed.more || hours.more,
    problem: hours.problem ?? failed.problem,
  }
}

type Hours = {
  readonly hours: readonly LandedHour[]
  readonly next: number
  readonly more: boolean
  readonly problem: PlatformProblem | null
}

/** The oldest first, so that what one call leaves is what the next begins with. */
async function readHours(
  { get, cursor, now }: LandedOptions,
  flowId: string,
  budget: Budget,
): Promise<Hours> {
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
    if ('reason' in answer) return { hours: [], next: from, more: false, problem: answer.reason }
    const { items } = answer.body
    for (const run of Array.isArray(items) ? items : []) addRun(run, flowId, sums)
    const token = continuationOf(answer.body)
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
  const hours = read.hours.map((hour) => ({
    ...hour,
    settled: hour.settled && isSettled(hour.at, now),
  }))
  const open = hours.find(({ settled }) => !settled)?.at ?? Number.POSITIVE_INFINITY
  const { cursor } = read
  return { ...read, hours, cursor: cursor && { ...cursor, hours: Math.min(cursor.hours, open) } }
}

function isSettled(hour: number, now: number): boolean {
  return hour + HOUR_MS + SETTLE_MS <= now
}

type Counts = Pick<LandedHour, 'received' | 'ingested' | 'failed'>
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
