/**
 * Who an event is about: the visitor's UUID and the visitor's email, and no one else's.
 *
 * Promises: never an agent's address, never `replyToEmail` (it can be a fallback that many visitors share).
 * A value that cannot be an identity is left out: one that a stranger has typed into a thousand profiles, or
 * that Profile refuses after AEP has said 200 (TROUB), does more harm than no identity.
 */
import type { ChatEvent } from '../../chatlio/event.ts'

/** Longest identity value that AEP is known to take, in characters. */
const MAX_IDENTITY_CHARACTERS = 1_024

/** An identity and the payload's path it comes from. */
export type Identity = { from: string; id: string }

export type Identities = { visitor?: Identity; email?: Identity }

export function identitiesOf(event: ChatEvent): Identities {
  const identities: Identities = {}
  const visitor = visitorUuid(event)
  if (visitor) identities.visitor = visitor
  const email = emails(event).find(({ id }) => EMAIL.test(id) && isPlausible(id))
  if (email) identities.email = email
  return identities
}

export type PrimaryIdentity = 'visitor' | 'email' | 'none'

/** The primary identity, for the log line. */
export function identityOf(event: ChatEvent): PrimaryIdentity {
  const { visitor, email } = identitiesOf(event)
  return visitor ? 'visitor' : email ? 'email' : 'none'
}

function visitorUuid({ kind, payload }: ChatEvent): Identity | undefined {
  // A transcript documents no visitor: one in it has not been normalized.
  const id = kind === 'transcript' ? undefined : payload.visitor?.UUID
  return id !== undefined && isPlausible(id) ? { from: 'visitor.UUID', id } : undefined
}

/** Candidates, the best first. */
function emails({ kind, payload }: ChatEvent): Identity[] {
  const candidates =
    kind === 'transcript'
      ? [{ from: 'visitorEmail', id: payload.visitorEmail }]
      : [{ from: 'visitor.email', id: payload.visitor?.email }]
  if (kind === 'offline-message') candidates.push({ from: 'email', id: payload.email })
  return candidates.filter((candidate): candidate is Identity => candidate.id !== undefined)
}

const EMAIL = /^[^\s@]+@[^\s@]+$/

/** Something other than blanks, of sane length, without control characters and halves of characters. */
function isPlausible(id: string): boolean {
  return id.length <= MAX_IDENTITY_CHARACTERS && /\S/.test(id) && !/[\p{Cc}\p{Cs}]/u.test(id)
}
