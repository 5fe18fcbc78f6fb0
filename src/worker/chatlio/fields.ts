/**
 * The fields of an event, each once: those that Chatlio documents, and those that the relay adds.
 *
 * Made from this list: the wire schemas and the dates that normalizing rewrites (`chatlio/`), what drift compares with, the
 * XDM encoder, the field group and the mapping of a raw dataflow (`aep/`), the samples of `provision` and `docs/samples`,
 * and the table in docs/setup.md. To add a field: a row here, then `npm run test:cli -- test/cli/samples.test.ts -u`.
 * Pure data. A name below `chatlio.` can never be changed once a schema is saved: add, do not rename.
 */
import type { EventKind } from './kind.ts'

/** The three bodies that Chatlio documents: all webhooks but two share one. */
export type Shape = 'conversation' | 'offline-message' | 'transcript'

export const SHAPE_OF: Readonly<Record<EventKind, Shape>> = {
  transcript: 'transcript',
  'offline-message': 'offline-message',
  'new-conversation': 'conversation',
  unanswered: 'conversation',
  feedback: 'conversation',
  conversation: 'conversation',
}

/**
 * What a field holds. `longText`: what a large event is split at. `ip`: `environment.ipV4` or `.ipV6`, by what the value
 * is. `traits`: an object, or the JSON text of one. `texts`: a list. `textMap`: an object of texts.
 */
export type Form =
  | 'text'
  | 'longText'
  | 'email'
  | 'url'
  | 'dateTime'
  | 'ip'
  | 'boolean'
  | 'integer'
  | 'traits'
  | 'texts'
  | 'textMap'

export type Field = {
  /** The dotted path in the webhook, and in a raw record. `[*]`: each item of a list. */
  readonly from: string
  /** The XDM path; `chatlio.` stands for our field group. `null`: nowhere, it travels in `unmapped`. */
  readonly to: string | null
  readonly form: Form
  /** The bodies that document it; empty: the relay adds it. */
  readonly kinds: readonly Shape[]
  readonly title: string
  readonly note: string
  /** An id, a name or a channel: never redacted, whatever it looks like. */
  readonly verbatim: boolean
  /** In the samples; without one, a value of its form. */
  readonly sample: unknown
  /** Which records have it; `both` without a word. */
  readonly in: 'both' | 'raw' | 'xdm'
  /** Of `AEP_SCHEMA_EXTRAS`: sent in xdm only where the schema has it. `null`: the first version of the schema has it. */
  readonly extra: SchemaExtra | null
}

/** What a schema may have beyond the first version of our field group. `contact`: Adobe's Contact Request Details. */
export const SCHEMA_EXTRAS = ['chat', 'contact'] as const
export type SchemaExtra = (typeof SCHEMA_EXTRAS)[number]

type Row = Partial<Field> & Pick<Field, 'title'>

function field(from: string, row: Row): Field {
  const to = `chatlio.${from}`
  const usual = {
    verbatim: false,
    form: 'text',
    kinds: [],
    note: '',
    sample: undefined,
    in: 'both',
    extra: null,
  } as const
  return { from, to, ...usual, ...row }
}

const ALL = ['conversation', 'offline-message', 'transcript'] as const
const CONVERSATION = ['conversation'] as const
const OFFLINE = ['offline-message'] as const
const TRANSCRIPT = ['transcript'] as const
const VISITOR = ['conversation', 'offline-message'] as const
const CHAT = ['conversation', 'transcript'] as const

const AS_ENTERED = 'as entered'
const NO_IDENTITY = 'never an identity'

/** What the relay adds to every record. `_id`, `timestamp`, `eventType` and identities are XDM's own. */
const ADDED: readonly Field[] = [
  field('receivedAt', {
    form: 'dateTime',
    title: 'Received at',
    note: 'when the relay took the webhook in',
  }),
  field('source', {
    extra: 'chat',
    title: 'Source',
    note: 'the name of the key in the webhook’s URL, which tells widgets apart',
  }),
  field('delaySeconds', {
    form: 'integer',
    extra: 'chat',
    title: 'Delay in seconds',
    note: 'from receipt to sending: a journey can leave events alone that waited in an outage',
  }),
]

