/**
 * The kinds of chat event: which webhook field of Chatlio's widget settings (tab Behavior) an event came
 * through, and what it is called in Adobe Experience Platform.
 *
 * Promises: a kind told from the route is taken as it is; a kind told from the shape is never a guess
 * between the three webhooks that Chatlio documents with one same body: those become `conversation`.
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

/** How an event came in: by one of the five URLs, or by the one URL for everything. */
export type Route = RouteKind | 'auto'

/** What an event is. `conversation`: came by the one URL, and is one of three that share a body. */
export type EventKind = RouteKind | 'conversation'

/** What a stored event is known as: `auto` where the one URL took something whose kind could not be told. */
export type StoredKind = EventKind | 'auto'
export const STORED_KINDS = [...ROUTE_KINDS, 'conversation', 'auto'] as const

/** `eventType` in AEP. XDM's list of event types is open: "you can also use your own" (EE). */
export const EVENT_TYPES: Record<EventKind, string> = {
  transcript: 'chatlio.transcript',
  'offline-message': 'chatlio.offlineMessage',
  'new-conversation': 'chatlio.newConversation',
  unanswered: 'chatlio.unanswered',
  feedback: 'chatlio.feedback',
  conversation: 'chatlio.conversation',
}

export function isRouteKind(text: string): text is RouteKind {
  return (ROUTE_KINDS as readonly string[]).includes(text)
}

const has = Object.hasOwn

/**
 * Tells the kind from the shape. A transcript has `messages`; an offline message has `emailPretty`, or `name`,
 * `email` or `subject` beside `message`; what else has a `visitor` or a `message` is a conversation.
 * `auto`: nothing documented is in it, so it cannot be told.
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
