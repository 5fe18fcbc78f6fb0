/**
 * Which conversations that began have a transcript: by the keyed hash of the conversation, which receipts and stored events
 * have in any case, so nothing is written for it. Pure.
 *
 * Accepts: a lower bound, since an isolate that ends loses its last receipts; and a chat that an agent discards has no
 * transcript on purpose.
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
export type CompletenessDay = {
  day: number
  started: number
  completed: number
  missing: number
  unnamed: number
}

export type Completeness = {
  days: CompletenessDay[]
  /** The first event of each conversation without a transcript, the newest first. */
  missing: Omit<ConversationEvent, 'conversation'>[]
}

const BEGINNINGS: ReadonlySet<StoredKind> = new Set([
  'new-conversation',
  'conversation',
  'unanswered',
])

/** `overdueAt`: a conversation that began until then should have its transcript. */
export function completenessOf(
  events: Iterable<ConversationEvent>,
  overdueAt: number,
): Completeness {
  const begun = new Map<string, ConversationEvent>()
  const transcripts = new Set<string>()
  const days = new Map<number, CompletenessDay>()
  const dayOf = ({ receivedAt }: ConversationEvent): CompletenessDay => {
    const day = Math.floor(receivedAt / DAY_MS) * DAY_MS
    const known = days.get(day) ?? { day, started: 0, completed: 0, missing: 0, unnamed: 0 }
    days.set(day, known)
    return known
  }
  for (const event of events) {
    const { kind, conversation } = event
    if (conversation === null) {
      if (BEGINNINGS.has(kind)) dayOf(event).unnamed += 1
    } else if (kind === 'transcript') transcripts.add(conversation)
    else if (BEGINNINGS.has(kind)) {
      const known = begun.get(conversation)
      if (!known || event.receivedAt < known.receivedAt) begun.set(conversation, event)
    }
  }
  const missing: Completeness['missing'] = []
  for (const [conversation, event] of begun) {
    const day = dayOf(event)
    day.started += 1
    if (transcripts.has(conversation)) day.completed += 1
    else if (event.receivedAt <= overdueAt) {
      day.missing += 1
      const { id, kind, receivedAt } = event
      missing.push({ id, kind, receivedAt })
    }
  }
  return {
    days: [...days.values()].sort((a, b) => b.day - a.day),
    missing: missing.sort((a, b) => b.receivedAt - a.receivedAt),
  }
}
