/**
 * What becomes of an event that arrives at the outbox, given what is already stored under its id.
 * A pure table: an insert is repeated by the runtime or by the sender, and must not count or change anything twice.
 */
import type { EventState } from '../state.ts'

export type Move =
  /** Nothing under this id yet: store it as it arrives. */
  | 'insert'
  /** What is stored stays as it is. */
  | 'keep'
  /** It may be relayed again. */
  | 'to-pending'
  | 'to-dead'

const TABLE: Record<EventState | 'absent', Record<EventState, Move>> = {
  absent: { pending: 'insert', dead: 'insert', quarantined: 'insert' },
  pending: { pending: 'keep', dead: 'keep', quarantined: 'keep' },
  dead: { pending: 'to-pending', dead: 'keep', quarantined: 'keep' },
  quarantined: { pending: 'to-pending', dead: 'to-dead', quarantined: 'keep' },
}

export function arrive(stored: EventState | null, arriving: EventState): Move {
  return TABLE[stored ?? 'absent'][arriving]
}

/** The state really held afterwards, which is what the sender is told. */
export function heldAfter(stored: EventState | null, arriving: EventState): EventState {
  switch (arrive(stored, arriving)) {
    case 'insert':
      return arriving
    case 'keep':
      return stored ?? arriving
    case 'to-pending':
      return 'pending'
    case 'to-dead':
      return 'dead'
  }
}
