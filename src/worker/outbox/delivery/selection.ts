/**
 * Which event is sent next.
 *
 * Promises: oldest first; an event is never in flight twice; tried events take at most half of the pool while untried
 * ones wait; a probe is never the same event twice while another waits.
 */
import { DRAIN_READ_AHEAD, DRAIN_RETRY_SLOTS } from '../../limits.ts'
import type { EventReader } from '../storage/reader.ts'

export type Selected = { position: number; as: 'tried' | 'untried' }

export class Selection {
  readonly #reader: EventReader
  /** Positions being sent, and whether each had been tried before. */
  readonly #inFlight = new Map<number, Selected['as']>()
  /** Untried events up to here have been read. */
  #cursor = -1
  #untried: number[] = []
  #lastProbe: number | null = null

  constructor(reader: EventReader) {
    this.#reader = reader
  }

  /**
   * An event was stored, or came back, at this position: look there again. Events do not come in the order of their
   * receipt, so what has been read ahead of it stays.
   */
  added(position: number): void {
    if (position > this.#cursor) return
    this.#cursor = position - 1
    this.#untried = this.#untried.filter((each) => each < position)
  }

  /** Forgets what it has read: nothing is in flight, and whatever is stored is to be found again. */
  restart(): void {
    this.#inFlight.clear()
    this.#cursor = -1
    this.#untried = []
  }

  /** Whether an event waits that has never been tried. Reads at most a few rows, and changes nothing. */
  hasUntried(): boolean {
    return this.#untried.length > 0 || this.#unread(this.#inFlight.size + 1).length > 0
  }

  /** Any event, tried or not. */
  next(now: number): Selected | null {
    const due = this.#due(now)
    const tried = [...this.#inFlight.values()].filter((each) => each === 'tried').length
    if (due !== null && tried < DRAIN_RETRY_SLOTS) return this.#take(due, 'tried')
    const untried = this.nextUntried()
    if (untried !== null) return untried
    return due === null ? null : this.#take(due, 'tried')
  }

  /** While the destination fails any event will do, its own wait or not: the point is to ask. */
  nextProbe(): Selected | null {
    const probe =
      this.#firstUntried() ??
      this.#reader.waiting(2).find((position) => position !== this.#lastProbe) ??
      this.#lastWaiting()
    if (probe === null) return null
    this.#lastProbe = probe
    return this.#take(probe, 'tried')
  }

  /** One more to go into the same request as others never tried. */
  nextUntried(): Selected | null {
    const position = this.#firstUntried()
    return position === null ? null : this.#take(position, 'untried')
  }

  /** Taken, and not sent after all. */
  giveBack(position: number): void {
    this.#inFlight.delete(position)
    this.#untried.unshift(position)
  }

  done(position: number): void {
    this.#inFlight.delete(position)
  }

  #take(position: number, as: Selected['as']): Selected {
    this.#inFlight.set(position, as)
    return { position, as }
  }

  #due(now: number): number | null {
    const waited = this.#reader.due(now, this.#inFlight.size + 1)
    return waited.find((position) => !this.#inFlight.has(position)) ?? null
  }

  #lastWaiting(): number | null {
    return this.#reader.waiting(1)[0] ?? null
  }

  #firstUntried(): number | null {
    this.#readAhead()
    return this.#untried.shift() ?? null
  }

  #readAhead(): void {
    if (this.#untried.length > 0) return
    this.#untried = this.#unread(DRAIN_READ_AHEAD)
    this.#cursor = this.#untried.at(-1) ?? this.#cursor
  }

  /** Untried events behind the cursor, at most `limit` of them, without those in flight. */
  #unread(limit: number): number[] {
    return this.#reader
      .untried(this.#cursor, limit)
      .filter((position) => !this.#inFlight.has(position))
  }
}
