/**
 * The records of the outbox beside its events: receipts, activity, suppressions, operators' actions.
 *
 * Promises: nothing here delays or fails an event. A record that cannot be written is logged, and its isolate reports it
 * again. Where the platform refuses writes for a limit, receipts and counts stop until the next UTC day, so
 * that what is left is for events.
 * One object keeps them all, and the key of the lookup hashes: it is always known here.
 */
import { readEventOrNull } from '../../chatlio/event.ts'
import { subjectOf } from '../../chatlio/person.ts'
import type { ReadAccess } from '../../config/destination.ts'
import { parseJson } from '../../lib/json.ts'
import type { Rim } from '../../lib/rim.ts'
import { DAY_MS } from '../../limits.ts'
import { logLine, nameOf } from '../../log.ts'
import type { StoreRequest } from '../arrivals.ts'
import type { AcceptedEvent } from '../event.ts'
import type { EventList, HashedEvent } from '../list.ts'
import { ACTIVITY_TABLES, type CountRow, type Step } from './activity.ts'
import { EVENT_INDEX_TABLES, EventIndex } from './event-index.ts'
import { Finder } from './find.ts'
import { LANDED_TABLES, LandedStore } from './landed.ts'
import {
  type Hashes,
  LookupHash,
  SUPPRESSIONS_TABLES,
  type Suppression,
  Suppressions,
} from './lookup.ts'
import { OPERATOR_LOG_TABLES, OperatorLog } from './operator-log.ts'
import { RECEIPTS_TABLES } from './receipts.ts'
import { type Exchanged, REPORTS_TABLES, type Report, ReportStore } from './reports.ts'

export const RECORDS_TABLES = [
  REPORTS_TABLES,
  RECEIPTS_TABLES,
  EVENT_INDEX_TABLES,
  ACTIVITY_TABLES,
  SUPPRESSIONS_TABLES,
  OPERATOR_LOG_TABLES,
  LANDED_TABLES,
].join('')

type RecordsDeps = {
  storage: DurableObjectStorage
  /** `RECEIPT_DAYS`; 0 keeps no receipts. */
  receiptMs: number
  /** With what AEP's own counts may be read. */
  readAccess: ReadAccess
  list: EventList
  now: () => number
  rim: Pick<Rim, 'randomBytes' | 'randomUUID' | 'hmac'>
}

/** `pausedUntil`: receipts and counts stop until then, since the platform refuses writes; `null`: they do not. */
export type RecordsStatus = ReturnType<ReportStore['totals']> & { pausedUntil: number | null }

export class Records {
  /** The key changes at most once, while nothing is stored under it. */
  hash: LookupHash
  readonly suppressions: Suppressions
  readonly log: OperatorLog
  readonly landed: LandedStore
  readonly finder: Finder
  readonly #deps: RecordsDeps
  readonly #index: EventIndex
  readonly #reports: ReportStore
  #pausedUntil = 0

  constructor(deps: RecordsDeps) {
    const { storage, receiptMs, readAccess, list, rim, now } = deps
    const { sql } = storage
    const activity = (from: number, to: number) => this.points(from, to, 'hour')
    this.#deps = deps
    this.hash = lookupHashOf(storage, rim)
    this.suppressions = new Suppressions(sql, rim.randomUUID)
    this.log = new OperatorLog(sql)
    this.landed = new LandedStore({ storage, access: readAccess, activity, now })
    this.#index = new EventIndex(sql, list)
    this.#reports = new ReportStore({ storage, suppressions: this.suppressions, receiptMs })
    const [index, reports, landed] = [this.#index, this.#reports, this.landed]
    this.finder = new Finder({ list, index, reports, landed, receiptMs, now })
  }

  /**
   * Takes over the suppressions of another outbox, and the key of their hashes. Returns how many are running; `null`: there
   * is something under a key of our own, and by another key it would neither be found nor erased.
   */
  importSuppressions(key: Uint8Array, rows: readonly Suppression[], now: number): number | null {
    const { storage, rim } = this.#deps
    const isOurs = key.toHex() === this.hash.raw.toHex()
    if (!isOurs && this.#hasHashes()) return null
    const running = rows.filter(({ until }) => until > now)
    storage.transactionSync(() => {
      if (!isOurs) storage.kv.put(KEY, key)
      for (const { hash, until } of running) this.suppressions.add(hash, now, until)
    })
    if (!isOurs) this.hash = new LookupHash(key, rim.hmac)
    return running.length
  }

  #hasHashes(): boolean {
    this.#reports.write()
    const { any } = this.#deps.storage.sql
      .exec<{ any: number }>(
        `SELECT EXISTS (SELECT 1 FROM events) OR EXISTS (SELECT 1 FROM event_index)
           OR EXISTS (SELECT 1 FROM suppressions) OR EXISTS (SELECT 1 FROM receipts)
           OR EXISTS (SELECT 1 FROM reports WHERE length(receipts) > 0) AS any`,
      )
      .one()
    return any === 1
  }

  /** What an arriving event is found by. */
  async hashesOf({ id, kind, receivedAt, body }: StoreRequest): Promise<Hashes> {
    const parsed = parseJson(body)
    const reading = readEventOrNull({ id, kind, receivedAt }, parsed)
    const isValid = reading?.outcome === 'valid'
    return this.hash.ofSubject(subjectOf({ kind: reading?.kind ?? kind, parsed, body, isValid }))
  }

  /** Whether the report need not be sent again. `isNew`: called where it is not one that has come before. */
  take(report: Report, isNew: (now: number) => void): boolean {
    const taken = this.#attempt((now) => {
      if (this.#reports.take(report, now)) isNew(now)
    })
    this.flush()
    return taken
  }

