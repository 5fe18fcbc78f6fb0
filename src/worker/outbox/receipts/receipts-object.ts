/**
 * The RPC methods of a shard for operators, and for what isolates carry, for `Outbox` to inherit: lists, redrive, finding,
 * activity, erasing, suppressions, operators' actions.
 */
import { DurableObject } from 'cloudflare:workers'
import type { UpstreamState } from '../../aep/upstream/state.ts'
import { logLine } from '../../log.ts'
import type { Carried, CountRow, Exchanged, Suppression } from '../../receipts/carried.ts'
import { type EraseMatchingPage, eraseMatching } from '../erase-matching.ts'
import type { MatchRequest } from '../match.ts'
import { type RedrivePage, redrive } from '../redrive.ts'
import type { EventDetail, ListedPage, ListFilter } from '../state.ts'
import type { Listing } from '../storage/listing.ts'
import type { CauseRow } from '../storage/parked.ts'
import type { EventReader } from '../storage/reader.ts'
import type { EventStore } from '../storage/store.ts'
import type { Step } from './activity.ts'
import { type ErasePage, type EraseRequest, erasePage } from './erase.ts'
import { type FindRequest, type Found, find } from './find.ts'
import type { ListedEntry, LogEntry } from './operator-log.ts'
import type { Records } from './records.ts'

export type OperatorParts = {
  records: Records
  reader: EventReader
  store: EventStore
  listing: Listing
  /** Writes the events that wait for the next transaction. */
  flush: () => void
  /** Requests that wait for this event. */
  erased: (id: string) => void
  /** The event at this position is pending again. */
  requeued: (position: number) => void
  /** Makes the alarm fit the work that there is now. */
  schedule: () => Promise<void>
}

export abstract class ReceiptsObject extends DurableObject<Env> {
  protected abstract readonly parts: OperatorParts

  /** Both sides learn what the other knows of AEP. */
  abstract refresh(upstream: UpstreamState): Promise<UpstreamState>

  /** A refresh of an isolate, with what it has to carry. `version`: of the suppressions that it knows. */
  async exchange(
    upstream: UpstreamState,
    carried: Carried | null,
    version: string | null,
  ): Promise<Exchanged> {
    const { records } = this.parts
    const taken = carried === null || records.take(carried)
    return { upstream: await this.refresh(upstream), taken, news: records.news(version) }
  }

  list(filter: ListFilter, after: number, limit: number): ListedPage {
    return this.parts.listing.list(filter, after, limit)
  }

  get(id: string): EventDetail | null {
    return this.parts.listing.get(id)
  }

  /** Whether there was such an event. */
  async erase(id: string): Promise<boolean> {
    const { reader, store, erased, flush } = this.parts
    flush()
    const place = reader.find(id)
    if (place) {
      store.erase(place)
      erased(id)
    }
    return place !== null
  }

  causes(): CauseRow[] {
    return this.parts.listing.parked.causes()
  }

  /** One page, which is found and redriven in one transaction. */
  async redrive(request: MatchRequest): Promise<RedrivePage> {
    const { records, store, reader, listing, flush, requeued, schedule } = this.parts
    const { parked } = listing
    await records.addMissingHashes()
    flush()
    const positions: number[] = []
    const page = this.ctx.storage.transactionSync(() =>
      redrive(
        request,
        { store, reader, parked },
        (position) => positions.push(position),
        (place) => records.isSuppressed(store.bodies.hashes(place)),
      ),
    )
    for (const position of positions) requeued(position)
    await schedule()
    return page
  }

  /** One page, which is found and erased in one transaction. */
  async eraseMatching(request: MatchRequest): Promise<EraseMatchingPage> {
    const { store, listing, flush } = this.parts
    const { parked } = listing
    flush()
    return this.ctx.storage.transactionSync(() => eraseMatching(request, { store, parked }))
  }

  /** Of shard 0. */
  async lookupKey(): Promise<Uint8Array> {
    const hash = await this.parts.records.key.get()
    if (!hash) throw new Error('The lookup key is not known.')
    return hash.raw
  }

  find(request: FindRequest): Found[] {
    const { reader, listing, records } = this.parts
    const { receipts, lookups } = records
    return find(request, { reader, listing, receipts, lookups })
  }

  activity(from: number, to: number, step: Step): CountRow[] {
    return this.parts.records.points(from, to, step)
  }

  /** Returns the end of the suppression, in epoch milliseconds. */
  async suppress(hash: string, now: number, until: number): Promise<number> {
    const end = this.parts.records.suppressions.add(hash, now, until)
    await this.ctx.storage.sync()
    return end
  }

  suppressedUntil(hash: string, now: number): number | null {
    return this.parts.records.suppressions.until(hash, now)
  }

  endSuppression(hash: string, now: number): boolean {
    return this.parts.records.suppressions.end(hash, now)
  }

  suppressions(now: number): Suppression[] {
    return this.parts.records.suppressions.list(now)
  }

  /** One page; after the last, what SQLite has left of the erased rows is overwritten, or begun to be. */
  async erasePerson(request: EraseRequest): Promise<ErasePage> {
    const { store, records, erased, flush } = this.parts
    const { bodies } = store
    flush()
    const page = erasePage(request, {
      places: (after, limit) => bodies.places(after, limit),
      body: (place) => bodies.read(place),
      erase: (place, id) => {
        store.erase(place)
        erased(id)
      },
      blankAnswer: (position) => bodies.blankAnswer(position),
      eraseReceipts: (hash, dryRun) => records.receipts.erase(hash, dryRun),
    })
    if (!request.dryRun && page.erased + page.receipts > 0) records.scrub.owe()
    if (!request.dryRun && page.next === null) {
      await this.ctx.storage.sync()
      await records.scrub.step()
    }
    return page
  }

  /** A step of overwriting what an erasure has left on disk. Never throws. */
  protected async scrubFurther(): Promise<void> {
    try {
      await this.parts.records.scrub.step()
    } catch (thrown) {
      const name = thrown instanceof Error ? thrown.name : 'unknown'
      logLine('error', { event: 'records-failed', shard: this.ctx.id.name, name })
    }
  }

  /** Of shard 0. */
  logAction(entry: LogEntry): void {
    this.parts.records.log.add(entry)
  }

  actions(before: number, limit: number): ListedEntry[] {
    return this.parts.records.log.list(before, limit)
  }
}
