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
import { MAX_COMPLETENESS_EVENTS, MAX_COMPLETENESS_ROWS } from '../../limits.ts'
import { logLine, nameOf } from '../../log.ts'
import type { StoreRequest } from '../arrivals.ts'
import type { EventList } from '../list.ts'
import { ACTIVITY_TABLES, ActivityStore } from './activity.ts'
import {
  type Completeness,
  type CompletenessFacts,
  type ConversationEvent,
  completenessOf,
  takesPart,
} from './completeness.ts'
import type { CountRow, Step } from './counts.ts'
import {
  EVENT_INDEX_TABLES,
  EventIndex,
  type HashedEvent,
  type StoredEvents,
} from './event-index.ts'
import {
  type FindRequest,
  type Found,
  type FoundEvents,
  findEvents,
  fromReceipt,
  type TimelineFilter,
  type TimelinePage,
  timeline,
} from './find.ts'
import { type KnownFailure, LANDED_TABLES, LandedStore } from './landed.ts'
import { type Hashes, LookupHash, unpackHashes } from './lookup.ts'
import { OPERATOR_LOG_TABLES, OperatorLog } from './operator-log.ts'
import { conversationOf, idOf, positionOf, recordsIn, timesOf, unpackReceipt } from './packed.ts'
import { RECEIPTS_TABLES, type ReceiptRow, ReceiptStore } from './receipts.ts'
import {
  type Delivered,
  type KeyUse,
  type Lookup,
  nextDay,
  REPORTS_TABLES,
  type Report,
  ReportStore,
  type Totals,
} from './reports.ts'
import { SUPPRESSIONS_TABLES, type Suppression, Suppressions } from './suppressions.ts'

export const RECORDS_TABLES = [
  REPORTS_TABLES,
  RECEIPTS_TABLES,
  EVENT_INDEX_TABLES,
  ACTIVITY_TABLES,
  SUPPRESSIONS_TABLES,
  OPERATOR_LOG_TABLES,
  LANDED_TABLES,
].join('')

/** Stored events, as their own room shows them. */
type FoundConversations = Pick<EventList, 'newestSince'>

/** Receipts as found, in the order in which they are read. `first`, `last`: received, epoch milliseconds. */
export type Receipts = {
  /** What AEP refused afterwards: a row read each, so it is asked for what is shown. */
  afterwards: (id: string) => KnownFailure | null
  recent(): Iterable<Found>
  rows(
    from: number,
    before: number,
    newest: boolean,
  ): Iterable<{ first: number; last: number; read: () => Iterable<Found> }>
}

type RecordsDeps = {
  storage: DurableObjectStorage
  /** `RECEIPT_DAYS`; 0 keeps no receipts. */
  receiptMs: number
  /** With what AEP's own counts may be read. */
  readAccess: ReadAccess
  events: StoredEvents & FoundEvents & FoundConversations
  now: () => number
  rim: Pick<Rim, 'randomBytes' | 'randomUUID' | 'hmac'>
}

/** `pausedUntil`: receipts and counts stop until then, since the platform refuses writes; `null`: they do not. */
export type RecordsStatus = Totals & { keys: KeyUse[]; pausedUntil: number | null }

export class Records {
  #hash: LookupHash
  readonly suppressions: Suppressions
  readonly log: OperatorLog
  readonly landed: LandedStore
  readonly #deps: RecordsDeps
  readonly #activity: ActivityStore
  readonly #receipts: ReceiptStore
  readonly #index: EventIndex
  readonly #reports: ReportStore
  #pausedUntil = 0

