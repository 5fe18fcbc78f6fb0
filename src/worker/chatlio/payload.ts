/**
 * The documented body of each Chatlio webhook, as valibot schemas that validate and normalize.
 * Source: Chatlio's webhook and transcript pages, and the fields that older receivers read (docs/sources.md).
 *
 * Promises: a documented field has its documented type in the output, or is absent (empty strings and nulls are
 * dropped); emails are trimmed and lower-cased; undocumented fields pass through unchanged.
 * Never repeats a value in an issue: it may be personal data, so no message is valibot's default.
 * Never reads the clock: `event.ts` normalizes timestamps.
 */
import * as v from 'valibot'
import { isObject, type JsonObject, parseEmbedded } from '../lib/json.ts'
import { MAX_ISSUES } from '../limits.ts'

/**
 * An object with the documented entries and any others. Sets documented fields that are empty or null to
 * `undefined`, which `JSON.stringify` leaves out.
 */
function documented<const Entries extends v.ObjectEntries>(entries: Entries) {
  const fields = Object.keys(entries)
  return v.pipe(
    // `looseObject` alone accepts arrays.
    v.custom<JsonObject>(isObject, 'expected an object'),
    v.looseObject(entries, ({ path }) => (path ? 'required, and missing' : 'expected an object')),
    v.transform((found) => withoutEmpty(found, fields)),
  )
}

type WithoutEmpty<Found> = { [Field in keyof Found]: Exclude<Found[Field], null> }

/** Writes in place, because `looseObject` returns a new object. */
function withoutEmpty<Found extends object>(
  found: Found,
  fields: readonly string[],
): WithoutEmpty<Found> {
  const written = found as JsonObject
  for (const field of fields) {
    if (written[field] === '' || written[field] === null) written[field] = undefined
  }
  return written as WithoutEmpty<Found>
}

const text = v.nullish(v.string('expected a string'))

const email = v.pipe(
  text,
  v.transform((value) => value?.trim().toLowerCase()),
)

/** Accepts an empty string for any type; `withoutEmpty` drops it. */
function orEmpty<Value>(is: (value: unknown) => boolean, message: string) {
  return v.nullish(v.custom<Value>((value) => value === '' || is(value), message))
}

const REQUIRED = 'expected a non-empty string'
const requiredText = v.pipe(v.string(REQUIRED), v.nonEmpty(REQUIRED))

type Traits = string | JsonObject | undefined
const traits = orEmpty<string | JsonObject>(
  (value) => typeof value === 'string' || isObject(value),
  'expected a string or an object',
)

const visitorEntries = {
  UUID: text,
  email,
  name: text,
  identUserId: text,
  identTraits: traits,
  userAgent: text,
  handle: text,
  currentPage: text,
  referrerURL: text,
  createdAt: text,
  IPAddress: text,
  location: text,
}

/** Keeps `identTraits` as its documented string, and adds the JSON in it as `identTraitsParsed`. */
function withIdentTraits<Visitor extends { identTraits?: Traits; identTraitsParsed?: unknown }>(
  visitor: Visitor,
) {
  const { identTraits: traits } = visitor
  if (traits === undefined) return visitor
  const identTraits = isObject(traits) ? JSON.stringify(traits) : traits
  const parsed = parseEmbedded(identTraits)
  return { ...visitor, identTraits, identTraitsParsed: parsed ?? visitor.identTraitsParsed }
}

const visitor = v.pipe(documented(visitorEntries), v.transform(withIdentTraits))
const identifiedVisitor = v.pipe(
  documented({ ...visitorEntries, UUID: requiredText }),
  v.transform(withIdentTraits),
)

/** New conversation, unanswered and feedback share one documented body. */
export const ConversationSchema = documented({
  // The default makes the issue of a missing visitor name the required field, `visitor.UUID`.
  visitor: v.pipe(
    v.nullish(v.unknown(), {}),
    v.transform((value) => (value === '' ? {} : value)),
    identifiedVisitor,
  ),
  message: text,
  conversationUUID: text,
  channelId: text,
  slackChannelName: text,
  slackChannelId: text,
})

/** `visitor` is optional and `subject` is added because older receivers read bodies like that. */
export const OfflineMessageSchema = documented({
  message: v.pipe(
    v.string('expected a string, possibly empty'),
    v.transform((message) => message || undefined),
  ),
  name: text,
  email,
  emailPretty: text,
  subject: text,
  visitor: v.pipe(
    v.nullish(v.unknown()),
    v.transform((value) => (value === '' ? undefined : value)),
    v.nullish(visitor),
  ),
})

export const MessageSchema = documented({
  text,
  ts: text,
  sentAt: text,
  userId: text,
  username: text,
  isVisitorMsg: orEmpty<boolean>((value) => typeof value === 'boolean', 'expected true or false'),
})
export type Message = v.InferOutput<typeof MessageSchema>

/** Stops after `MAX_ISSUES` issues: one issue object for each element of a hostile array would fill the memory. */
const messages = v.pipe(
  v.array(v.unknown(), 'expected an array'),
  v.rawTransform<unknown[], Message[]>(({ dataset, addIssue, NEVER }) => {
    const read: Message[] = []
    let broken = 0
    for (let index = 0; index < dataset.value.length && broken < MAX_ISSUES; index += 1) {
      const message = dataset.value[index]
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
    }
    return broken > 0 ? NEVER : read
  }),
)

type TraitsObject = { visitorTraits?: JsonObject | undefined }

/** `visitorTraits` is documented as an object; older senders post a string, which may contain one as JSON. */
function withTraitsObject<
  Transcript extends { visitorTraits?: Traits; visitorTraitsText?: unknown },
>(transcript: Transcript): Transcript & TraitsObject {
  const { visitorTraits: traits } = transcript
  // Narrowing `traits` does not narrow the type of `transcript`.
  if (typeof traits !== 'string') return transcript as Transcript & TraitsObject
  const parsed = parseEmbedded(traits)
  return isObject(parsed)
    ? { ...transcript, visitorTraits: parsed }
    : { ...transcript, visitorTraits: undefined, visitorTraitsText: traits }
}

export const TranscriptSchema = v.pipe(
  documented({
    messages,
    agentEmail: email,
    agentName: text,
    archiveUrl: text,
    extraData: orEmpty<unknown[]>(Array.isArray, 'expected an array'),
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
    visitorTraits: traits,
    slackTeamID: text,
  }),
  v.transform(withTraitsObject),
)

export type Conversation = v.InferOutput<typeof ConversationSchema>
export type OfflineMessage = v.InferOutput<typeof OfflineMessageSchema>
export type Transcript = v.InferOutput<typeof TranscriptSchema>
