/**
 * What Chatlio posts: the documented shape of each webhook, as valibot schemas that also normalize.
 * Source: Chatlio's public webhook and transcript pages, and what older receivers are seen to read.
 *
 * Promises: a documented field has its documented type on the way out, or is absent (empty strings and nulls
 * are dropped); emails are trimmed and lower-cased; a field nobody documented passes through as it came.
 * Messages of issues are our own words: valibot's default ones repeat the value, which may be personal data.
 * Never looks at the clock: timestamps are dealt with in `event.ts`.
 */
import * as v from 'valibot'
import { MAX_ISSUES } from '../limits.ts'
import { isObject, type JsonObject, parseEmbedded } from './json.ts'

/** An empty string counts as absent, and so does null: `JSON.stringify` leaves out what is undefined. */
const absentIfEmpty = v.transform((value: unknown) =>
  value === '' || value === null ? undefined : value,
)

function optional<const Schema extends v.GenericSchema>(schema: Schema) {
  return v.optional(v.pipe(v.unknown(), absentIfEmpty, v.optional(schema)))
}

/** The same as `optional`, in fewer steps: nearly every field is one. */
const text = v.pipe(
  v.nullish(v.string('expected a string')),
  v.transform((value) => value || undefined),
)

const email = v.pipe(
  text,
  v.transform((value) => value?.trim().toLowerCase() || undefined),
)

const REQUIRED = 'expected a non-empty string'
const requiredText = v.pipe(v.string(REQUIRED), v.nonEmpty(REQUIRED))

/** An object with the documented entries and any others; `v.looseObject` alone takes an array for one. */
function object<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(
    v.custom<JsonObject>(isObject, 'expected an object'),
    v.looseObject(entries, ({ path }) => (path ? 'required, and missing' : 'expected an object')),
  )
}

type Traits = string | JsonObject | undefined
const traits = v.custom<string | JsonObject>(
  (value) => typeof value === 'string' || isObject(value),
  'expected a string or an object',
)

const visitorEntries = {
  UUID: text,
  email,
  name: text,
  identUserId: text,
  identTraits: optional(traits),
  userAgent: text,
  handle: text,
  currentPage: text,
  referrerURL: text,
  createdAt: text,
  IPAddress: text,
  location: text,
}

/** `identTraits` stays the string it is documented as; what it parses to stands beside it. */
function withIdentTraits<Visitor extends { identTraits?: Traits; identTraitsParsed?: unknown }>(
  visitor: Visitor,
) {
  const { identTraits: traits } = visitor
  const identTraits = isObject(traits) ? JSON.stringify(traits) : traits || undefined
  const parsed = identTraits === undefined ? undefined : parseEmbedded(identTraits)
  return { ...visitor, identTraits, identTraitsParsed: parsed ?? visitor.identTraitsParsed }
}

const visitor = v.pipe(object(visitorEntries), v.transform(withIdentTraits))
const identifiedVisitor = v.pipe(
  object({ ...visitorEntries, UUID: requiredText }),
  v.transform(withIdentTraits),
)

/** New conversation, unanswered and feedback: one documented body for the three. */
export const ConversationSchema = object({
  // The default makes a missing visitor say what is really required: `visitor.UUID`.
  visitor: v.pipe(
    v.optional(v.unknown(), {}),
    absentIfEmpty,
    v.transform((value) => value ?? {}),
    identifiedVisitor,
  ),
  message: text,
  conversationUUID: text,
  channelId: text,
  slackChannelName: text,
  slackChannelId: text,
})

/** An older receiver also reads `subject`, and gets no `visitor` at all. */
export const OfflineMessageSchema = object({
  message: v.pipe(
    v.string('expected a string, possibly empty'),
    v.transform((message) => message || undefined),
  ),
  name: text,
  email,
  emailPretty: text,
  subject: text,
  visitor: optional(visitor),
})

const MessageSchema = object({
  text,
  ts: text,
  sentAt: text,
  userId: text,
  username: text,
  isVisitorMsg: optional(v.boolean('expected true or false')),
})
export type Message = v.InferOutput<typeof MessageSchema>

/** Stops at the first few broken messages: one issue object per element of a hostile array is a lot of memory. */
const messages = v.pipe(
  v.array(v.unknown(), 'expected an array'),
  v.rawTransform<unknown[], Message[]>(({ dataset, addIssue, NEVER }) => {
    const read: Message[] = []
    let broken = 0
    for (const [index, message] of dataset.value.entries()) {
      const result = v.safeParse(MessageSchema, message)
      if (result.success) {
        read.push(result.output)
        continue
      }
      for (const issue of result.issues) {
        const here = {
          type: 'array' as const,
          origin: 'value' as const,
          input: dataset.value,
          key: index,
          value: message,
        }
        addIssue({ message: issue.message, path: [here, ...(issue.path ?? [])] })
      }
      broken += result.issues.length
      if (broken >= MAX_ISSUES) break
    }
    return broken > 0 ? NEVER : read
  }),
)

/** `visitorTraits` is an object; older senders put a string there, which may hold one. */
function withTraitsObject<
  Transcript extends { visitorTraits?: Traits; visitorTraitsText?: unknown },
>(transcript: Transcript) {
  const { visitorTraits: traits } = transcript
  const parsed = typeof traits === 'string' ? parseEmbedded(traits) : traits
  return isObject(parsed)
    ? { ...transcript, visitorTraits: parsed }
    : {
        ...transcript,
        visitorTraits: undefined,
        visitorTraitsText: traits || transcript.visitorTraitsText,
      }
}

export const TranscriptSchema = v.pipe(
  object({
    messages,
    agentEmail: email,
    agentName: text,
    archiveUrl: text,
    extraData: optional(v.array(v.unknown(), 'expected an array')),
    channelId: text,
    channelName: text,
    conversationUUID: text,
    startedAt: text,
    endedAt: text,
    htmlBody: text,
    textBody: text,
    visitorEmail: email,
    replyToEmail: email,
    visitorName: text,
    visitorTraits: optional(traits),
    slackTeamID: text,
  }),
  v.transform(withTraitsObject),
)

export type Conversation = v.InferOutput<typeof ConversationSchema>
export type OfflineMessage = v.InferOutput<typeof OfflineMessageSchema>
export type Transcript = v.InferOutput<typeof TranscriptSchema>