  constructor(deps: RecordsDeps) {
    const { storage, receiptMs, readAccess, events, rim, now } = deps
    const { sql } = storage
    this.#deps = deps
    this.#hash = lookupHashOf(storage, rim)
    this.suppressions = new Suppressions(sql, rim.randomUUID)
    this.log = new OperatorLog(sql)
    const activityOf = (from: number, to: number) => this.points(from, to, 'hour')
    this.landed = new LandedStore({ storage, access: readAccess, activity: activityOf, now })
    this.#activity = new ActivityStore(sql)
    this.#receipts = new ReceiptStore(sql)
    this.#index = new EventIndex(sql, events)
    const { suppressions } = this
    const [activity, receipts] = [this.#activity, this.#receipts]
    this.#reports = new ReportStore(storage, { activity, receipts, suppressions }, receiptMs)
  }

  /** The key changes at most once, while nothing is stored under it. */
  get hash(): LookupHash {
    return this.#hash
  }

  /**
   * Takes over the suppressions of another outbox, and the key of their hashes. Returns how many are running; `null`: there
   * is something under a key of our own, and by another key it would neither be found nor erased.
   */
  importSuppressions(key: Uint8Array, rows: readonly Suppression[], now: number): number | null {
    const { storage, rim } = this.#deps
    const isOurs = key.toHex() === this.#hash.raw.toHex()
    if (!isOurs && this.#hasHashes()) return null
    const running = rows.filter(({ until }) => until > now)
    storage.transactionSync(() => {
      if (!isOurs) storage.kv.put(KEY, key)
      for (const { hash, until } of running) this.suppressions.add(hash, now, until)
    })
    if (!isOurs) this.#hash = new LookupHash(key, rim.hmac)
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

  /** Whether the report need not be sent again. */
  take(report: Report): boolean {
    const taken = this.#attempt((now) => this.#reports.take(report, now))
    this.flush()
    return taken
  }

  /** What an isolate needs to compare events with. `version`: of the suppressions that it has. */
  lookup(version: string | null): Lookup {
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
  delivered(events: readonly Delivered[]): void {
    if (events.length > 0) this.#attempt((now) => this.#reports.delivered(events, now))
  }

  /** AEP has accepted a part of an event. */
  partSettled(event: Pick<Delivered, 'kind' | 'source'>): void {
    this.#attempt((now) => this.#reports.partSettled(event, now))
  }

  /** After an alarm, and after a report: writes what has been delivered, and folds what has come where it is much. */
  flush(): void {
    this.#attempt((now) => {
      this.#reports.write()
      if (this.#reports.isDue) this.#reports.fold(now)
    })
  }

  /** Called by cron: folds reports, indexes events that stay stored, and drops what has expired. */
  sweep(): void {
    const { receiptMs } = this.#deps
    this.flush()
    this.#attempt((now) => {
      if (this.#reports.isWorthFolding(now)) this.#reports.fold(now)
    })
    this.#attempt((now) => {
      this.#deps.storage.transactionSync(() => {
        this.#index.sweep(now)
        this.#receipts.sweep(now - receiptMs)
        this.#activity.sweep(now)
        this.suppressions.sweep(now)
        this.log.sweep(now)
      })
    })
  }

  points(from: number, to: number, step: Step): CountRow[] {
    return this.#activity.points(from, to, step, this.#reports.counts())
  }

  /** Receipts that are remembered, by when they were received. */
  receipts(): Receipts {
    const { receiptMs, now } = this.#deps
    const [receipts, reports, landed] = [this.#receipts, this.#reports, this.landed]
    const settledAfter = now() - receiptMs
    function* read(packed: Uint8Array): Generator<Found> {
      for (const record of recordsIn(packed)) {
        if (timesOf(record).settledAt <= settledAfter) continue
        const receipt = unpackReceipt(record)
        yield fromReceipt({ ...receipt, position: positionOf(receipt) }, null)
      }
    }
    return {
      afterwards: (id) => landed.failureOf(id),
      *recent() {
        for (const packed of reports.receipts()) yield* read(packed)
      },
      *rows(from, before, newest) {
        for (const { packed, ...row } of receipts.rows(from, before, newest)) {
          yield { ...row, read: () => read(packed()) }
        }
      },
    }
  }

  /** As `EventList.list`, with delivered events. */
  timeline(
    filter: TimelineFilter,
    after: number | null,
    limit: number,
    newest: boolean,
    list: EventList,
  ): TimelinePage {
    return timeline(filter, after, limit, newest, { list, receipts: this.receipts() })
  }

  /** Conversations that began since a moment; `from`: since when enough is known of them. */
  completeness(
    since: number,
    overdueAt: number,
  ): Completeness & CompletenessFacts & { from: number } {
    const stored = this.#deps.events.newestSince(since, MAX_COMPLETENESS_EVENTS)
    const isCut = stored.length === MAX_COMPLETENESS_EVENTS
    let from = isCut ? (stored.at(-1)?.receivedAt ?? 0) + 1 : since
    const positionAt = (receivedAt: number) => positionOf({ receivedAt, id: '000' })
    const rows: ReceiptRow[] = []
    for (const row of this.#receipts.rows(positionAt(from), Number.MAX_SAFE_INTEGER, true)) {
      if (rows.length === MAX_COMPLETENESS_ROWS) {
        from = Math.max(from, row.last + 1)
        break
      }
      rows.push(row)
    }
    return { ...completenessOf(this.#conversations(stored, rows, from), overdueAt), from }
  }

  /** Events that take part, of those that are stored and of receipts, in no order; one row in memory at a time. */
  *#conversations(
    stored: ReturnType<FoundConversations['newestSince']>,
    rows: readonly ReceiptRow[],
    from: number,
  ): Generator<ConversationEvent> {
    for (const { hashes, ...event } of stored) {
      if (event.receivedAt < from || !takesPart(event.kind)) continue
      const own = unpackHashes(hashes).find(({ field }) => field === 'conversation')
      yield { ...event, conversation: own?.hash ?? null }
    }
    for (const packed of this.#reports.receipts()) yield* conversationsIn(packed, from)
    for (const { packed } of rows) yield* conversationsIn(packed(), from)
  }

  find(request: FindRequest): Found[] {
    const { events, receiptMs, now } = this.#deps
    const [index, receipts, reports] = [this.#index, this.#receipts, this.#reports]
    const failureOf = (id: string) => this.landed.failureOf(id)
    const settledAfter = now() - receiptMs
    return findEvents(request, { events, index, receipts, reports, failureOf, settledAfter })
  }

  /**
   * Erases the receipts of the person with this hash, and what the index remembers of events that have left; returns how
   * many receipts there are, or were.
   */
  eraseReceipts(hash: string, dryRun: boolean): number {
    return this.#deps.storage.transactionSync(() => {
      const ids = this.#receipts.erase(hash, dryRun)
      for (const id of this.#reports.erase(hash, dryRun)) ids.add(id)
      if (!dryRun) this.landed.forget(ids)
      if (!dryRun) this.#index.erase(hash)
      return ids.size
    })
  }

  status(): RecordsStatus {
    const pausedUntil = this.#pausedUntil > this.#deps.now() ? this.#pausedUntil : null
    return { ...this.#reports.totals(), keys: this.#reports.keys(), pausedUntil }
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
      if (isLimit) this.#pausedUntil = nextDay(now)
      logLine('error', { event: isLimit ? 'records-paused' : 'records-failed', name })
      return isLimit
    }
  }
}

function* conversationsIn(packed: Uint8Array, from: number): Generator<ConversationEvent> {
  for (const record of recordsIn(packed)) {
    const { kind, hash: conversation } = conversationOf(record)
    const { receivedAt } = timesOf(record)
    if (receivedAt >= from && takesPart(kind)) {
      yield { id: idOf(record), kind, receivedAt, conversation }
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
