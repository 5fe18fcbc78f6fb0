/**
 * What isolates report, and what the outbox has delivered: one row each, as it came, folded later.
 *
 * Promises: a report is written whole or not at all, and counts once, however often it is sent. Rows written: one for a
 * report, one to fold it away, and a few for each folding (an hour of activity, the totals, rows of receipts), which serves
 * a hundred of them; for what the outbox delivers one a second, or one a run of it.
 * Accepts: an outbox that dies loses the receipts and counts of its last second. The ledger loses nothing.
 * Counts that are not folded yet are kept in memory as well: a copy of what stands in the table, read as far as it has grown.
 */
import type { Redacted } from '../../aep/record/redact.ts'
import type { DriftReport } from '../../drift/detector.ts'
import { joined } from '../../lib/bounded.ts'
import {
  DAY_MS,
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
import type { ActivityStore } from './activity.ts'
import { type CountRow, counted, STEP_MS, summed } from './counts.ts'
import type { Hashes } from './lookup.ts'
import { packReceipts, type Receipt } from './packed.ts'
import { type ReceiptStore, without } from './receipts.ts'
import type { Suppression, Suppressions } from './suppressions.ts'

/**
 * What an isolate reports to the outbox. `isolate` and `sequence` name the report, so that one that is sent twice counts
 * once. `forwarded`: events that went to AEP without the outbox; `uninformed`: those of them whose isolate had not heard
 * of the outbox for a while, and could not in time. `keys`: when webhook keys were last used, by fingerprint; `strangers`:
 * how many webhooks were refused for their key, by its fingerprint.
 */
export type Report = {
  isolate: string
  sequence: number
  forwarded: number
  uninformed: number
  counts: readonly CountRow[]
  receipts: readonly Receipt[]
  keys: { readonly [fingerprint: string]: number }
  strangers: { readonly [fingerprint: string]: number }
  drift: readonly DriftReport[]
}

/** What an isolate needs to compare events with. `suppressions` is `null` when it has this version of them already. */
export type Lookup = {
  key: Uint8Array
  version: string
  suppressions: readonly Suppression[] | null
}

/** `taken`: the report need not be sent again. `aep`: what the outbox knows of AEP. */
export type Exchanged<Aep> = { aep: Aep; taken: boolean; lookup: Lookup }

/** An event that AEP has accepted from the outbox. */
export type Delivered = Omit<Receipt, 'settledAt' | 'via' | 'hashes'> & {
  /** How many AEP accepted last. */
  records: number
  redacted: Redacted
  hashes: Hashes | null
}

/**
 * Ever, and at least: `unavailable` are webhooks of a good key that were answered 503, `refused` those that were refused
 * although their key is good, or was a short time ago.
 */
export type Totals = Record<keyof typeof NO_TOTALS, number>
const NO_TOTALS = { forwarded: 0, suppressed: 0, unavailable: 0, refused: 0, uninformed: 0 }

export type KeyUse = { fingerprint: string; lastUsedAt: number }

export const REPORTS_TABLES = `
CREATE TABLE reports (
  position INTEGER PRIMARY KEY,
  note TEXT NOT NULL,
  receipts BLOB NOT NULL
);
CREATE TABLE totals (only INTEGER PRIMARY KEY CHECK (only = 1), totals TEXT NOT NULL);
`

/** A row without its receipts. `isolate` is `null` for what the outbox has delivered. */
type Note = Omit<Report, 'isolate' | 'receipts' | 'drift'> & { isolate: string | null; at: number }

/** `isolates`: the latest report of each that was taken, and when. */
type Kept = Totals & {
  keys: { [fingerprint: string]: number }
  isolates: { [isolate: string]: { sequence: number; at: number } }
}

/** Reports that are not folded, added up. */
type Unfolded = { upTo: number; count: number; since: number; rows: CountRow[]; kept: Kept }

export class ReportStore {
  readonly #storage: DurableObjectStorage
  readonly #sql: SqlStorage
  readonly #activity: ActivityStore
  readonly #receipts: ReceiptStore
  readonly #suppressions: Suppressions
  /** `RECEIPT_DAYS`; 0 keeps none. */
  readonly #keepMs: number
  #unfolded: Unfolded | null = null
  /** Delivered, and not written yet. */
  #delivered: (Delivered & { at: number })[] = []
  /** Of parts that AEP has accepted before their event is delivered, the same. */
  #partCounts: CountRow[] = []
  /** The row that what is delivered next is added to. */
  #ownRow: number | null = null

  constructor(
    storage: DurableObjectStorage,
    parts: { activity: ActivityStore; receipts: ReceiptStore; suppressions: Suppressions },
    keepMs: number,
  ) {
    this.#storage = storage
    this.#sql = storage.sql
    this.#activity = parts.activity
    this.#receipts = parts.receipts
    this.#suppressions = parts.suppressions
    this.#keepMs = keepMs
  }

  take({ receipts, drift: _, ...report }: Report, now: number): void {
    const known = this.#read().kept.isolates[report.isolate]
    if (known && known.sequence >= report.sequence) return
    const keys = Object.entries(report.keys).map(([key, at]) => [key, Math.min(at, now)])
    // The others were erased while they were on their way here.
    const kept = receipts.filter(({ hashes }) => !this.#suppressions.has(hashes, now))
    this.#insert({ ...report, keys: Object.fromEntries(keys), at: now }, this.#packed(kept))
  }

  /** Events have been delivered. Their receipts and counts are written with those of the same second, or by `write`. */
  delivered(events: readonly Delivered[], now: number): void {
    this.#delivered.push(...events.map((event) => ({ ...event, at: now })))
    this.#writeIfDue(now)
  }

  /** A part, whose event is not delivered with it: AEP counts it now. Written with those, or by `write`. */
  partSettled({ kind, source }: Pick<Delivered, 'kind' | 'source'>, now: number): void {
    const row = { minute: now, kind, outcome: 'drained', source, count: 0, records: 1 } as const
    this.#partCounts = summed([...this.#partCounts, { ...row, histogram: {} }], STEP_MS.minute)
    // The parts of one event may take minutes, in which nothing else is delivered.
    this.#writeIfDue(now)
  }

  #writeIfDue(now: number): void {
    const since = this.#delivered[0]?.at ?? now
    const isOver = Math.abs(now - since) >= DELIVERED_WITHIN_MS
    if (isOver || this.#delivered.length >= DELIVERED_TOGETHER) this.write()
  }

  /** Writes what the outbox has delivered: into its latest row, while that is small. */
  write(): void {
    if (this.#delivered.length === 0 && this.#partCounts.length === 0) return
    const [own] = this.#sql
      .exec<{ note: string; receipts: ArrayBuffer }>(
        'SELECT note, receipts FROM reports WHERE position = ? AND length(receipts) < ?',
        this.#ownRow,
        MAX_APPENDED_BYTES,
      )
      .toArray()
    const before: Note | null = own ? JSON.parse(own.note) : null
    const counts = summed([...(before?.counts ?? []), ...this.#deliveredCounts()], STEP_MS.minute)
    const at = before?.at ?? this.#delivered[0]?.at ?? this.#partCounts[0]?.minute ?? 0
    const nothing = { forwarded: 0, uninformed: 0, keys: {}, strangers: {} }
    const note: Note = { isolate: null, sequence: 0, ...nothing, counts, at }
    const packed = this.#deliveredReceipts()
    if (own) {
      this.#sql.exec(
        'UPDATE reports SET note = ?, receipts = ? WHERE position = ?',
        JSON.stringify(note),
        joined([new Uint8Array(own.receipts), packed]).buffer,
        this.#ownRow,
      )
      // Read anew: its counts have been added up already.
      this.#unfolded = null
    } else this.#ownRow = this.#insert(note, packed)
    this.#delivered = []
    this.#partCounts = []
  }

  #deliveredCounts(): CountRow[] {
    const events = this.#delivered.map(({ kind, source, receivedAt, records, redacted, at }) => {
      const row = { minute: at, kind, outcome: 'drained', source, records, redacted } as const
      return counted(row, at - receivedAt)
    })
    return [...events, ...this.#partCounts]
  }

  #deliveredReceipts(): Uint8Array<ArrayBuffer> {
    return this.#packed(
      this.#delivered.map(({ at, hashes, records: _, redacted: __, ...event }) => {
        return { ...event, settledAt: at, via: 'drained', hashes: hashes ?? '' }
      }),
    )
  }

  #packed(receipts: readonly Receipt[]): Uint8Array<ArrayBuffer> {
    return packReceipts(this.#keepMs > 0 ? receipts : [])
  }

  #insert(note: Note, packed: Uint8Array<ArrayBuffer>): number {
    return this.#sql
      .exec<{ position: number }>(
        'INSERT INTO reports (note, receipts) VALUES (?, ?) RETURNING position',
        JSON.stringify(note),
        packed.buffer,
      )
      .one().position
  }

  totals(): Totals {
    const { keys: _, isolates: __, ...totals } = this.#read().kept
    return totals
  }

  keys(): KeyUse[] {
    const { keys } = this.#read().kept
    return Object.entries(keys).map(([fingerprint, lastUsedAt]) => ({ fingerprint, lastUsedAt }))
  }

  /** Counts that are not in the activity yet. */
  counts(): readonly CountRow[] {
    return [...this.#read().rows, ...this.#deliveredCounts()]
  }

  /** Packed receipts that are not folded yet. */
  *receipts(): Generator<Uint8Array> {
    yield this.#deliveredReceipts()
    for (const { receipts } of this.#sql.exec<{ receipts: ArrayBuffer }>(
      'SELECT receipts FROM reports WHERE length(receipts) > 0',
    )) {
      yield new Uint8Array(receipts)
    }
  }

  /** Erases receipts with this hash; returns their ids. */
  erase(hash: string, dryRun: boolean): string[] {
    this.write()
    const ids: string[] = []
    const rows = this.#sql
      .exec<{ position: number; receipts: ArrayBuffer }>(
        'SELECT position, receipts FROM reports WHERE length(receipts) > 0',
      )
      .toArray()
    for (const { position, receipts } of rows) {
      const { kept, erased } = without(new Uint8Array(receipts), hash)
      ids.push(...erased)
      if (dryRun || erased.length === 0) continue
      const update = (to: string, ...bindings: (ArrayBuffer | number)[]) =>
        this.#sql.exec(`UPDATE reports SET receipts = ${to} WHERE position = ?`, ...bindings)
      update('zeroblob(length(receipts))', position)
      update('?', joined(kept).buffer, position)
    }
    return ids
  }

  /** Whether there are so many that the next moment is a good one to fold them. */
  get isDue(): boolean {
    return this.#read().count >= FOLD_AT_REPORTS
  }

  /** Whether the cron trigger should. */
  isWorthFolding(now: number): boolean {
    const { count, since } = this.#read()
    return count >= FOLD_FROM_REPORTS || (count > 0 && now - since >= FOLD_AFTER_MS)
  }

  /** Adds all reports to the activity, the totals and the receipts, in one transaction. */
  fold(now: number): void {
    this.write()
    const { count, rows, kept } = this.#read()
    if (count === 0) return
    this.#storage.transactionSync(() => {
      this.#activity.add(rows)
      if (this.#keepMs > 0) this.#receipts.add([...this.receipts()])
      forgetOld(kept, now)
      this.#sql.exec(
        `INSERT INTO totals (only, totals) VALUES (1, ?)
         ON CONFLICT (only) DO UPDATE SET totals = excluded.totals`,
        JSON.stringify(kept),
      )
      this.#sql.exec('DELETE FROM reports')
    })
    this.#unfolded = null
    this.#ownRow = null
  }

  #read(): Unfolded {
    if (!this.#unfolded) {
      const [row] = this.#sql.exec<{ totals: string }>('SELECT totals FROM totals').toArray()
      const totals = row && JSON.parse(row.totals)
      const kept: Kept = { ...NO_TOTALS, keys: {}, isolates: {}, ...totals }
      this.#unfolded = { upTo: 0, count: 0, since: Number.MAX_SAFE_INTEGER, rows: [], kept }
    }
    const unfolded = this.#unfolded
    const notes = this.#sql
      .exec<{ position: number; note: string }>(
        'SELECT position, note FROM reports WHERE position > ?',
        unfolded.upTo,
      )
      .toArray()
    if (notes.length === 0) return unfolded
    const rows = [...unfolded.rows]
    for (const { position, note } of notes) {
      const read: Note = JSON.parse(note)
      addTo(unfolded.kept, read)
      rows.push(...read.counts)
      unfolded.upTo = position
      unfolded.since = Math.min(unfolded.since, read.at)
    }
    unfolded.count += notes.length
    unfolded.rows = summed(rows, STEP_MS.minute)
    return unfolded
  }
}

function addTo(kept: Kept, note: Note) {
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

/** The next UTC midnight. */
export function nextDay(now: number): number {
  return (Math.floor(now / DAY_MS) + 1) * DAY_MS
}
