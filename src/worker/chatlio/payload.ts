/**
 * The documented body of each Chatlio webhook, as valibot schemas that validate and normalize, made of `fields.ts`.
 * Source: Chatlio's webhook and transcript pages, and the fields that older receivers read (docs/sources.md).
 *
 * Promises: a documented field has its documented type in the output, or is `undefined` (empty strings and nulls);
 * undocumented fields pass through unchanged, whatever their name. What is validated is never changed itself.
 * Never repeats a value in an issue: it may be personal data, so no message is valibot's default.
 * Never reads the clock: `event.ts` normalizes times.
 */
import * as v from 'valibot'
import { isObject, type JsonObject, parseEmbedded } from '../lib/json.ts'
import { addressesOf, composed } from '../lib/spellings.ts'
import { MAX_ISSUES } from '../limits.ts'
import { documentedAt, type Form } from './fields.ts'
import type { Shape } from './kind.ts'

type Entries = Record<string, v.GenericSchema>

/** PHP writes `[]` for an object of nothing. */
function asObject(value: unknown): unknown {
  return Array.isArray(value) && value.length === 0 ? {} : value
}

/** What is documented, then whatever else there is. (`looseObject` takes arrays, and leaves names like `constructor` out.) */
function documented(entries: Entries) {
  const known = v.object(entries, ({ path }) => (path ? 'required, and missing' : ''))
  return v.pipe(
    v.unknown(),
    v.transform(asObject),
    v.custom<JsonObject>(isObject, 'expected an object'),
    v.rawTransform<JsonObject, JsonObject>(({ dataset: { value: came }, addIssue, NEVER }) => {
      const { success, output, issues } = v.safeParse(known, came)
      if (success) return { ...output, ...came, ...output }
      for (const { message, path } of issues) addIssue({ message, path })
      return NEVER
    }),
  )
}

/** A value of this kind, or none: `undefined`, where it is absent, empty or null. */
function optional<Value>(is: (value: unknown) => boolean, expected: string) {
  const isIt = (value: unknown) => value === '' || is(value)
  return v.pipe(
    v.nullish(v.custom<Value>(isIt, `expected ${expected}`)),
    v.transform((value) => (value === '' || value === null ? undefined : value)),
  )
}

const isText = (value: unknown) => typeof value === 'string'
const text = optional<string>(isText, 'a string')

/** How each form of `fields.ts` comes in a webhook; two of them never do. */
const FORMS: { readonly [form in Form]?: v.GenericSchema } = {
  text,
  longText: text,
  url: text,
  ip: text,
  dateTime: text,
  // One person is one at AEP, and is found there when they are to be erased.
  email: v.pipe(
    text,
    v.transform((address) => address && (composed(address.trim()) || undefined)),
  ),
  boolean: optional<boolean>((value) => typeof value === 'boolean', 'true or false'),
  texts: optional<unknown[]>(Array.isArray, 'an array'),
  traits: v.pipe(
    optional<unknown>(
      (value) => isText(value) || isObject(asObject(value)),
      'a string or an object',
    ),
    v.transform((value) => asObject(value)),
  ),
}

/** The documented fields of the object at `holder` in a body of this shape. */
function entriesOf(shape: Shape, holder: string): Entries {
  const entries = [...documentedAt(holder, shape)].flatMap(([name, { form }]) => {
    const schema = FORMS[form]
    return schema ? [[name, schema] as const] : []
  })
  return Object.fromEntries(entries)
}

/** Keeps `identTraits` as its documented string, and adds the JSON in it as `identTraitsParsed`. */
function withIdentTraits(visitor: JsonObject): JsonObject {
  const { identTraits: traits } = visitor
  if (traits === undefined) return visitor
  const identTraits = isObject(traits) ? JSON.stringify(traits) : String(traits)
  const parsed = parseEmbedded(identTraits)
  return { ...visitor, identTraits, identTraitsParsed: parsed ?? visitor.identTraitsParsed }
}

function visitorOf(shape: Shape, required: Entries = {}) {
  return v.pipe(
    documented({ ...entriesOf(shape, 'visitor'), ...required }),
    v.transform(withIdentTraits),
  )
}

const NON_EMPTY = 'expected a non-empty string'

/** New conversation, unanswered and feedback share one documented body. */
const conversation = documented({
  // The default makes the issue of a missing visitor name the required field, `visitor.UUID`.
  visitor: v.pipe(
    v.nullish(v.unknown(), {}),
    v.transform((visitor) => (visitor === '' ? {} : visitor)),
    visitorOf('conversation', { UUID: v.pipe(v.string(NON_EMPTY), v.nonEmpty(NON_EMPTY)) }),
  ),
  ...entriesOf('conversation', ''),
})

/** Some senders name the address in `emailPretty` alone. */
function withEmail(message: JsonObject): JsonObject {
  const { email, emailPretty } = message
  if (email !== undefined || typeof emailPretty !== 'string') return message
  const [address, another] = addressesOf(emailPretty, 2)
  return address?.includes('@') && another === undefined ? { ...message, email: address } : message
}

const offlineMessage = v.pipe(
  documented({
    // Older receivers read bodies without one.
    visitor: v.pipe(
      v.nullish(v.unknown()),
      v.transform((visitor) => (visitor === '' || visitor === null ? undefined : visitor)),
      v.optional(visitorOf('offline-message')),
    ),
    ...entriesOf('offline-message', ''),
    message: v.pipe(
      v.string('expected a string, possibly empty'),
      v.transform((message) => message || undefined),
    ),
  }),
  v.transform(withEmail),
)

const message = documented(entriesOf('transcript', 'messages[*]'))

/** Stops after `MAX_ISSUES` issues: one for each element of a hostile array would fill the memory. */
const messages = v.pipe(
  // As Go writes a list of none.
  v.nullable(v.unknown()),
  v.transform((value) => value ?? []),
  v.array(v.unknown(), 'expected an array'),
  v.rawTransform<unknown[], unknown[]>(({ dataset: { value: input }, addIssue, NEVER }) => {
    const read: unknown[] = []
    let broken = 0
    for (const [key, value] of input.entries()) {
      const { success, output, issues } = v.safeParse(message, value)
      if (success) read.push(output)
      for (const { message, path = [] } of issues ?? []) {
        addIssue({
          message,
          path: [{ type: 'array', origin: 'value', input, key, value }, ...path],
        })
        broken += 1
      }
      if (broken >= MAX_ISSUES) break
    }
    return broken > 0 ? NEVER : read
  }),
)

/** `visitorTraits` is documented as an object; older senders post a string, which may contain one as JSON. */
function withTraitsObject(transcript: JsonObject): JsonObject {
  const { visitorTraits } = transcript
  if (typeof visitorTraits !== 'string') return transcript
  const parsed = parseEmbedded(visitorTraits)
  return isObject(parsed)
    ? { ...transcript, visitorTraits: parsed }
    : { ...transcript, visitorTraits: undefined, visitorTraitsText: visitorTraits }
}

const transcript = v.pipe(
  documented({ messages, ...entriesOf('transcript', '') }),
  v.transform(withTraitsObject),
)

export const PAYLOADS: Record<Shape, v.GenericSchema<unknown, JsonObject>> = {
  conversation,
  'offline-message': offlineMessage,
  transcript,
}
