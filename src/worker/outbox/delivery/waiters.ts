/**
 * Requests that wait for an event to leave the pending ones.
 * Promises: a waiter hears how the event ended, or `null` when the time is over; its timer ends with it.
 */
import type { EventState } from '../state.ts'

/** How an event left the pending ones. */
export type EventEnd = 'delivered' | 'erased' | Exclude<EventState, 'pending'>

export class Waiters {
  readonly #waiting = new Map<string, Set<(end: EventEnd) => void>>()

  async wait(id: string, timeoutMs: number): Promise<EventEnd | null> {
    const { promise, resolve } = Promise.withResolvers<EventEnd | null>()
    const timer = setTimeout(() => resolve(null), timeoutMs)
    const same = this.#waiting.get(id) ?? new Set()
    this.#waiting.set(id, same.add(resolve))
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      same.delete(resolve)
      if (same.size === 0) this.#waiting.delete(id)
    }
  }

  ended(id: string, end: EventEnd): void {
    for (const resolve of this.#waiting.get(id) ?? []) resolve(end)
  }
}
