/**
 * The fields of an event, each once: those that Chatlio documents, and those that the relay adds.
 *
 * Made from this list: the wire schemas and the dates that normalizing rewrites (`chatlio/`), what drift compares with, the
 * XDM encoder, the field group and the mapping of a raw dataflow (`aep/`), the samples of `provision` and `docs/samples`,
 * and the table in docs/setup.md. To add a field: a row here, then `npm run test:cli -- test/cli/samples.test.ts -u`.
 * Pure data. A name below `chatlio.` can never be changed once a schema is saved: add, do not rename.
 */
import type { Shape } from './kind.ts'

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

/** `mailbox`: a text with an address in it, `"Ada" <ada@example.com>`. */
export type Naming = 'id' | 'email' | 'mailbox'

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
  /** How it names the visitor; `null`: not at all, or it names somebody else. */
  readonly person: Naming | null
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

type Row = Partial<Omit<Field, 'from' | 'title'>>

function field(from: string, title: string, row: Row = {}): Field {
  const usual = { form: 'text', kinds: [], note: '', verbatim: false, person: null } as const
  const sent = { to: `chatlio.${from}`, in: 'both', extra: null } as const
  return { from, title, ...usual, ...sent, sample: undefined, ...row }
}

/** Fields of the bodies of these shapes, by their names in the object at `holder`. */
const fieldsOf =
  (kinds: readonly Shape[], holder = '') =>
  (name: string, title: string, row: Row = {}) =>
    field(holder + name, title, { kinds, ...row })

const conversation = fieldsOf(['conversation'])
const offline = fieldsOf(['offline-message'])
const transcript = fieldsOf(['transcript'])
const chat = fieldsOf(['conversation', 'transcript'])
const visitor = fieldsOf(['conversation', 'offline-message'], 'visitor.')
const message = fieldsOf(['transcript'], 'messages[*].')

const AS_ENTERED = 'as entered'
const NO_IDENTITY = 'never an identity'
const SPLIT = 'of an event too large to be sent in one piece'

/** What the relay adds to every record. `_id`, `timestamp`, `eventType` and identities are XDM's own. */
const ADDED: readonly Field[] = [
  field('receivedAt', 'Received at', {
    form: 'dateTime',
    note: 'when the relay took the webhook in',
  }),
  field('source', 'Source', {
    extra: 'chat',
    note: 'the name of the key in the webhook’s URL, which tells widgets apart',
  }),
  field('delaySeconds', 'Delay in seconds', {
    form: 'integer',
    extra: 'chat',
    note: 'from receipt to sending: a journey can leave events alone that waited in an outage',
  }),
]

/** Two rows of one place: in order of preference, and no webhook has both. */
const DOCUMENTED: readonly Field[] = [
  visitor('UUID', 'Visitor UUID', {
    verbatim: true,
    person: 'id',
    to: 'chatlio.visitor.uuid',
    note: 'the primary identity',
    sample: '00000000-0000-4000-8000-000000000000',
  }),
  visitor('email', 'Email', { form: 'email', person: 'email', note: 'trimmed, in lower case' }),
  visitor('name', 'Name', { verbatim: true }),
  visitor('identUserId', 'User id', {
    verbatim: true,
    note: 'set by the page through Chatlio’s identify call',
  }),
  visitor('identTraits', 'Traits', {
    form: 'traits',
    note: 'JSON text, set by the page through Chatlio’s identify call',
    sample: '{"plan":"gold"}',
  }),
  visitor('handle', 'Handle', { verbatim: true }),
  visitor('createdAt', 'Created at', {
    form: 'dateTime',
    note: 'when Chatlio first saw the visitor, never the time of the event',
  }),
  visitor('location', 'Location', {
    note: 'city, region, country, any of them missing',
    sample: 'Utrecht, Utrecht, Netherlands',
  }),
  visitor('userAgent', 'User agent', { to: 'environment.browserDetails.userAgent' }),
  visitor('currentPage', 'Page', { form: 'url', to: 'web.webPageDetails.URL' }),
  visitor('referrerURL', 'Referrer', { form: 'url', to: 'web.webReferrer.URL' }),
  visitor('IPAddress', 'IP address', { form: 'ip', to: 'environment' }),
  chat('conversationUUID', 'Conversation UUID', { verbatim: true, to: 'chatlio.conversationUuid' }),
  chat('channelId', 'Channel id', { verbatim: true }),
  transcript('channelName', 'Channel name', { verbatim: true }),
  conversation('slackChannelId', 'Slack channel id', { verbatim: true }),
  conversation('slackChannelName', 'Slack channel name', { verbatim: true }),
  transcript('slackTeamID', 'Slack team id', { verbatim: true, to: 'chatlio.slackTeamId' }),
  offline('name', 'Name as entered', { verbatim: true, note: AS_ENTERED }),
  offline('email', 'Email as entered', {
    form: 'email',
    person: 'email',
    note: `${AS_ENTERED}, trimmed, in lower case`,
  }),
  offline('emailPretty', 'Name and email as entered', {
    verbatim: true,
    person: 'mailbox',
    note: AS_ENTERED,
    sample: '"Test visitor" <visitor@example.com>',
  }),
  offline('subject', 'Subject'),
  transcript('visitorEmail', 'Email', {
    form: 'email',
    person: 'email',
    to: 'chatlio.visitor.email',
  }),
  transcript('visitorName', 'Name', { verbatim: true, to: 'chatlio.visitor.name' }),
  transcript('replyToEmail', 'Reply-to email', {
    form: 'email',
    note: `can be a fallback address: ${NO_IDENTITY}`,
    sample: 'reply@example.com',
  }),
  transcript('agentEmail', 'Email', {
    form: 'email',
    to: 'chatlio.agent.email',
    note: NO_IDENTITY,
    sample: 'agent@example.com',
  }),
  transcript('agentName', 'Name', { verbatim: true, to: 'chatlio.agent.name' }),
  transcript('archiveUrl', 'Archive URL', {
    note: 'where Slack shows it',
    sample: 'https://example.slack.com/archives/test',
  }),
  transcript('startedAt', 'Conversation started at', { form: 'dateTime' }),
  transcript('endedAt', 'Conversation ended at', {
    form: 'dateTime',
    sample: '2026-11-02T09:10:00.000Z',
  }),
  transcript('extraData', 'Extra data', { form: 'texts', sample: ['one', 'two'] }),
  transcript('visitorTraits', 'Visitor traits', {
    form: 'traits',
    to: null,
    sample: { plan: 'gold' },
  }),
  field('message', 'Message', {
    kinds: ['conversation', 'offline-message'],
    form: 'longText',
    note: 'what the visitor wrote; of a split event a piece, to be put together in the order of the parts',
  }),
  transcript('textBody', 'Transcript as text', {
    form: 'longText',
    note: 'repeats the messages: leave it out to stay under Profile’s 10 KB',
  }),
  transcript('htmlBody', 'Transcript as HTML', {
    form: 'longText',
    note: 'the same as textBody',
  }),
  message('text', 'Text'),
  message('ts', 'Slack timestamp', {
    verbatim: true,
    note: 'seconds and a sequence number',
    sample: '1762074000.000001',
  }),
  message('sentAt', 'Sent at', { form: 'dateTime' }),
  message('userId', 'Slack user id', { verbatim: true, note: 'of an agent', sample: 'U1' }),
  message('username', 'User name', { verbatim: true }),
  message('isVisitorMsg', 'Written by the visitor', { form: 'boolean' }),
]

