/**
 * Carries counters and receipts from an isolate to the shards, with its refresh, and knows who is suppressed.
 *
 * Promises: nothing is asked of the outbox before a webhook is answered. A batch that a shard has not taken is kept, and
 * sent again as it is: it counts once. Addresses and ids leave the isolate as keyed hashes only.
 * Accepts: an isolate that ends loses what it has not carried, so these figures are a lower bound.
 */
import type { Subject } from './chatlio/subject.ts'
import { CARRY_AT_RECEIPTS, CARRY_TIMEOUT_MS } from './limits.ts'
import type { Shards } from './outbox/shards.ts'
import type { Carried, Exchanged, Receipt, Suppression } from './receipts/carried.ts'
import { type Hashes, unpacked } from './receipts/hashes.ts'
import { Held, type HeldReceipt, type Noted } from './receipts/held.ts'
import { LookupHash } from './receipts/lookup-hash.ts'

export class Carrier {
  readonly #shards: Shards
  readonly #now: () => number
  readonly #held = new Held()
  /** By shard: sent, and not known to be taken. */
  readonly #batches = new Map<number, Carried>()
  readonly #isolate: string
  #sequence = 0
  #carryingSince: number | null = null
  #hash: LookupHash | null = null
  #version: string | null = null
  #suppressed: ReadonlyMap<string, Suppression> = new Map()

  /** `isolate`: a name that no other isolate has. */
  constructor(shards: Shards, now: () => number, isolate: string) {
    this.#shards = shards
    this.#now = now
    this.#isolate = isolate
  }

  note(noted: Noted): void {
    this.#held.note(noted)
  }

  get hasSomething(): boolean {
    return !this.#held.isEmpty || this.#batches.size > 0
  }

  /** Too much to wait for the next refresh. */
  get isFull(): boolean {
    return this.#held.size >= CARRY_AT_RECEIPTS && !this.#isCarrying()
  }

  /** Of the suppressions that this isolate knows. */
  get version(): string | null {
    return this.#version
  }

  /** Whether anybody is suppressed: only then are events compared. */
  get suppresses(): boolean {
    return this.#suppressed.size > 0
  }

  async isSuppressed(subject: Subject): Promise<boolean> {
    const hashes = unpacked(await this.hashesOf(subject))
    return hashes.some((hash) => (this.#suppressed.get(hash)?.until ?? 0) > this.#now())
  }

  /** `null` while this isolate does not know the key. */
  async hashesOf(subject: Subject): Promise<Hashes | null> {
    return this.#hash ? this.#hash.ofSubject(subject) : null
  }

  /** What to send to each shard; `null` where there is nothing, or while an earlier carry is under way. */
  async load(): Promise<ReadonlyMap<number, Carried> | null> {
    if (this.#isCarrying() || !this.hasSomething) return null
    this.#carryingSince = this.#now()
    try {
      this.#hash ??= new LookupHash(await this.#shards.tokenKeeper().lookupKey())
      return await this.#load()
    } catch (thrown) {
      this.ended()
      throw thrown
    }
  }

  async #load(): Promise<ReadonlyMap<number, Carried>> {
    const receipts = await this.#receiptsByShard()
    const home = Number.parseInt(this.#isolate.slice(0, 6), 16) % this.#shards.count
    const counted = this.#batches.has(home) ? null : this.#held.takeCounts()
    for (let shard = 0; shard < this.#shards.count; shard += 1) {
      const own = receipts.get(shard) ?? []
      const counts = shard === home ? counted : null
      if (own.length === 0 && !counts) continue
      this.#sequence += 1
      const { straight = 0, counts: rows = [], keys = {} } = counts ?? {}
      const batch = { isolate: this.#isolate, sequence: this.#sequence, straight, counts: rows }
      this.#batches.set(shard, { ...batch, keys, receipts: own })
    }
    return new Map(this.#batches)
  }

  /** A shard has answered. */
  learn(shard: number, sent: Carried | undefined, { taken, news }: Exchanged): void {
    if (taken && sent && this.#batches.get(shard) === sent) this.#batches.delete(shard)
    if (!news) return
    this.#hash ??= new LookupHash(news.key)
    if (news.suppressions) {
      this.#suppressed = new Map(news.suppressions.map((each) => [each.hash, each]))
    }
    this.#version = news.version
  }

  /** What was loaded has been sent, or could not be. */
  ended(): void {
    this.#carryingSince = null
  }

  #isCarrying(): boolean {
    const since = this.#carryingSince
    return since !== null && Math.abs(this.#now() - since) < CARRY_TIMEOUT_MS
  }

  async #receiptsByShard(): Promise<Map<number, Receipt[]>> {
    const isFree = ({ id }: HeldReceipt) => !this.#batches.has(this.#shards.indexOf(id))
    const byShard = new Map<number, Receipt[]>()
    const hash = this.#hash
    if (!hash) return byShard
    for (const { id, kind, receivedAt, settledAt, bytes, subject } of this.#held.takeReceipts(
      isFree,
    )) {
      const hashes = await hash.ofSubject(subject)
      const index = this.#shards.indexOf(id)
      const list = byShard.get(index) ?? []
      list.push({ id, kind, receivedAt, settledAt, bytes, hashes })
      byShard.set(index, list)
    }
    return byShard
  }
}
