/**
 * What becomes of records after AEP has accepted them: most land, some are refused a quarter of an hour later, some are
 * lost. And AEP's own account of that, as its read-only APIs give it: runs by the hour, failed batches, their rows.
 *
 * It knows everything at once; what its APIs show comes as late as with Adobe.
 */
import { Random } from '../drill/random.ts'
import type { LandedFault } from './plan.ts'
import type { Queue } from './queue.ts'

const MINUTE = 60_000
const QUARTER = 15 * MINUTE
const HOUR = 60 * MINUTE
type Reason = { code: string; pointer: string }

const REASONS: readonly [Reason, ...Reason[]] = [
  { code: 'DCVS-1104-400', pointer: '/timestamp' },
  { code: 'DCVS-1106-400', pointer: '/visitor/email' },
]

/** One record that AEP has accepted; each copy is one. */
type Accepted = { id: string; at: number; flow: string; text: string; isXdm: boolean; fate: Fate }
type Fate = 'landed' | 'lost' | { batch: Batch; reason: Reason }

export type Batch = { id: string; flow: string; created: number; doneAt: number; rows: Accepted[] }
type HourCount = { received: number; ingested: number; failed: number }

export type LandedDeps = {
  queue: Queue
  seed: number
  /** Their times are the queue's. */
  faults: readonly LandedFault[]
  /** A batch has failed, and can be read from now on. */
  failed: (batch: Batch) => void
}

export class LandedSide {
  readonly #deps: LandedDeps
  readonly #random: Random
  readonly #accepted: Accepted[] = []
  readonly #batches = new Map<string, Batch>()
  /** Requests to the read-only APIs. */
  requests = 0

  constructor(deps: LandedDeps) {
    this.#deps = deps
    this.#random = new Random(deps.seed, 'landed')
  }