const metric = (name: string, title: string, note: string, form: Form = 'integer') =>
  field(`chatMetrics.${name}`, {
    to: `chatlio.metrics.${name}`,
    form,
    extra: 'chat',
    title,
    note: `${note}; only in the first part of a split event`,
  })

/** Numbers of a chat, from a transcript; `answered` from an unanswered message too (`aep/record/metrics.ts`). */
const METRICS: readonly Field[] = [
  metric('durationSeconds', 'Duration in seconds', 'from the start of the conversation to its end'),
  metric('visitorMessages', 'Messages of the visitor', 'how many the visitor wrote'),
  metric('agentMessages', 'Messages of agents', 'how many agents wrote'),
  metric(
    'firstResponseSeconds',
    'First response in seconds',
    'from the visitor’s first message to an agent’s first one after it',
  ),
  metric(
    'longestWaitSeconds',
    'Longest wait in seconds',
    'the longest time that the visitor waited for an agent’s message',
  ),
  metric('answered', 'Answered', 'whether an agent wrote after the visitor', 'boolean'),
  metric('agentCount', 'Agents', 'how many different agents wrote'),
  metric('endedBy', 'Ended by', 'who wrote last, visitor or agent', 'text'),
]

/** Two rows of one place: in order of preference, and no webhook has both. */
const DOCUMENTED: readonly Field[] = [
  field('visitor.UUID', {
    kinds: VISITOR,
    verbatim: true,
    to: 'chatlio.visitor.uuid',
    title: 'Visitor UUID',
    note: 'the primary identity',
    sample: '00000000-0000-4000-8000-000000000000',
  }),
  field('visitor.email', {
    kinds: VISITOR,
    form: 'email',
    title: 'Email',
    note: 'trimmed, in lower case',
  }),
  field('visitor.name', { kinds: VISITOR, verbatim: true, title: 'Name' }),
  field('visitor.identUserId', {
    kinds: VISITOR,
    verbatim: true,
    title: 'User id',
    note: 'set by the page through Chatlio’s identify call',
  }),
  field('visitor.identTraits', {
    kinds: VISITOR,
    form: 'traits',
    title: 'Traits',
    note: 'JSON text, set by the page through Chatlio’s identify call',
    sample: '{"plan":"gold"}',
  }),
  field('visitor.handle', { kinds: VISITOR, verbatim: true, title: 'Handle' }),
  field('visitor.createdAt', {
    kinds: VISITOR,
    form: 'dateTime',
    title: 'Created at',
    note: 'when Chatlio first saw the visitor, never the time of the event',
  }),
  field('visitor.location', {
    kinds: VISITOR,
    title: 'Location',
    note: 'city, region, country, any of them missing',
    sample: 'Utrecht, Utrecht, Netherlands',
  }),
  field('visitor.userAgent', {
    kinds: VISITOR,
    to: 'environment.browserDetails.userAgent',
    title: 'User agent',
  }),
  field('visitor.currentPage', {
    kinds: VISITOR,
    form: 'url',
    to: 'web.webPageDetails.URL',
    title: 'Page',
  }),
  field('visitor.referrerURL', {
    kinds: VISITOR,
    form: 'url',
    to: 'web.webReferrer.URL',
    title: 'Referrer',
  }),
  field('visitor.IPAddress', {
    kinds: VISITOR,
    form: 'ip',
    to: 'environment',
    title: 'IP address',
  }),
  field('conversationUUID', {
    kinds: CHAT,
    verbatim: true,
    to: 'chatlio.conversationUuid',
    title: 'Conversation UUID',
  }),
  field('channelId', { kinds: CHAT, verbatim: true, title: 'Channel id' }),
  field('channelName', { kinds: TRANSCRIPT, verbatim: true, title: 'Channel name' }),
  field('slackChannelId', { kinds: CONVERSATION, verbatim: true, title: 'Slack channel id' }),
  field('slackChannelName', { kinds: CONVERSATION, verbatim: true, title: 'Slack channel name' }),
  field('slackTeamID', {
    kinds: TRANSCRIPT,
    verbatim: true,
    to: 'chatlio.slackTeamId',
    title: 'Slack team id',
  }),
  field('name', { kinds: OFFLINE, verbatim: true, title: 'Name as entered', note: AS_ENTERED }),
  field('email', {
    kinds: OFFLINE,
    form: 'email',
    title: 'Email as entered',
    note: 'as entered, trimmed, in lower case',
  }),
  field('emailPretty', {
    kinds: OFFLINE,
    verbatim: true,
    title: 'Name and email as entered',
    note: AS_ENTERED,
    sample: '"Test visitor" <visitor@example.com>',
  }),
  field('subject', { kinds: OFFLINE, title: 'Subject' }),
  field('visitorEmail', {
    kinds: TRANSCRIPT,
    form: 'email',
    to: 'chatlio.visitor.email',
    title: 'Email',
  }),
  field('visitorName', {
    kinds: TRANSCRIPT,
    verbatim: true,
    to: 'chatlio.visitor.name',
    title: 'Name',
  }),
  field('replyToEmail', {
    kinds: TRANSCRIPT,
    form: 'email',
    title: 'Reply-to email',
    note: `can be a fallback address: ${NO_IDENTITY}`,
    sample: 'reply@example.com',
  }),
  field('agentEmail', {
    kinds: TRANSCRIPT,
    form: 'email',
    to: 'chatlio.agent.email',
    title: 'Email',
    note: NO_IDENTITY,
    sample: 'agent@example.com',
  }),
  field('agentName', {
    kinds: TRANSCRIPT,
    verbatim: true,
    to: 'chatlio.agent.name',
    title: 'Name',
  }),
  field('archiveUrl', {
    kinds: TRANSCRIPT,
    title: 'Archive URL',
    note: 'where Slack shows it',
    sample: 'https://example.slack.com/archives/test',
  }),
  field('startedAt', { kinds: TRANSCRIPT, form: 'dateTime', title: 'Conversation started at' }),
  field('endedAt', {
    kinds: TRANSCRIPT,
    form: 'dateTime',
    title: 'Conversation ended at',
    sample: '2026-11-02T09:10:00.000Z',
  }),
  field('extraData', {
    kinds: TRANSCRIPT,
    form: 'texts',
    title: 'Extra data',
    sample: ['one', 'two'],
  }),
  field('visitorTraits', {
    kinds: TRANSCRIPT,
    form: 'traits',
    to: null,
    title: 'Visitor traits',
    sample: { plan: 'gold' },
  }),
  field('message', {
    kinds: VISITOR,
    form: 'longText',
    title: 'Message',
    note: 'what the visitor wrote; of a split event a piece, to be put together in the order of the parts',
  }),
  field('textBody', {
    kinds: TRANSCRIPT,
    form: 'longText',
    title: 'Transcript as text',
    note: 'repeats the messages: leave it out to stay under Profile’s 10 KB',
  }),
  field('htmlBody', {
    kinds: TRANSCRIPT,
    form: 'longText',
    title: 'Transcript as HTML',
    note: 'the same as textBody',
  }),
]

