/**
 * The records of a shard beside its events: counters, receipts, suppressions, operators' actions.
 *
 * Promises: nothing here is in the way of an event. A record that cannot be written is logged, and the isolate that brought
 * it brings it again; an event is stored without its hashes while the key is not known, and gets them later.
 */
import { readEventOrNull } from '../../chatlio/event.ts'
import { subjectOf } from '../../chatlio/subject.ts'
import type { Config } from '../../config/config.ts'
import { parseJson } from '../../lib/json.ts'
import { logLine } from '../../log.ts'
import type { Carried, CountRow, LookupNews } from '../../receipts/carried.ts'
import type { Hashes } from '../../receipts/hashes.ts'
import { addDuration, type Histogram } from '../../receipts/histogram.ts'
import type { LookupHash } from '../../receipts/lookup-hash.ts'
import type { KeyUse, StoreRequest, Totals } from '../state.ts'
import { Bodies } from '../storage/bodies.ts'
import type { EventIndex } from '../storage/event-index.ts'
import type { PendingEvent } from '../storage/reader.ts'
import { TOKEN_SHARD } from '../token-keeper.ts'
import { ActivityStore, STEP_MS, type Step, summed } from './activity.ts'
import { CarriedStore } from './carried-store.ts'
import { LookupKey } from './lookup-key.ts'
import { Lookups } from './lookups.ts'
import { OperatorLog } from './operator-log.ts'
import { ReceiptStore } from './receipts.ts'
import { Scrub } from './scrub.ts'
import { Suppressions } from './suppressions.ts'

/** A receipt and its index entries take no more. */
const RECEIPT_BYTES = 1_024

export type RecordsDeps = {
  shard: string
  config: Config
  storage: DurableObjectStorage
  env: Env
  now: () => number
}

export class Records implements EventIndex {
  readonly receipts: ReceiptStore
  readonly lookups: Lookups
  readonly suppressions: Suppressions
  readonly log: OperatorLog
  readonly key: LookupKey
  readonly scrub: Scrub
  readonly #deps: RecordsDeps
  readonly #bodies: Bodies
  readonly #activity: ActivityStore
  readonly #carried: CarriedStore
  /** Deliveries of the outbox that are not counted in a row yet. */
  #drained: CountRow[] = []
  #isAddingHashes = false

