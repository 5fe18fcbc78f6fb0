/**
 * What isolates report, and what the outbox has delivered: one row each, as it came, folded later.
 *
 * Promises: a report is written whole or not at all, and counts once, however often it is sent. Rows written: one for a
 * report, one to fold it away, and a few for each folding (an hour of activity, the totals, rows of receipts), which serves
 * a hundred of them; for what the outbox delivers one a second, or one a run of it.
 * Accepts: an outbox that dies loses the receipts and counts of its last second. The ledger loses nothing.
 * Counts that are not folded yet are kept in memory as well: a copy of what stands in the table, read as far as it has grown.
 */
import type { DriftReport } from '../../drift/detector.ts'
import { joined } from '../../lib/bounded.ts'
import {
  DELIVERED_TOGETHER,
  DELIVERED_WITHIN_MS,
  FOLD_AFTER_MS,
  FOLD_AT_REPORTS,
  FOLD_FROM_REPORTS,
  FORMER_KEY_MS,
  ISOLATE_MEMORY_MS,
  KEY_MEMORY_MS,
  MAX_APPENDED_BYTES,
} from '../../limits.ts'
import type { Aep } from '../aep.ts'
import type { AcceptedEvent } from '../event.ts'
import {
  ActivityStore,
  addRow,
  type CountRow,
  type CountSums,
  counted,
  STEP_MS,
  type Step,
  summed,
} from './activity.ts'
import type { Suppression, Suppressions } from './lookup.ts'
import { packReceipts, type Receipt } from './packed.ts'
import { ReceiptStore, without } from './receipts.ts'

/**
 * What an isolate reports to the outbox. `isolate` and `sequence` name the report, so that one that is sent twice counts
 * once. `forwarded`: events that went to AEP without the outbox; `uninformed`: those of them whose isolate had not heard
 * of the outbox for a while, and could not in time. `keys`: when webhook keys were last used, by fingerprint; `strangers`:
 * how many webhooks were refused for their key, by its fingerprint.
 */
export type Report = Sums & {
  isolate: string
  sequence: number
  receipts: readonly Receipt[]
  drift: readonly DriftReport[]
}

export type Sums = {
  forwarded: number
  uninformed: number
  counts: CountRow[]
  keys: { [fingerprint: string]: number }
  strangers: { [fingerprint: string]: number }
}

export const nothing = (): Sums => {
  return { forwarded: 0, uninformed: 0, counts: [], keys: {}, strangers: {} }
}

/**
 * `taken`: the report need not be sent again. `aep`: what the outbox knows of AEP. `lookup`: what an isolate needs to compare
 * events with; `suppressions` is `null` when it has this version of them already.
 */
export type Exchanged = {
  aep: Aep
  taken: boolean
  lookup: { key: Uint8Array; version: string; suppressions: readonly Suppression[] | null }
}

/**
 * Ever, and at least: `unavailable` are webhooks of a good key that were answered 503, `refused` those that were refused
 * although their key is good, or was a short time ago.
 */
const NO_TOTALS = { forwarded: 0, suppressed: 0, unavailable: 0, refused: 0, uninformed: 0 }

export const REPORTS_TABLES = `
CREATE TABLE reports (
  position INTEGER PRIMARY KEY,
  note TEXT NOT NULL,
  receipts BLOB NOT NULL
);
CREATE TABLE totals (only INTEGER PRIMARY KEY CHECK (only = 1), totals TEXT NOT NULL);
`

/** A row without its receipts. `isolate` is `null` for what the outbox has delivered. */
type Note = Sums & { isolate: string | null; sequence: number; at: number }

/** `isolates`: the latest report of each that was taken, and when. */
type Kept = typeof NO_TOTALS & {
  keys: { [fingerprint: string]: number }
  isolates: { [isolate: string]: { sequence: number; at: number } }
}

type ReportsDeps = {
  storage: DurableObjectStorage
  suppressions: Suppressions
  /** `RECEIPT_DAYS`; 0 keeps none. */
  receiptMs: number
}

/** Reports that are not folded, added up. */
type Unfolded = { upTo: number; count: number; since: number; sums: CountSums; kept: Kept }

export class ReportStore {
  readonly receipts: ReceiptStore
  readonly #activity: ActivityStore
  readonly #deps: ReportsDeps
  readonly #sql: SqlStorage
  #unfolded: Unfolded | null = null
  /** What the outbox has delivered and not written yet: receipts, and counts of these and of parts. */
  #delivered: Receipt[] = []
  readonly #deliveredCounts: CountSums = new Map()
  /** The row that what is delivered next is added to. */
  #ownRow: number | null = null

