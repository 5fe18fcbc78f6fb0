/**
 * Finds the visitor's identities: UUID and email.
 *
 * Promises: never an agent's address, never `replyToEmail` (it can be a fallback that many visitors share).
 * Leaves out implausible values: one that would merge the profiles of strangers, or that Profile refuses after AEP has
 * answered 200 (TROUB), does more harm than no identity.
 */
import type { ChatEvent } from '../../chatlio/event.ts'

/** Longest identity value that AEP is known to take, in characters. */
const MAX_IDENTITY_CHARACTERS = 1_024

/** An identity value, and its path in the payload. */
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

/** Which identity is primary, for the log line. */
export function identityOf(event: ChatEvent): PrimaryIdentity {
  const { visitor, email } = identitiesOf(event)
  return visitor ? 'visitor' : email ? 'email' : 'none'
}

function visitorUuid({ kind, payload }: ChatEvent): Identity | undefined {
  // A transcript documents no `visitor`, so one in it is not normalized.
  const id = kind === 'transcript' ? undefined : payload.visitor?.UUID
  return id !== undefined && isPlausible(id) ? { from: 'visitor.UUID', id } : undefined
}

/** Candidates, best first. */
function emails({ kind, payload }: ChatEvent): Identity[] {
  const candidates =
    kind === 'transcript'
      ? [{ from: 'visitorEmail', id: payload.visitorEmail }]
      : [{ from: 'visitor.email', id: payload.visitor?.email }]
  if (kind === 'offline-message') candidates.push({ from: 'email', id: payload.email })
  return candidates.filter((candidate): candidate is Identity => candidate.id !== undefined)
}

const EMAIL = /^[^\s@]+@[^\s@]+$/

/** Not blank, not too long, and free of control characters and lone surrogates. */
function isPlausible(id: string): boolean {
  return id.length <= MAX_IDENTITY_CHARACTERS && /\S/.test(id) && !/[\p{Cc}\p{Cs}]/u.test(id)
}