  /** What an isolate needs to compare events with. `version`: of the suppressions that it has. */
  lookup(version: string | null): Exchanged['lookup'] {
    const { suppressions, hash } = this
    const isCurrent = version === suppressions.version
    return {
      key: hash.raw,
      version: suppressions.version,
      suppressions: isCurrent ? null : suppressions.running(this.#deps.now()),
    }
  }

  /** Events have been stored; part of their transaction. Mostly writes nothing. */
  stored(events: readonly HashedEvent[]): void {
    this.#attempt(() => this.#index.stored(events))
  }

  /** Events have been delivered, and the transaction that forgets them has ended. */
  delivered(events: readonly AcceptedEvent[]): void {
    if (events.length > 0) this.#attempt((now) => this.#reports.delivered(events, now))
  }

  /** AEP has accepted a part of an event. */
  partSettled(event: Pick<AcceptedEvent, 'kind' | 'source'>): void {
    this.#attempt((now) => this.#reports.partSettled(event, now))
  }

  /** After an alarm, and after a report. */
  flush(): void {
    this.#attempt((now) => this.#reports.flush(now))
  }

  /** Called by cron: folds reports, indexes events that stay stored, and drops what has expired. */
  sweep(): void {
    this.flush()
    this.#attempt((now) => this.#reports.fold(now))
    this.#attempt((now) => {
      this.#deps.storage.transactionSync(() => {
        for (const each of [this.#index, this.#reports, this.suppressions, this.log])
          each.sweep(now)
      })
    })
  }

  points(from: number, to: number, step: Step): CountRow[] {
    return this.#reports.points(from, to, step)
  }

  /**
   * Erases the receipts of the person with this hash, and what the index remembers of events that have left; returns how
   * many receipts there are, or were.
   */
  eraseReceipts(hash: string, dryRun: boolean): number {
    // Not in the transaction, which may be undone.
    this.#reports.write()
    return this.#deps.storage.transactionSync(() => {
      const ids = this.#reports.erase(hash, dryRun)
      if (dryRun) return ids.size
      this.landed.forget(ids)
      this.#index.erase(hash)
      return ids.size
    })
  }

  status(): RecordsStatus {
    const pausedUntil = this.#pausedUntil > this.#deps.now() ? this.#pausedUntil : null
    return { ...this.#reports.totals(), pausedUntil }
  }

  /** Whether it is done, or is not to be done for now. Never throws. */
  #attempt(write: (now: number) => void): boolean {
    const now = this.#deps.now()
    if (now < this.#pausedUntil) return true
    try {
      write(now)
      return true
    } catch (thrown) {
      const name = nameOf(thrown)
      const isLimit = isOverLimit(thrown)
      // The next UTC midnight.
      if (isLimit) this.#pausedUntil = (Math.floor(now / DAY_MS) + 1) * DAY_MS
      logLine('error', { event: isLimit ? 'records-paused' : 'records-failed', name })
      return isLimit
    }
  }
}

/** `Exceeded allowed rows written in Durable Objects free tier.`, or the account's spending cap for them. */
export function isOverLimit(thrown: unknown): boolean {
  const { message = '' } = thrown instanceof Error ? thrown : {}
  return /exceeded (?:allowed .* free tier|the account's spending cap)/i.test(message)
}

const KEY = 'lookup-key'
const KEY_BYTES = 32

/** The outbox's own: made when it first starts. */
function lookupHashOf(
  { kv }: Pick<DurableObjectStorage, 'kv'>,
  { randomBytes, hmac }: RecordsDeps['rim'],
): LookupHash {
  let key = kv.get<Uint8Array>(KEY)
  if (!key) {
    key = randomBytes(KEY_BYTES)
    kv.put(KEY, key)
  }
  return new LookupHash(key, hmac)
}
