/**
 * Which state an event has after it arrives at the outbox, given the state already stored under its id.
 *
 * The runtime and the sender both repeat inserts, so arriving twice must not change or count anything twice: the
 * higher of the stored and the arriving state wins, pending over dead over quarantined. An event that could be
 * relayed is never demoted by a late repeat, and one that was set aside becomes pending as soon as it can be.
 */
import type { EventState } from '../state.ts'

const RANK: Record<EventState, number> = { quarantined: 0, dead: 1, pending: 2 }

/** `stored` is `null` when nothing is stored under the id yet. */
export function resolveState(stored: EventState | null, arriving: EventState): EventState {
  return stored === null || RANK[arriving] > RANK[stored] ? arriving : stored
}
