/**
 * Which conversations that began have a transcript: by the keyed hash of the conversation, which receipts and stored events
 * have in any case, so nothing is written for it.
 *
 * Promises: pure, one pass, and of each conversation it keeps its first event alone. A conversation counts once, on the day on
 * which it began.
 * Accepts: a lower bound, since an isolate that ends loses its last receipts; and a chat that an agent discards has no
 * transcript on purpose. Events that name no conversation take no part, and are counted.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import { DAY_MS } from '../../limits.ts'

/** An event, and the hash of its conversation; `null`: it names none. */
export type ConversationEvent = {
  id: string
  kind: StoredKind
  receivedAt: number
  conversation: string | null
}

/** `day`: epoch milliseconds. `unnamed`: events that name no conversation, and cannot take part. */
type CompletenessDay = Record<'day' | 'started' | 'completed' | 'missing' | 'unnamed', number>

export type Completeness = {
  /** The newest first. */
  days: CompletenessDay[]
  /** The first event of each conversation without a transcript, the newest first. */
  missing: Omit<ConversationEvent, 'conversation'>[]
}

/** Of conversations that should have their transcript: how many there are, and how many have none. */
export type Share = { due: number; missing: number }

/** The day before the transcripts are due, and the six days before that. */
export type CompletenessFacts = { latest: Share; before: Share }

const BEGINNINGS: ReadonlySet<StoredKind> = new Set([
  'new-conversation',
  'conversation',
  'unanswered',
])

/** Kinds that take part. */
export const takesPart = (kind: StoredKind) => kind === 'transcript' || BEGINNINGS.has(kind)

/** `overdueAt`: a conversation that began until then should have its transcript. */
export function completenessOf(
  events: Iterable<ConversationEvent>,
  overdueAt: number,
): Completeness & CompletenessFacts {
  const begun = new Map<string, ConversationEvent>()
  const transcripts = new Set<string>()
  const days = new Map<number, CompletenessDay>()
  const dayOf = (receivedAt: number): CompletenessDay => {
    const day = Math.floor(receivedAt / DAY_MS) * DAY_MS
    const known = days.get(day) ?? { day, started: 0, completed: 0, missing: 0, unnamed: 0 }
    days.set(day, known)
    return known
  }
  // An event that was relayed twice is one event.
  const unnamed = new Set<string>()
  for (const event of events) {
    const { id, kind, receivedAt, conversation } = event
    if (conversation === null) {
      if (BEGINNINGS.has(kind) && !unnamed.has(id)) dayOf(receivedAt).unnamed += 1
      unnamed.add(id)
    } else if (kind === 'transcript') transcripts.add(conversation)
    else if (BEGINNINGS.has(kind)) {
      const known = begun.get(conversation)
      if (!known || receivedAt < known.receivedAt) begun.set(conversation, event)
    }
  }
  const missing: Completeness['missing'] = []
  const latest = { due: 0, missing: 0 }
  const before = { due: 0, missing: 0 }
  for (const [conversation, { id, kind, receivedAt }] of begun) {
    const day = dayOf(receivedAt)
    const isComplete = transcripts.has(conversation)
    day.started += 1
    if (isComplete) day.completed += 1
    if (receivedAt > overdueAt) continue
    const share = receivedAt > overdueAt - DAY_MS ? latest : before
    if (receivedAt > overdueAt - 7 * DAY_MS) share.due += 1
    if (isComplete) continue
    if (receivedAt > overdueAt - 7 * DAY_MS) share.missing += 1
    day.missing += 1
    missing.push({ id, kind, receivedAt })
  }
  return {
    days: [...days.values()].sort((a, b) => b.day - a.day),
    missing: missing.sort((a, b) => b.receivedAt - a.receivedAt),
    latest,
    before,
  }
}
