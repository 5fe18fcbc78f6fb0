/**
 * Stores events as they arrive, or merges each with the one stored under its id.
 *
 * Promises: those that are new are written, counted and indexed in one transaction, or none of them is. Storing an event
 * again changes nothing, unless `resolveState` says so.
 */
import { causeOf } from '../cause.ts'
import type { EventState, StoreRequest } from '../state.ts'
import type { EventIndex } from './event-index.ts'
import { counted, type Delta } from './ledger.ts'
import { Positions } from './position.ts'
import type { Place } from './reader.ts'
import { resolveState } from './resolve-state.ts'
import type { EventStore } from './store.ts'
import type { FailedTry } from './tries.ts'

/** `tried`: the attempt that its request has made. */
export type TriedRequest = { request: StoreRequest; tried: FailedTry | null }
type Added = TriedRequest & { place: Place }

export class Arrivals {
  readonly #sql: SqlStorage
  readonly #positions: Positions
  readonly #store: EventStore
  readonly #index: EventIndex

  constructor(sql: SqlStorage, store: EventStore, index: EventIndex) {
    this.#sql = sql
    this.#positions = new Positions(sql)
    this.#store = store
    this.#index = index
  }

  /** Returns where each of them is, and in which state it really is. */
  put(arrivals: readonly TriedRequest[]): Place[] {
    const { stored, free } = this.#positions.find(arrivals.map(({ request }) => request))
    const added: Added[] = []
    for (const arrival of arrivals) {
      const { id, receivedAt, state } = arrival.request
      if (stored.has(id)) continue
      const place = { position: free.take(receivedAt), state: resolveState(null, state) }
      stored.set(id, place)
      added.push({ ...arrival, place })
    }
    if (added.length > 0) this.#add(added)
    // Those just added are merged with themselves, which changes nothing.
    return arrivals.map((arrival) => {
      const { id } = arrival.request
      const place = this.#merge(stored.get(id) as Place, arrival)
      stored.set(id, place)
      return place
    })
  }

  #add(added: readonly Added[]): void {
    const delta: Delta = { accepted: added.length }
    for (const state of ['dead', 'quarantined'] as const) {
      delta[state] = added.filter(({ place }) => place.state === state).length
    }
    this.#store.change(delta, () => {
      for (const { place, request, tried } of added) {
        this.#insert(place, request, tried)
        this.#store.writeParts(place.position, request.parts)
        if (tried) this.#store.tries.write(place.position, tried)
      }
      this.#index.stored(
        added.map(({ place: { position }, request: { hashes = null } }) => ({ position, hashes })),
      )
    })
  }

  #insert({ position, state }: Place, request: StoreRequest, tried: FailedTry | null): void {
    const { id, kind, receivedAt, body, hashes = null } = request
    const columns = [position, id, kind, receivedAt, body.slice().buffer, hashes]
    if (state === 'pending') {
      this.#sql.exec(
        `INSERT INTO pending (position, id, kind, received_at, body, hashes)
         VALUES (?, ?, ?, ?, ?, ?)`,
        ...columns,
      )
    } else {
      const { code, path } = causeOf(tried?.error ?? null)
      this.#sql.exec(
        `INSERT INTO parked (position, id, kind, received_at, body, hashes, state, code, path)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...columns,
        state,
        code,
        path,
      )
    }
  }

  #merge({ position, state: held }: Place, { request, tried }: TriedRequest): Place {
    const state = resolveState(held, request.state)
    if (state === held) return { position, state }
    if (state === 'pending') this.#store.requeue(position, held, request.kind, tried)
    else this.#bury(position, held, tried)
    return { position, state }
  }

  /** AEP has refused what was in quarantine. */
  #bury(position: number, from: EventState, tried: FailedTry | null): void {
    const { code, path } = causeOf(tried?.error ?? null)
    this.#store.change({ ...counted(from, -1), ...counted('dead', 1) }, () => {
      this.#sql.exec(
        "UPDATE parked SET state = 'dead', code = ?, path = ? WHERE position = ?",
        code,
        path,
        position,
      )
      if (tried) this.#store.tries.write(position, tried)
    })
  }
}