/** What stands in each message of a transcript. */
const OF_MESSAGES: readonly Field[] = [
  field('messages[*].text', { kinds: TRANSCRIPT, title: 'Text' }),
  field('messages[*].ts', {
    kinds: TRANSCRIPT,
    verbatim: true,
    title: 'Slack timestamp',
    note: 'seconds and a sequence number',
    sample: '1762074000.000001',
  }),
  field('messages[*].sentAt', { kinds: TRANSCRIPT, form: 'dateTime', title: 'Sent at' }),
  field('messages[*].userId', {
    kinds: TRANSCRIPT,
    verbatim: true,
    title: 'Slack user id',
    note: 'of an agent',
    sample: 'U1',
  }),
  field('messages[*].username', { kinds: TRANSCRIPT, verbatim: true, title: 'User name' }),
  field('messages[*].isVisitorMsg', {
    kinds: TRANSCRIPT,
    form: 'boolean',
    title: 'Written by the visitor',
  }),
]

const SPLIT = 'of an event too large to be sent in one piece'

/** What the relay derives. */
const DERIVED: readonly Field[] = [
  field('visitorTraitsFlat', {
    form: 'textMap',
    to: 'chatlio.visitorTraits',
    in: 'raw',
    title: 'Visitor traits',
    note: 'transcript: its traits, objects and lists as JSON text. In xdm they are in unmapped',
  }),
  field('visitorTraits', {
    form: 'textMap',
    in: 'raw',
    title: 'Visitor traits',
  }),
  field('visitorTraitsText', {
    in: 'raw',
    title: 'Visitor traits as text',
    note: 'transcript: traits that are no JSON object',
  }),
  field('messages[*].index', {
    form: 'integer',
    title: 'Position in the transcript',
    note: 'from 0; in a raw record only of a transcript that was split',
  }),
  field('messageCount', {
    form: 'integer',
    in: 'xdm',
    title: 'Number of messages',
    note: 'of the whole transcript, also in each part of a split event',
  }),
  field('unmapped', {
    title: 'Unmapped',
    note: 'JSON text: what has no field of its own, by its path in the webhook; of a split event a piece',
  }),
  field('part.index', {
    form: 'integer',
    title: 'Position among the parts',
    note: `from 0; ${SPLIT}`,
  }),
  field('part.count', { form: 'integer', title: 'Number of parts', note: SPLIT }),
  field('part.of', {
    title: 'Event id',
    note: `the _id that the event has in one piece; ${SPLIT}`,
  }),
  field('part.dropped', {
    form: 'texts',
    title: 'Dropped',
    note: `what was left out since the messages say the same; ${SPLIT}`,
  }),
]

