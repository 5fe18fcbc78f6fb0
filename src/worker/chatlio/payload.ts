/**
 * The documented body of each Chatlio webhook, as valibot schemas that validate and normalize, made of `fields.ts`.
 * Source: Chatlio's webhook and transcript pages, and the fields that older receivers read (docs/sources.md).
 *
 * Promises: a documented field has its documented type in the output, or is absent (empty strings and nulls are
 * dropped); emails are trimmed, lower-cased and composed, so that a person is one at AEP and found there when they are to be
 * erased; undocumented fields pass through unchanged.
 * Never repeats a value in an issue: it may be personal data, so no message is valibot's default.
 * Never reads the clock: `event.ts` normalizes timestamps.
 */
import * as v from 'valibot'
import { isObject, type JsonObject, parseEmbedded } from '../lib/json.ts'
import { composed } from '../lib/spellings.ts'
import { MAX_ISSUES } from '../limits.ts'
import { documentedIn, type Form, placeIn, type Shape } from './fields.ts'

/**
 * An object with the documented entries and any others. Sets documented fields that are empty or null to
 * `undefined`, which `JSON.stringify` leaves out.
 */
function documented(entries: Record<string, v.GenericSchema>) {
  const fields = Object.keys(entries)
  return v.pipe(
    v.unknown(),
    v.transform(asObject),
    // `looseObject` alone accepts arrays.
    v.custom<JsonObject>(isObject, 'expected an object'),
    v.looseObject(entries, ({ path }) => (path ? 'required, and missing' : 'expected an object')),
    v.transform((found) => withoutEmpty(found, fields)),
  )
}

/** PHP writes `[]` for an object of nothing. */
function asObject(value: unknown): unknown {
  return Array.isArray(value) && value.length === 0 ? {} : value
}

/** Writes in place, because `looseObject` returns a new object. */
function withoutEmpty(found: JsonObject, fields: readonly string[]): JsonObject {
  for (const field of fields)
    if (found[field] === '' || found[field] === null) found[field] = undefined
  return found
}

const text = v.nullish(v.string('expected a string'))

const email = v.pipe(
  text,
  v.transform((value) => value && composed(value.trim())),
)

/** Accepts an empty string for any type; `withoutEmpty` drops it. */
function orEmpty<Value>(is: (value: unknown) => boolean, message: string) {
  return v.nullish(v.custom<Value>((value) => value === '' || is(value), message))
}

const REQUIRED = 'expected a non-empty string'
const requiredText = v.pipe(v.string(REQUIRED), v.nonEmpty(REQUIRED))

const traits = v.pipe(
  orEmpty<unknown>(
    (value) => typeof value === 'string' || isObject(asObject(value)),
    'expected a string or an object',
  ),
  v.transform(asObject),
)

const isTrueOrFalse = (value: unknown) => typeof value === 'boolean'

/** What each form of `fields.ts` looks like in a webhook; `undefined`: it never comes in one. */
const WIRE: Record<Form, v.GenericSchema | undefined> = {
  text,
  longText: text,
  url: text,
  dateTime: text,
  ip: text,
  email,
  traits,
  boolean: orEmpty<boolean>(isTrueOrFalse, 'expected true or false'),
  texts: orEmpty<unknown[]>(Array.isArray, 'expected an array'),
  integer: undefined,
  textMap: undefined,
}

/** The documented fields of the object at `holder` in a body of this shape. */
function entriesOf(shape: Shape, holder: string): Record<string, v.GenericSchema> {
  const entries: Record<string, v.GenericSchema> = {}
  for (const field of documentedIn(shape)) {
    const place = placeIn(field)
    const wire = WIRE[field.form]
    if (place.holder === holder && wire) entries[place.name] = wire
  }
  return entries
}

/** Keeps `identTraits` as its documented string, and adds the JSON in it as `identTraitsParsed`. */
function withIdentTraits(visitor: JsonObject): JsonObject {
  const { identTraits: traits } = visitor
  if (traits === undefined) return visitor
  const identTraits = isObject(traits) ? JSON.stringify(traits) : String(traits)
  const parsed = parseEmbedded(identTraits)
  return { ...visitor, identTraits, identTraitsParsed: parsed ?? visitor.identTraitsParsed }
}

function visitorOf(shape: Shape, required: Record<string, v.GenericSchema> = {}) {
  return v.pipe(
    documented({ ...entriesOf(shape, 'visitor'), ...required }),
    v.transform(withIdentTraits),
  )
}

/** New conversation, unanswered and feedback share one documented body. */
export const ConversationSchema = documented({
  // The default makes the issue of a missing visitor name the required field, `visitor.UUID`.
  visitor: v.pipe(
    v.nullish(v.unknown(), {}),
    v.transform((value) => (value === '' ? {} : value)),
    visitorOf('conversation', { UUID: requiredText }),
  ),
  ...entriesOf('conversation', ''),
})

/** `visitor` is optional and `subject` is added because older receivers read bodies like that. */
export const OfflineMessageSchema = documented({
  visitor: v.pipe(
    v.nullish(v.unknown()),
    v.transform((value) => (value === '' ? undefined : value)),
    v.nullish(visitorOf('offline-message')),
  ),
  ...entriesOf('offline-message', ''),
  message: v.pipe(
    v.string('expected a string, possibly empty'),
    v.transform((message) => message || undefined),
  ),
})

export const MessageSchema = documented(entriesOf('transcript', 'messages[*]'))

/** Stops after `MAX_ISSUES` issues: one issue object for each element of a hostile array would fill the memory. */
const messages = v.pipe(
  // As Go writes a list of none.
  v.nullable(v.unknown()),
  v.transform((value) => value ?? []),
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

/** `visitorTraits` is documented as an object; older senders post a string, which may contain one as JSON. */
function withTraitsObject(transcript: JsonObject): JsonObject {
  const { visitorTraits: traits } = transcript
  if (typeof traits !== 'string') return transcript
  const parsed = parseEmbedded(traits)
  return isObject(parsed)
    ? { ...transcript, visitorTraits: parsed }
    : { ...transcript, visitorTraits: undefined, visitorTraitsText: traits }
}

export const TranscriptSchema = v.pipe(
  documented({ messages, ...entriesOf('transcript', '') }),
  v.transform(withTraitsObject),
)

/** What the relay itself looks at in a normalized body; the rest is there under its documented name. */
export type Visitor = JsonObject & { UUID?: string; email?: string; identTraits?: string }
export type Message = JsonObject & {
  text?: string
  sentAt?: string
  userId?: string
  isVisitorMsg?: boolean
}
export type Conversation = JsonObject & { visitor: Visitor }
export type OfflineMessage = JsonObject & { visitor?: Visitor; email?: string }
export type Transcript = JsonObject & {
  messages: Message[]
  startedAt?: string
  endedAt?: string
  visitorEmail?: string
}