const metric = (name: string, title: string, note: string, form: Form = 'integer') =>
  field(`chatMetrics.${name}`, title, {
    to: `chatlio.metrics.${name}`,
    form,
    extra: 'chat',
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

/** What the relay derives. */
const DERIVED: readonly Field[] = [
  field('visitorTraitsFlat', 'Visitor traits', {
    form: 'textMap',
    to: 'chatlio.visitorTraits',
    in: 'raw',
    note: 'transcript: its traits, objects and lists as JSON text. In xdm they are in unmapped',
  }),
  field('visitorTraits', 'Visitor traits', { form: 'textMap', in: 'raw' }),
  field('visitorTraitsText', 'Visitor traits as text', {
    in: 'raw',
    note: 'transcript: traits that are no JSON object',
  }),
  field('messages[*].index', 'Position in the transcript', {
    form: 'integer',
    note: 'from 0; in a raw record only of a transcript that was split',
  }),
  field('messageCount', 'Number of messages', {
    form: 'integer',
    in: 'xdm',
    note: 'of the whole transcript, also in each part of a split event',
  }),
  field('unmapped', 'Unmapped', {
    note: 'JSON text: what has no field of its own, by its path in the webhook; of a split event a piece',
  }),
  field('part.index', 'Position among the parts', { form: 'integer', note: `from 0; ${SPLIT}` }),
  field('part.count', 'Number of parts', { form: 'integer', note: SPLIT }),
  field('part.of', 'Event id', { note: `the _id that the event has in one piece; ${SPLIT}` }),
  field('part.dropped', 'Dropped', {
    form: 'texts',
    note: `what was left out since the messages say the same; ${SPLIT}`,
  }),
]

export const FIELDS: readonly Field[] = [...ADDED, ...DOCUMENTED, ...METRICS, ...DERIVED]

/** The long texts, in the order in which the parts of a split event hold them. */
export const LONG_TEXTS = FIELDS.filter(({ form }) => form === 'longText').map(({ from }) => from)

/** What one body documents. */
export function documentedIn(shape: Shape): readonly Field[] {
  return FIELDS.filter(({ kinds }) => kinds.includes(shape))
}

/** What is documented of the object at `holder`, by name: in the bodies of a shape, or in all. */
export function documentedAt(holder: string, shape?: Shape): Map<string, Field> {
  const fields = FIELDS.filter(({ kinds }) => (shape ? kinds.includes(shape) : kinds.length > 0))
  const placed = fields.map((each) => ({ each, ...placeIn(each) }))
  return new Map(
    placed.filter((place) => place.holder === holder).map(({ name, each }) => [name, each]),
  )
}

/** The path of the object that holds a field (empty: the body itself), and its name there. */
export function placeIn({ from }: Pick<Field, 'from'>): { holder: string; name: string } {
  const dot = from.lastIndexOf('.')
  return { holder: from.slice(0, Math.max(dot, 0)), name: from.slice(dot + 1) }
}

/** The fields that name the visitor, best first. */
export const NAMING = FIELDS.flatMap((field) =>
  field.person === null ? [] : [{ ...field, person: field.person, ...placeIn(field) }],
)

/** Who sends a field, in words. */
export function sentBy({ kinds }: Field): string {
  if (kinds.length === Object.keys(SHAPE_NAMES).length) return 'all'
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
