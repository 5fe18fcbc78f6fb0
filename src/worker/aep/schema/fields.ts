/**
 * Where each field of Chatlio's webhooks stands in XDM: the one list from which the XDM encoder and the mapping set of
 * a raw dataflow are both made, so that neither can know a field that the other lacks.
 *
 * Promises: pure data. `from` is the path in the webhook, dotted; `to` is the XDM path, below `chatlio` in our own
 * field group; `form` says which values fit there. Several sources of one place are in order of preference, and no
 * webhook has two of them.
 * Names of our own can never be changed once a schema is saved: add, do not rename.
 */

/** `ip`: `environment.ipV4` or `environment.ipV6`, by what the value is. `textMap`: an object of texts. */
export type Form = 'text' | 'url' | 'dateTime' | 'texts' | 'textMap' | 'ip'

export type FieldPlace = { readonly from: string; readonly to: string; readonly form: Form }

const field = (from: string, to: string, form: Form = 'text'): FieldPlace => ({ from, to, form })

export const FIELDS: readonly FieldPlace[] = [
  field('visitor.UUID', 'chatlio.visitor.uuid'),
  field('visitor.email', 'chatlio.visitor.email'),
  field('visitor.name', 'chatlio.visitor.name'),
  field('visitor.identUserId', 'chatlio.visitor.identUserId'),
  field('visitor.identTraits', 'chatlio.visitor.identTraits'),
  field('visitor.handle', 'chatlio.visitor.handle'),
  field('visitor.createdAt', 'chatlio.visitor.createdAt', 'dateTime'),
  field('visitor.location', 'chatlio.visitor.location'),
  field('visitor.userAgent', 'environment.browserDetails.userAgent'),
  field('visitor.currentPage', 'web.webPageDetails.URL', 'url'),
  field('visitor.referrerURL', 'web.webReferrer.URL', 'url'),
  field('visitor.IPAddress', 'environment', 'ip'),
  field('conversationUUID', 'chatlio.conversationUuid'),
  field('channelId', 'chatlio.channelId'),
  field('channelName', 'chatlio.channelName'),
  field('slackChannelId', 'chatlio.slackChannelId'),
  field('slackChannelName', 'chatlio.slackChannelName'),
  field('slackTeamID', 'chatlio.slackTeamId'),
  field('name', 'chatlio.name'),
  field('email', 'chatlio.email'),
  field('emailPretty', 'chatlio.emailPretty'),
  field('subject', 'chatlio.subject'),
  field('visitorEmail', 'chatlio.visitor.email'),
  field('visitorName', 'chatlio.visitor.name'),
  field('replyToEmail', 'chatlio.replyToEmail'),
  field('agentEmail', 'chatlio.agent.email'),
  field('agentName', 'chatlio.agent.name'),
  field('archiveUrl', 'chatlio.archiveUrl'),
  field('startedAt', 'chatlio.startedAt', 'dateTime'),
  field('endedAt', 'chatlio.endedAt', 'dateTime'),
  field('extraData', 'chatlio.extraData', 'texts'),
]

/**
 * Places that only the mapping of a raw dataflow fills. In XDM these travel in `unmapped`: AEP refuses an event with a
 * field that its schema lacks, and a schema saved earlier lacks them.
 */
export const RAW_FIELDS: readonly FieldPlace[] = [
  field('visitorTraits', 'chatlio.visitorTraits', 'textMap'),
  field('visitorTraitsText', 'chatlio.visitorTraitsText'),
]

/** The long texts: places of their own in the encoder, since they are what a large event is split at. */
export const TEXT_FIELDS = ['message', 'textBody', 'htmlBody'] as const

/** Fields of a transcript's message, under the same names on both sides. */
export const MESSAGE_FIELDS = [
  'index',
  'text',
  'ts',
  'sentAt',
  'userId',
  'username',
  'isVisitorMsg',
] as const

/** Fields of a part of an event that was split. */
export const PART_FIELDS = ['index', 'count', 'of', 'dropped'] as const
