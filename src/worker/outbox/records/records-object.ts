/**
 * The RPC methods of a shard for operators, and for what isolates carry, for `Outbox` to inherit: lists, redrive, finding,
 * activity, erasing, suppressions, operators' actions.
 */
import { DurableObject } from 'cloudflare:workers'
import type { UpstreamState } from '../../aep/upstream/state.ts'
import { type EraseMatchingPage, eraseMatching } from '../erase-matching.ts'
import type { MatchRequest } from '../match.ts'
import { type RedrivePage, redrive } from '../redrive.ts'
import type { EventDetail, ListedPage, ListFilter } from '../state.ts'
import type { Listing } from '../storage/listing.ts'
import type { CauseRow } from '../storage/parked.ts'
import type { EventReader } from '../storage/reader.ts'
import type { EventStore } from '../storage/store.ts'
import type { CountRow, Step } from './activity.ts'
import { type ErasePage, type EraseRequest, erasePage } from './erase.ts'
import type { FindRequest, Found } from './find.ts'
import type { ListedEntry, LogEntry } from './operator-log.ts'
import type { Records } from './records.ts'
import type { Exchanged, Report } from './reports.ts'
import type { ListedSuppression } from './suppressions.ts'

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

export abstract class RecordsObject extends DurableObject<Env> {
  protected abstract readonly parts: OperatorParts

  /** Both sides learn what the other knows of AEP. */
  abstract refresh(upstream: UpstreamState): Promise<UpstreamState>

  /** What isolates have seen of changes in what Chatlio sends. */
  abstract reportDrift(reports: Report['drift']): void

  /** An isolate reports, and hears of pauses, holds and suppressions. `version`: of the suppressions that it knows. */
  async exchange(
    upstream: UpstreamState,
    report: Report | null,
    version: string | null,
  ): Promise<Exchanged<UpstreamState>> {
    const { records } = this.parts
    const taken = report === null || records.take(report)
    if (report && taken && report.drift.length > 0) this.reportDrift(report.drift)
    return { aep: await this.refresh(upstream), taken, lookup: records.lookup(version) }
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

  /** For finding and erasing: who is looked for is known as a hash alone. */
  lookupKey(): Uint8Array {
    return this.parts.records.hash.raw
  }

  find(request: FindRequest): Found[] {
    this.parts.flush()
    return this.parts.records.find(request)
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

  suppressions(now: number): ListedSuppression[] {
    return this.parts.records.suppressions.list(now)
  }

  /** Returns its end; `null`: there is none with this id. */
  extendSuppression(id: string, now: number, until: number): number | null {
    return this.parts.records.suppressions.extend(id, now, until)
  }

  /** One page; when the last resolves, all of it is durable. */
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
      eraseReceipts: (hash, dryRun) => records.eraseReceipts(hash, dryRun),
    })
    if (!request.dryRun && page.next === null) await this.ctx.storage.sync()
    return page
  }

  logAction(entry: LogEntry): void {
    this.parts.records.log.add(entry)
  }

  actions(before: number, limit: number): ListedEntry[] {
    return this.parts.records.log.list(before, limit)
  }
}
