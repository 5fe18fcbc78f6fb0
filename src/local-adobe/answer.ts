/**
 * Answer: the closed list of things the local Adobe can do with a request.
 * A script is a list of answers; a rule is an answer with conditions. `items` and `miscount`, two forms of
 * a 207, mean `normal` at the token endpoint and at the Platform APIs, and so do `failLater` and `lose`. For a
 * single message `miscount` means `normal` too, and `items` stands for its first status.
 *
 * `recorded: true` lets the request take effect behind an answer that does not show it: the messages are
 * in the lake, or the resource exists, although the caller cannot know. The default is false, the harder
 * case: a relay that takes such an answer for an acceptance has lost an event.
 */
import * as v from 'valibot'

export const DialectSchema = v.picklist(['A', 'B', 'C'])
/** The three shapes of a failed item in a 207 that are known; see `responses.ts`. */
export type Dialect = v.InferOutput<typeof DialectSchema>

const Milliseconds = v.pipe(v.number(), v.minValue(0))
const Status = v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599))
const common = { delayMs: v.optional(Milliseconds), recorded: v.optional(v.boolean()) }

export const AnswerSchema = v.variant('type', [
  /** The documented answer, `delayMs` later if given. */
  v.strictObject({ type: v.literal('normal'), delayMs: v.optional(Milliseconds) }),
  /** A status, for the whole request or, by a rule that names an event, for its item of a batch. */
  v.strictObject({
    type: v.literal('status'),
    status: Status,
    /** A number of seconds, or any text, sent as it is. */
    retryAfter: v.optional(v.union([v.number(), v.string()])),
    /** `date` turns a numeric `retryAfter` into the HTTP-date that many seconds from now. */
    retryAfterForm: v.optional(v.picklist(['seconds', 'date'])),
    /** Of a 3xx; `/moved` by default, where nothing is, so that a followed redirect shows in the log. */
    location: v.optional(v.string()),
    headers: v.optional(v.record(v.string(), v.string())),
    /** Text is sent unchanged, anything else as JSON. By default the body documented for the status. */
    body: v.optional(v.unknown()),
    ...common,
  }),
  /** A 2xx with an unusable body. */
  v.strictObject({
    type: v.literal('garbage'),
    garbage: v.picklist(['empty', 'text', 'html', 'array', 'null', 'truncated']),
    status: v.optional(v.pipe(Status, v.maxValue(299))),
    ...common,
  }),
  /** A 207 with these statuses by position; `null`, or none at that position: what is documented. */
  v.strictObject({
    type: v.literal('items'),
    items: v.array(v.nullable(Status)),
    dialect: v.optional(DialectSchema),
    ...common,
  }),
  /**
   * A 207 with the wrong number of responses: `by` more, or fewer when negative (-1 by default).
   * The missing ones are those of the first messages, so that the rest stand in the wrong places.
   */
  v.strictObject({
    type: v.literal('miscount'),
    by: v.optional(v.pipe(v.number(), v.integer())),
    ...common,
  }),
  /** Never an answer: not even its headers (`start`), or headers and a body that does not end. */
  v.strictObject({
    type: v.literal('stall'),
    where: v.optional(v.picklist(['start', 'body'])),
    ...common,
  }),
  /** The connection is cut, before the headers (`start`) or within the body. */
  v.strictObject({
    type: v.literal('reset'),
    where: v.optional(v.picklist(['start', 'body'])),
    ...common,
  }),
  /** Accepted, and kept out of its dataset: in a failed batch, with this reason. */
  v.strictObject({
    type: v.literal('failLater'),
    code: v.optional(v.pipe(v.string(), v.nonEmpty())),
    pointer: v.optional(v.pipe(v.string(), v.startsWith('/'))),
    message: v.optional(v.string()),
    delayMs: v.optional(Milliseconds),
  }),
  /** Accepted, and gone: in no dataset, no batch, no count. */
  v.strictObject({ type: v.literal('lose'), delayMs: v.optional(Milliseconds) }),
])
export type Answer = v.InferOutput<typeof AnswerSchema>
/** What becomes of an accepted message other than that it lands. */
export type Later = Extract<Answer, { type: 'failLater' | 'lose' }>

/** Answers as documented; what is special comes later, or is a 207's. */
export const AS_DOCUMENTED: readonly Answer['type'][] = [
  'normal',
  'items',
  'miscount',
  'failLater',
  'lose',
]