  constructor(deps: ReportsDeps) {
    this.#deps = deps
    this.#sql = deps.storage.sql
    this.receipts = new ReceiptStore(this.#sql)
    this.#activity = new ActivityStore(this.#sql)
  }

  /** Whether it is new. */
  take({ receipts, drift: _, ...report }: Report, now: number): boolean {
    const known = this.#read().kept.isolates[report.isolate]
    if (known && known.sequence >= report.sequence) return false
    const keys = Object.entries(report.keys).map(([key, at]) => [key, Math.min(at, now)])
    // The others were erased while they were on their way here.
    const kept = receipts.filter(({ hashes }) => !this.#deps.suppressions.has(hashes, now))
    const note = { ...report, keys: Object.fromEntries(keys), at: now }
    this.#save(null, note, this.#packed(kept))
    return true
  }

  /** Events have been delivered. Their receipts and counts are written with those of the same second, or by `write`. */
  delivered(events: readonly AcceptedEvent[], now: number): void {
    for (const { id, kind, source, receivedAt, hashes, body, history, ...sent } of events) {
      const { records, redacted } = sent
      const row = { minute: now, kind, outcome: 'drained', source, records, redacted } as const
      addRow(this.#deliveredCounts, counted(row, now - receivedAt), STEP_MS.minute)
      this.#delivered.push({
        ...{ id, kind, source, receivedAt, settledAt: now, via: 'drained', hashes },
        attempts: (history?.attempts ?? 0) + 1,
        bytes: body.length,
      })
    }
    this.#writeIfDue(now)
  }

  /** A part, whose event is not delivered with it: AEP counts it now. Written with those, or by `write`. */
  partSettled({ kind, source }: Pick<AcceptedEvent, 'kind' | 'source'>, now: number): void {
    const row = { minute: now, kind, outcome: 'drained', source, count: 0, records: 1 } as const
    addRow(this.#deliveredCounts, { ...row, histogram: {} }, STEP_MS.minute)
    // The parts of one event may take minutes, in which nothing else is delivered.
    this.#writeIfDue(now)
  }

  #writeIfDue(now: number): void {
    const since = this.#delivered[0]?.settledAt ?? now
    const isOver = Math.abs(now - since) >= DELIVERED_WITHIN_MS
    if (isOver || this.#delivered.length >= DELIVERED_TOGETHER) this.write()
  }

  /** Writes what the outbox has delivered: into its latest row, while that is small. */
  write(): void {
    const added = [...this.#deliveredCounts.values()]
    const [first] = added
    if (!first) return
    const [own] = this.#sql
      .exec<{ note: string; receipts: ArrayBuffer }>(
        'SELECT note, receipts FROM reports WHERE position = ? AND length(receipts) < ?',
        this.#ownRow,
        MAX_APPENDED_BYTES,
      )
      .toArray()
    const before: Note = own
      ? JSON.parse(own.note)
      : { isolate: null, sequence: 0, ...nothing(), at: first.minute }
    const counts = summed([...before.counts, ...added], STEP_MS.minute)
    const receipts = new Uint8Array(own?.receipts ?? [])
    const packed = joined([receipts, this.#packed(this.#delivered)])
    this.#ownRow = this.#save(own ? this.#ownRow : null, { ...before, counts }, packed)
    // Read anew: its counts have been added up already.
    if (own) this.#unfolded = null
    this.#delivered = []
    this.#deliveredCounts.clear()
  }

  #packed(receipts: readonly Receipt[]): Uint8Array<ArrayBuffer> {
    return packReceipts(this.#deps.receiptMs > 0 ? receipts : [])
  }

  /** `position`: of the row that this replaces; `null`: a new one. Returns where it is. */
  #save(position: number | null, note: Note, packed: Uint8Array<ArrayBuffer>): number {
    return this.#sql
      .exec<{ position: number }>(
        'INSERT OR REPLACE INTO reports (position, note, receipts) VALUES (?, ?, ?) RETURNING position',
        position,
        JSON.stringify(note),
        packed.buffer,
      )
      .one().position
  }

  totals() {
    const { keys, isolates: _, ...totals } = this.#read().kept
    const uses = Object.entries(keys)
    return {
      ...totals,
      keys: uses.map(([fingerprint, lastUsedAt]) => ({ fingerprint, lastUsedAt })),
    }
  }

  /** As `ActivityStore.points`, with what is not in it yet. */
  points(from: number, to: number, step: Step): CountRow[] {
    const more = [...this.#read().sums.values(), ...this.#deliveredCounts.values()]
    return this.#activity.points(from, to, step, more)
  }

  /** Packed receipts that are not folded yet. */
  *recent(): Generator<Uint8Array> {
    yield this.#packed(this.#delivered)
    for (const { receipts } of this.#sql.exec<{ receipts: ArrayBuffer }>(WITH_RECEIPTS)) {
      yield new Uint8Array(receipts)
    }
  }

  /** After `write`: erases receipts with this hash; returns their ids. A dry run changes nothing. */
  erase(hash: string, dryRun: boolean): Set<string> {
    const ids = this.receipts.erase(hash, dryRun)
    const rows = this.#sql.exec<{ position: number; receipts: ArrayBuffer }>(WITH_RECEIPTS)
    for (const { position, receipts } of rows.toArray()) {
      const { kept, erased } = without(new Uint8Array(receipts), hash)
      for (const id of erased) ids.add(id)
      if (dryRun || erased.length === 0) continue
      this.#sql.exec(OVERWRITE, position)
      this.#sql.exec(KEEP, joined(kept).buffer, position)
    }
    return ids
  }

  /** Writes what has been delivered, and folds what has come where it is much. */
  flush(now: number): void {
    this.write()
    if (this.#read().count >= FOLD_AT_REPORTS) this.#fold(now)
  }

  /** After `flush`: folds what is worth it, or old. */
  fold(now: number): void {
    const { count, since } = this.#read()
    if (count >= FOLD_FROM_REPORTS || now - since >= FOLD_AFTER_MS) this.#fold(now)
  }

  /** Adds all reports to the activity, the totals and the receipts, in one transaction. */
  #fold(now: number): void {
    const { storage, receiptMs } = this.#deps
    const { sums, kept } = this.#read()
    storage.transactionSync(() => {
      this.#activity.add([...sums.values()])
      if (receiptMs > 0) this.receipts.add([...this.recent()])
      forgetOld(kept, now)
      this.#sql.exec(
        'INSERT OR REPLACE INTO totals (only, totals) VALUES (1, ?)',
        JSON.stringify(kept),
      )
      this.#sql.exec('DELETE FROM reports')
    })
    this.#unfolded = null
    this.#ownRow = null
  }

  sweep(now: number): void {
    this.receipts.sweep(now - this.#deps.receiptMs)
    this.#activity.sweep(now)
  }

  #read(): Unfolded {
    if (!this.#unfolded) {
      const [row] = this.#sql.exec<{ totals: string }>('SELECT totals FROM totals').toArray()
      const totals = row && JSON.parse(row.totals)
      const kept: Kept = { ...NO_TOTALS, keys: {}, isolates: {}, ...totals }
      this.#unfolded = { upTo: 0, count: 0, since: Number.MAX_SAFE_INTEGER, sums: new Map(), kept }
    }
    const unfolded = this.#unfolded
    const notes = this.#sql
      .exec<{ position: number; note: string }>(
        'SELECT position, note FROM reports WHERE position > ?',
        unfolded.upTo,
      )
      .toArray()
    for (const { position, note } of notes) {
      const read: Note = JSON.parse(note)
      addTo(unfolded.kept, read)
      for (const row of read.counts) addRow(unfolded.sums, row, STEP_MS.minute)
      unfolded.upTo = position
      unfolded.since = Math.min(unfolded.since, read.at)
    }
    unfolded.count += notes.length
    return unfolded
  }
}

const WITH_RECEIPTS = 'SELECT position, receipts FROM reports WHERE length(receipts) > 0'
const OVERWRITE = 'UPDATE reports SET receipts = zeroblob(length(receipts)) WHERE position = ?'
const KEEP = 'UPDATE reports SET receipts = ? WHERE position = ?'

function addTo(kept: Kept, note: Note): void {
  const { isolate, sequence, at, forwarded, uninformed, counts, keys, strangers = {} } = note
  if (isolate !== null) kept.isolates[isolate] = { sequence, at }
  kept.forwarded += forwarded
  kept.uninformed += uninformed
  for (const { outcome, count } of counts) {
    if (outcome === 'suppressed' || outcome === 'unavailable' || outcome === 'refused') {
      kept[outcome] += count
    }
  }
  for (const [key, count] of Object.entries(strangers)) {
    if (at - (kept.keys[key] ?? 0) < FORMER_KEY_MS) kept.refused += count
  }
  for (const [key, usedAt] of Object.entries(keys)) {
    kept.keys[key] = Math.max(usedAt, kept.keys[key] ?? 0)
  }
}

function forgetOld({ keys, isolates }: Kept, now: number): void {
  for (const [key, at] of Object.entries(keys)) if (at < now - KEY_MEMORY_MS) delete keys[key]
  for (const [isolate, { at }] of Object.entries(isolates)) {
    if (at < now - ISOLATE_MEMORY_MS) delete isolates[isolate]
  }
}