  constructor(deps: RecordsDeps) {
    const { storage, config, env, shard } = deps
    const { sql } = storage
    this.#deps = deps
    this.#bodies = new Bodies(sql)
    this.scrub = new Scrub(storage)
    this.key = new LookupKey(storage, env, shard)
    this.lookups = new Lookups(sql)
    this.receipts = new ReceiptStore(sql, this.lookups, config.receiptMs)
    this.suppressions = new Suppressions(sql)
    this.log = new OperatorLog(sql)
    this.#activity = new ActivityStore(sql)
    const [activity, receipts, suppressions] = [this.#activity, this.receipts, this.suppressions]
    this.#carried = new CarriedStore(storage, { activity, receipts, suppressions })
  }

  /** What an arriving event is found by. */
  async hashesOf(request: StoreRequest): Promise<Hashes | null> {
    return request.hashes ?? (await this.#hashesOf(request, this.#knownKey()))
  }

  /** An event that must not be stored, or relayed: an operator has erased its person. */
  isSuppressed(hashes: Hashes | null): boolean {
    return this.suppressions.has(hashes, this.#deps.now())
  }

  /** Whether the batch is written. */
  take(carried: Carried): boolean {
    try {
      this.#carried.take(carried, this.#deps.now())
      this.scrub.grew(carried.receipts.length * RECEIPT_BYTES)
      return true
    } catch (thrown) {
      this.#logFault(thrown)
      return false
    }
  }

  /** Shard 0 speaks for all. `version`: of the suppressions that the isolate knows. */
  news(version: string | null): LookupNews | null {
    const { key, suppressions } = this
    if (this.#deps.shard !== TOKEN_SHARD || !key.known) return null
    const isKnown = version === suppressions.version
    return {
      key: key.known.raw,
      version: suppressions.version,
      suppressions: isKnown ? null : suppressions.list(this.#deps.now()),
    }
  }

  link(stored: readonly { position: number; hashes: Hashes | null; bytes: number }[]): void {
    this.lookups.link(stored)
    for (const { bytes } of stored) this.scrub.grew(bytes)
  }

  unlink(position: number, hashes: Hashes | null): void {
    this.lookups.unlink(position, hashes)
  }

  /** The outbox has delivered events; called within the transaction that forgets them. */
  settle(events: readonly PendingEvent[]): void {
    this.receipts.settle(events, this.#deps.now())
    this.scrub.grew(events.length * RECEIPT_BYTES)
  }

  /** Counts deliveries; `flush` writes them. */
  count(events: readonly PendingEvent[]): void {
    const now = this.#deps.now()
    for (const { kind, receivedAt } of events) {
      const histogram: Histogram = {}
      addDuration(histogram, now - receivedAt)
      this.#drained.push({ minute: now, kind, outcome: 'drained', count: 1, histogram })
    }
    if (this.#drained.length >= 1_000) this.#drained = summed(this.#drained, STEP_MS.minute)
  }

  /** Never throws: an alarm must not fail for a count. */
  flush(): void {
    if (this.#drained.length === 0) return
    const rows = summed(this.#drained, STEP_MS.minute)
    this.#drained = []
    this.#attempt(() => this.#activity.add(rows))
  }

  points(from: number, to: number, step: Step): CountRow[] {
    this.flush()
    return this.#activity.points(from, to, step)
  }

  status(): Totals & { keys: KeyUse[] } {
    return { ...this.#carried.totals(), keys: this.#carried.keys() }
  }

  /** Forgets what is over. Never throws. */
  sweep(): void {
    const now = this.#deps.now()
    this.flush()
    this.#attempt(() => {
      this.receipts.sweep(now)
      this.#activity.sweep(now)
      this.#carried.sweep(now)
      this.suppressions.sweep(now)
      this.log.sweep(now)
    })
  }

  /** Hashes for events that were stored while the key was not known here, or by an earlier version. Never throws. */
  async addMissingHashes(): Promise<void> {
    if (this.#isAddingHashes) return
    this.#isAddingHashes = true
    try {
      const { storage } = this.#deps
      const bodies = this.#bodies
      const key = bodies.withoutHashes() && (await this.key.get())
      for (let next = bodies.withoutHashes(); next && key; next = bodies.withoutHashes()) {
        const stored = bodies.read(next)
        if (!stored) return
        const place = next
        const hashes = await this.#hashesOf(stored, key)
        storage.transactionSync(() => {
          if (bodies.setHashes(place, stored.id, hashes ?? '')) {
            this.lookups.link([{ position: place.position, hashes }])
          }
        })
      }
    } catch (thrown) {
      this.#logFault(thrown)
    } finally {
      this.#isAddingHashes = false
    }
  }

  #knownKey(): LookupHash | null {
    if (!this.key.known) void this.addMissingHashes()
    return this.key.known
  }

  async #hashesOf(
    { id, kind, receivedAt, body }: Pick<StoreRequest, 'id' | 'kind' | 'receivedAt' | 'body'>,
    key: LookupHash | null,
  ): Promise<Hashes | null> {
    if (!key) return null
    const parsed = parseJson(body)
    const reading = readEventOrNull({ id, kind, receivedAt }, parsed)
    return key.ofSubject(subjectOf(reading?.kind ?? kind, parsed, body))
  }

  #attempt(write: () => void): void {
    try {
      this.#deps.storage.transactionSync(write)
    } catch (thrown) {
      this.#logFault(thrown)
    }
  }

  #logFault(thrown: unknown): void {
    const name = thrown instanceof Error ? thrown.name : 'unknown'
    logLine('error', { event: 'records-failed', shard: this.#deps.shard, name })
  }
}
