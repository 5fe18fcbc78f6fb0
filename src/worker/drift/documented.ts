/**
 * The documented fields of each kind and the types they come in, by path (`messages.*.text`). A test holds this against
 * the schemas in `chatlio/payload.ts`. Free-form objects end at their name: what is in them is the customer's own.
 */
import type { EventKind } from '../chatlio/kind.ts'

export type Documented = { readonly [path: string]: string }

const texts = (prefix: string, names: string): Documented =>
  Object.fromEntries(names.split(' ').map((name) => [`${prefix}${name}`, 'string']))

const VISITOR =
  'UUID email name identUserId identTraits userAgent handle currentPage referrerURL createdAt IPAddress location'

const CONVERSATION: Documented = {
  visitor: 'object',
  ...texts('visitor.', VISITOR),
  ...texts('', 'message conversationUUID channelId slackChannelName slackChannelId'),
}

const OFFLINE_MESSAGE: Documented = {
  ...texts('', 'message name email emailPretty subject'),
  visitor: 'object',
  ...texts('visitor.', VISITOR),
}

const TRANSCRIPT: Documented = {
  messages: 'array',
  'messages.*': 'object',
  ...texts('messages.*.', 'text ts sentAt userId username'),
  'messages.*.isVisitorMsg': 'boolean',
  ...texts('', 'agentEmail agentName archiveUrl channelId channelName conversationUUID'),
  ...texts('', 'startedAt endedAt htmlBody textBody visitorEmail replyToEmail visitorName'),
  slackTeamID: 'string',
  extraData: 'array',
  /** Older senders put text there. */
  visitorTraits: 'object or string',
}

export const DOCUMENTED: Record<EventKind, Documented> = {
  transcript: TRANSCRIPT,
  'offline-message': OFFLINE_MESSAGE,
  'new-conversation': CONVERSATION,
  unanswered: CONVERSATION,
  feedback: CONVERSATION,
  conversation: CONVERSATION,
}
