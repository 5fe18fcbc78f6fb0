/**
 * Which event is sent next.
 *
 * Promises: oldest first; an event is never in flight twice; tried events take at most half of the pool while untried
 * ones wait; a probe is never the same event twice while another waits.
 */
import { DRAIN_READ_AHEAD, DRAIN_RETRY_SLOTS } from '../../limits.ts'
import type { Located, PendingQueue } from '../storage/pending-queue.ts'

export type Selected = Located & { as: 'tried' | 'untried' }

export class Selection {
  readonly #queue: PendingQueue
  /** Positions being sent, and whether each had been tried before. */
  readonly #inFlight = new Map<number, Selected['as']>()
  /** Untried events up to here have been read. */
  #cursor = -1
  #untried: Located[] = []
  #lastProbe: number | null = null

  constructor(queue: PendingQueue) {
    this.#queue = queue
  }

  /**
   * An event was stored, or came back, at this position: look there again. Events do not arrive in the order of their
   * receipt, so what has been read ahead of it stays.
   */
  added(position: number): void {
    if (position > this.#cursor) return
    this.#cursor = position - 1
    this.#untried = this.#untried.filter((each) => each.position < position)
  }

  /** Forgets what it has read: nothing is in flight, and everything that is stored is found again. */
  restart(): void {
    this.#inFlight.clear()
    this.#cursor = -1
    this.#untried = []
  }

  /** Whether an event waits that has never been tried. Tried ones before it are not looked at again. */
  hasUntried(): boolean {
    if (this.#untried.length > 0) return true
    const [first] = this.#unread(this.#inFlight.size + 1)
    this.#cursor = first ? first.position - 1 : this.#behindAll()
    return first !== undefined
  }

  /** Any event, tried or not. */
  next(now: number): Selected | null {
    const due = this.#due(now)
    const tried = [...this.#inFlight.values()].filter((each) => each === 'tried').length
    if (due && tried < DRAIN_RETRY_SLOTS) return this.#take(due, 'tried')
    const untried = this.nextUntried()
    if (untried) return untried
    return due && this.#take(due, 'tried')
  }

  /**
   * While AEP fails any event will do, whether its wait is over or not: the point is to ask. `newest`: AEP refuses
   * everything, and an event that was not there when that began is the most likely to be accepted.
   */
  nextProbe(newest: boolean): Selected | null {
    const untried = newest ? this.#newestUntried() : this.#firstUntried()
    const waiting = untried
      ? null
      : this.#queue
          .waiting(2 + this.#inFlight.size)
          .filter((each) => !this.#inFlight.has(each.position))
    const probe =
      untried ?? waiting?.find(({ position }) => position !== this.#lastProbe) ?? waiting?.[0]
    if (!probe) return null
    this.#lastProbe = probe.position
    return this.#take(probe, untried ? 'untried' : 'tried')
  }

  /** One more to go into the same request as others that were never tried. */
  nextUntried(): Selected | null {
    const first = this.#firstUntried()
    return first && this.#take(first, 'untried')
  }

  /** Selected, and not sent after all: it is next again. */
  giveBack({ position, bytes, as }: Selected): void {
    this.#inFlight.delete(position)
    if (as === 'untried') this.#untried.unshift({ position, bytes })
  }

  done(position: number): void {
    this.#inFlight.delete(position)
  }

  #take(located: Located, as: Selected['as']): Selected {
    this.#inFlight.set(located.position, as)
    return { ...located, as }
  }

  #due(now: number): Located | null {
    const waited = this.#queue.due(now, this.#inFlight.size + 1)
    return waited.find(({ position }) => !this.#inFlight.has(position)) ?? null
  }

  #firstUntried(): Located | null {
    if (this.#untried.length === 0) {
      this.#untried = this.#unread(DRAIN_READ_AHEAD)
      this.#cursor = this.#untried.at(-1)?.position ?? this.#behindAll()
    }
    return this.#untried.shift() ?? null
  }

  #newestUntried(): Located | null {
    const [first] = this.#queue
      .newestUntried(1 + this.#inFlight.size)
      .filter(({ position }) => !this.#inFlight.has(position))
    if (first) this.#untried = this.#untried.filter(({ position }) => position !== first.position)
    return first ?? null
  }

  /** Nothing untried behind the cursor: the next look begins behind all that is stored. */
  #behindAll(): number {
    return this.#queue.lastPending() ?? this.#cursor
  }

  /** Untried events behind the cursor, at most `limit` of them, without those in flight. */
  #unread(limit: number): Located[] {
    return this.#queue
      .untried(this.#cursor, limit)
      .filter(({ position }) => !this.#inFlight.has(position))
  }
}