  /** Accepts a record. Returns what is to be called when it was taken back. */
  accept(record: Omit<Accepted, 'at' | 'fate'>): () => void {
    const { now } = this.#deps.queue
    const fault = this.#lasting(now).find(({ share }) => this.#random.chance(share))
    const one: Accepted = { ...record, at: now, fate: 'landed' }
    if (fault?.how === 'lost') one.fate = 'lost'
    if (fault?.how === 'fails') {
      const batch = this.#batchAt(now, one.flow)
      one.fate = { batch, reason: this.#random.pick(REASONS) }
      batch.rows.push(one)
    }
    this.#accepted.push(one)
    return () => {
      this.#accepted.splice(this.#accepted.lastIndexOf(one), 1)
      if (typeof one.fate === 'object')
        one.fate.batch.rows.splice(one.fate.batch.rows.indexOf(one), 1)
    }
  }

  #lasting(at: number): LandedFault[] {
    return this.#deps.faults.filter(
      ({ from, to, how }) => (how === 'fails' || how === 'lost') && from <= at && at < to,
    )
  }

  #batchAt(at: number, flow: string): Batch {
    const created = Math.floor(at / QUARTER) * QUARTER
    const key = `${flow} ${created}`
    const known = this.#batches.get(key)
    if (known) return known
    const { queue, failed } = this.#deps
    const doneAt = created + QUARTER + this.#random.int(2, 20) * MINUTE
    const id = `BATCH-${flow}-${created / QUARTER}`
    const batch = { id, flow, created, doneAt, rows: [] }
    this.#batches.set(key, batch)
    queue.at(doneAt, () => batch.rows.length > 0 && failed(batch))
    return batch
  }

  /** What AEP has counted of an hour by now. */
  hour(at: number, flow: string): HourCount {
    const { now } = this.#deps.queue
    const count = { received: 0, ingested: 0, failed: 0 }
    for (const one of this.since(at)) {
      if (one.flow !== flow || one.at >= at + HOUR || one.fate === 'lost') continue
      count.received += 1
      if (one.fate === 'landed') count.ingested += 1
      else if (one.fate.batch.doneAt <= now) count.failed += 1
    }
    return count
  }

  /** Records that were lost, of a flow, in `[from, to)`. */
  lost(from: number, to: number): number {
    return [...this.since(from)].filter(({ at, fate }) => fate === 'lost' && at < to).length
  }

  *since(from: number): Generator<Accepted> {
    for (let index = this.#accepted.length - 1; index >= 0; index -= 1) {
      const one = this.#accepted[index] as Accepted
      if (one.at < from) return
      yield one
    }
  }

  /** A GET of `/data/…`. */
  async fetch(url: URL, wait: (ms: number) => Promise<void>): Promise<Response> {
    const { queue, seed, faults } = this.#deps
    this.requests += 1
    const random = new Random(seed, `read ${this.requests}`)
    await wait(random.int(30, 400))
    const { now } = queue
    const fault = faults.find(
      ({ from, to, how, share }) =>
        how !== 'fails' && how !== 'lost' && from <= now && now < to && random.chance(share),
    )
    if (fault?.how === 'silent') await wait(10 * HOUR)
    if (fault?.how === 'slow') await wait(random.int(1_000, 8_000))
    if (fault?.how === '403' || fault?.how === '500') {
      return json({ title: 'no' }, Number(fault.how))
    }
    const { pathname, searchParams } = url
    if (pathname.endsWith('/flowservice/runs')) return json(this.#runs(searchParams))
    if (pathname.endsWith('/catalog/batches')) return json(this.#list(searchParams))
    const [, id] = /\/export\/batches\/([^/]+)\/failed$/.exec(pathname) ?? []
    const batch = [...this.#batches.values()].find((each) => each.id === id)
    if (!batch || batch.doneAt > now) return json({ title: 'no such batch' }, 404)
    const path = searchParams.get('path')
    return path === null ? json(listing(batch)) : rowsOf(batch, path)
  }

  #runs(query: URLSearchParams): object {
    const started = 'metrics.durationSummary.startedAtUTC'
    const said = query.getAll('property')
    const number = (operator: string) =>
      Number(said.find((each) => each.startsWith(started + operator))?.slice(started.length + 1))
    const flow = said.find((each) => each.startsWith('flowId=='))?.slice(8) ?? ''
    const items = []
    for (let at = Math.ceil(number('>') / HOUR) * HOUR; at < number('<'); at += HOUR) {
      const { received, ingested, failed } = this.hour(at, flow)
      if (received === 0) continue
      items.push({
        id: `${flow}-${at}`,
        flowId: flow,
        createdAt: at,
        metrics: {
          durationSummary: { startedAtUTC: at },
          recordSummary: {
            inputRecordCount: received,
            outputRecordCount: ingested,
            failedRecordCount: failed,
          },
        },
      })
    }
    return { items }
  }

  #list(query: URLSearchParams): object {
    const after = Number(query.get('createdAfter'))
    const [start, limit] = [Number(query.get('start')), Number(query.get('limit'))]
    const found = [...this.#batches.values()]
      .filter(
        ({ created, doneAt, rows }) =>
          created > after && doneAt <= this.#deps.queue.now && rows.length > 0,
      )
      .sort((a, b) => a.created - b.created)
    return Object.fromEntries(
      found.slice(start, start + limit).map(({ id, created, doneAt, flow }) => {
        return [id, { created, updated: doneAt, status: 'failed', tags: { flowId: [flow] } }]
      }),
    )
  }
}

/** So many that a reading of twenty files gets through an hour in which everything fails; Adobe's own have more. */
const FILE_ROWS = 60

function listing({ rows }: Batch): object {
  const files = Array.from({ length: Math.ceil(rows.length / FILE_ROWS) }, (_, index) => {
    return { name: `part-${index}.json`, length: '1' }
  })
  return { data: [{ name: '_SUCCESS', length: '0' }, ...files], _links: {} }
}

/** In both forms that Adobe publishes: values as objects, and as JSON text. */
function rowsOf({ rows, created }: Batch, path: string): Response {
  const index = Number(/\d+/.exec(path)?.[0])
  const isText = (created / QUARTER) % 2 === 0
  const lines = rows
    .slice(index * FILE_ROWS, (index + 1) * FILE_ROWS)
    .map(({ text, isXdm, fate }) => {
      const record = JSON.parse(text)
      const { code, pointer } = (fate as { reason: Reason }).reason
      const body = isXdm ? { xdmMeta: {}, xdmEntity: record } : record
      const _errors = { _streamingValidation: [{ code, message: `#${pointer}: no` }] }
      return isText
        ? JSON.stringify({ body: JSON.stringify(body), _errors: JSON.stringify(_errors) })
        : JSON.stringify({ body, _errors })
    })
  return new Response(`${lines.join('\n')}\n`, { status: 200 })
}

function json(body: object, status = 200): Response {
  const text = JSON.stringify(body)
  return new Response(text, {
    status,
    headers: { 'content-type': 'application/json', 'content-length': String(text.length) },
  })
}
