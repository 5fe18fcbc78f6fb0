/** What the relay is given of a webhook, and where its event then is. */
import type { PrimaryIdentity } from './aep/record/identity.ts'
import type { Arrival } from './chatlio/event.ts'
import type { Subject } from './chatlio/subject.ts'
import type { EventEnd } from './outbox/delivery/waiters.ts'
import type { HeldState } from './outbox/state.ts'

/** Where an event is now. `upstreamStatus`: the HTTP status that AEP answered; `null` when it did not. */
export type RelayResult = {
  outcome: 'forwarded' | 'buffered' | 'dead-lettered' | 'quarantined' | 'suppressed' | 'unavailable'
  /** It went to AEP without the outbox, which then knows nothing of it. */
  straight?: true
  upstreamStatus: number | null
  /** Why it was not forwarded. */
  code?: string
  /** For xdm: the primary identity. An event with `none` reaches the lake, but not Profile. */
  identity?: PrimaryIdentity
}

/** An event and its bytes, as they came, and whose it is. */
export type Received = Arrival & { body: Uint8Array; subject: Subject }

/** By the state that the outbox answers. */
export const OUTCOMES = {
  pending: 'buffered',
  dead: 'dead-lettered',
  quarantined: 'quarantined',
  delivered: 'forwarded',
  // An operator erased it while its request waited: it was stored, and it was not relayed.
  erased: 'buffered',
  suppressed: 'suppressed',
} as const satisfies Record<HeldState | EventEnd, RelayResult['outcome']>