export const FIELDS: readonly Field[] = [
  ...ADDED,
  ...DOCUMENTED,
  ...OF_MESSAGES,
  ...METRICS,
  ...DERIVED,
]

/** The long texts, in the order in which the parts of a split event hold them. */
export const LONG_TEXTS = FIELDS.filter(({ form }) => form === 'longText').map(({ from }) => from)

/** What one body documents. */
export function documentedIn(shape: Shape): readonly Field[] {
  return FIELDS.filter(({ kinds }) => kinds.includes(shape))
}

/** The path of the object that holds a field (empty: the body itself), and its name there. */
export function placeIn({ from }: Pick<Field, 'from'>): { holder: string; name: string } {
  const dot = from.lastIndexOf('.')
  return { holder: from.slice(0, Math.max(dot, 0)), name: from.slice(dot + 1) }
}

/** Who sends a field, in words. */
export function sentBy({ kinds }: Field): string {
  if (kinds.length === ALL.length) return 'all'
  return kinds.map((kind) => SHAPE_NAMES[kind]).join(', ')
}

const SHAPE_NAMES: Record<Shape, string> = {
  conversation: 'conversations',
  'offline-message': 'offline message',
  transcript: 'transcript',
}

const SAMPLES: { readonly [form in Form]?: unknown } = {
  email: 'visitor@example.com',
  url: 'https://shop.example.com/orders',
  dateTime: '2026-11-02T09:00:00.000Z',
  ip: '203.0.113.21',
  boolean: true,
}

/** A body with every field that its shape documents. The person in it does not exist. */
export function samplePayload(shape: Shape): Record<string, unknown> {
  const payload: Record<string, unknown> = {}
  for (const each of documentedIn(shape)) {
    const { holder, name } = placeIn(each)
    const value = each.sample ?? SAMPLES[each.form] ?? each.title
    if (holder === '') payload[name] = value
    else if (holder === 'messages[*]')
      payload.messages = [{ ...firstOf(payload.messages), [name]: value }]
    else payload[holder] = { ...(payload[holder] as object | undefined), [name]: value }
  }
  return payload
}

function firstOf(list: unknown): object {
  return Array.isArray(list) ? (list[0] as object) : {}
}
