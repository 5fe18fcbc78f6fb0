/**
 * The kinds of chat event: one for each webhook field in Chatlio's widget settings (tab Behavior), with its name in
 * Adobe Experience Platform.
 *
 * Promises: the kind in a URL is final. A kind inferred from the body never guesses between the three webhooks that
 * Chatlio documents with the same body: those become `conversation`.
 */

/** The last segment of `POST /chatlio/{kind}`. */
export const ROUTE_KINDS = [
  'transcript',
  'offline-message',
  'new-conversation',
  'unanswered',
  'feedback',
] as const
export type RouteKind = (typeof ROUTE_KINDS)[number]

/** The URL that received the event: one of the five, or the single URL for all kinds (`auto`). */
export type Route = RouteKind | 'auto'

/** By what follows `/chatlio/` in the path. */
export const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['', 'auto'],
  ...ROUTE_KINDS.map((kind) => [kind, kind] as const),
])

/** `conversation`: received on the single URL, and one of the three webhooks that share a body. */
export type EventKind = RouteKind | 'conversation'

/** The kind of a stored event. `auto`: received on the single URL, and its body matches no kind. */
export type StoredKind = EventKind | 'auto'
export const STORED_KINDS = [...ROUTE_KINDS, 'conversation', 'auto'] as const

/** The three bodies that Chatlio documents: all webhooks but two share one. */
export type Shape = 'conversation' | 'offline-message' | 'transcript'

/**
 * `eventType` in AEP: XDM's list is open, "you can also use your own" (EE). `producedBy`, of what XDM suggests (EE): the
 * visitor acted (`self`), or Chatlio did, which reported an unanswered conversation or exported a transcript (`system`).
 */
function kind(shape: Shape, eventType: string, producedBy: 'self' | 'system') {
  return { shape, eventType, producedBy }
}

export const KINDS = {
  transcript: kind('transcript', 'chatlio.transcript', 'system'),
  'offline-message': kind('offline-message', 'chatlio.offlineMessage', 'self'),
  'new-conversation': kind('conversation', 'chatlio.newConversation', 'self'),
  unanswered: kind('conversation', 'chatlio.unanswered', 'system'),
  feedback: kind('conversation', 'chatlio.feedback', 'self'),
  conversation: kind('conversation', 'chatlio.conversation', 'self'),
} satisfies Record<EventKind, object>

const has = Object.hasOwn

/**
 * Infers the kind from the fields present. A transcript has `messages`; an offline message has `emailPretty`, or
 * `message` together with `name`, `email` or `subject`; any other body with `visitor` or `message` is a conversation.
 * `auto` if it has none of these.
 */
export function inferKind(payload: object): StoredKind {
  if (has(payload, 'messages')) return 'transcript'
  if (has(payload, 'emailPretty')) return 'offline-message'
  if (has(payload, 'message')) {
    const signed = ['name', 'email', 'subject'].some((field) => has(payload, field))
    return signed ? 'offline-message' : 'conversation'
  }
  return has(payload, 'visitor') ? 'conversation' : 'auto'
}
