/**
 * What an operator sends: the fields that several commands take, and how a query, a JSON body or a form is checked against
 * the schema of its command (`api.ts`).
 *
 * Promises: anything that is not understood is refused with its name: a typing error in `dryRun` must not redrive, and
 * one in `kind` must not list everything. Only the first fault is named, so hostile input costs neither time nor memory.
 */
import * as v from 'valibot'
import { STORED_KINDS } from '../chatlio/kind.ts'
import { JURISDICTIONS } from '../config/config.ts'
import { KEY_NAME } from '../config/webhook-keys.ts'
import { readTextUpTo, readUpTo } from '../lib/bounded.ts'
import { isObject, type JsonObject, parseJson } from '../lib/json.ts'
import { MAX_BODY_BYTES, MAX_FORM_BYTES, MAX_PARAMETER_CHARACTERS } from '../limits.ts'

/** How a query names events without a path, since an empty parameter counts as not given. */
export const NO_PATH = '-'

export const oneOf = <const Names extends readonly string[]>(names: Names) =>
  v.picklist(names, `expected one of ${names.join(', ')}`)

export const kind = oneOf(STORED_KINDS)

const matching = (form: RegExp, expected: string) =>
  v.pipe(v.string(expected), v.regex(form, expected))

/** A `lastError.code`. Any word will do: a code that no event has matches none. */
export const code = matching(/^[a-z-]{1,40}$/, 'expected an error code, such as rejected')

/** The name of a webhook key. */
export const source = matching(KEY_NAME, 'expected the name of a webhook key')

/** Of a filter. */
export const idBeginning = matching(/^[0-9a-f]{1,64}$/, 'expected the beginning of an event id')

/** As listed. */
export const path = v.pipe(
  v.string('expected a path as listed'),
  v.maxLength(1_000, 'expected a path as listed'),
)

/** As listed; `-` for events that have none. */
export const pathOrNone = v.pipe(
  path,
  v.transform((text) => (text === NO_PATH ? null : text)),
)

const DAY = 'expected a day, YYYY-MM-DD'
export const day = dayLike(/^\d{4}-\d{2}-\d{2}$/, DAY)
export const dayOrHour = dayLike(
  /^\d{4}-\d{2}-\d{2}(?:T\d{2})?$/,
  `${DAY}, or an hour of one, YYYY-MM-DDThh`,
)

function dayLike(form: RegExp, expected: string) {
  return v.pipe(
    matching(form, expected),
    v.check((value) => {
      const ms = Date.parse(value.includes('T') ? `${value}:00Z` : value)
      return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(value)
    }, expected),
  )
}

const MOMENT = 'expected a moment such as 2026-11-24T10:00:00Z'
export const moment = v.pipe(
  matching(
    /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2}))?$/,
    MOMENT,
  ),
  v.transform((value) => Date.parse(value.replace(' ', 'T'))),
  v.check((ms) => !Number.isNaN(ms), MOMENT),
)

/** From 1 to `most`, as a query has it. */
const wholeText = (most: number, expected: string) =>
  v.pipe(
    matching(/^\d{1,3}$/, expected),
    v.transform(Number),
    v.minValue(1, expected),
    v.maxValue(most, expected),
  )

const LIMIT = 'expected a whole number from 1 to 200'
const PAGE = '50'

/** Of a query. */
export const limitText = v.optional(wholeText(200, LIMIT), PAGE)

/** Of a body. */
export const limit = v.optional(
  v.pipe(v.number(LIMIT), v.integer(LIMIT), v.minValue(1, LIMIT), v.maxValue(200, LIMIT)),
  Number(PAGE),
)

/**
 * Where the next page of a list begins: after the last event shown. Opaque to the caller. It names a position and not a
 * count, so it stays right while events come and go between two pages.
 */
export const cursor = v.pipe(
  matching(/^[0-9a-z]{1,11}$/, 'expected a cursor of an earlier page'),
  v.transform((text) => Number.parseInt(text, 36)),
)

export const encodeCursor = (position: number): string => position.toString(36)

export const dryRun = v.optional(v.boolean('expected true or false'), false)

/** Of a query. */
export const daysText = (most: number, byDefault: number) =>
  v.optional(
    wholeText(most, `expected a whole number of days from 1 to ${most}`),
    String(byDefault),
  )

const IDS = 'expected a list of 1 to 1000 event ids'
export const ids = v.pipe(v.array(v.string(IDS), IDS), v.minLength(1, IDS), v.maxLength(1_000, IDS))

const RECORDS = 'expected a list of up to 1000 records'
/** As AEP has them. */
export const records = v.pipe(
  v.array(v.record(v.string(), v.unknown(), RECORDS), RECORDS),
  v.maxLength(1_000, RECORDS),
)

/** Of events and parts. */
export const recordIds = v.pipe(v.array(v.string(IDS), IDS), v.maxLength(1_000, IDS))

const TEXT = 'expected a non-empty string of up to 1024 characters'
export const text = v.pipe(v.string(TEXT), v.trim(), v.minLength(1, TEXT), v.maxLength(1_024, TEXT))

/** `OUTBOX_JURISDICTION`; `null`: none. */
export const jurisdiction = v.nullable(v.picklist(JURISDICTIONS, 'expected "eu" or null'))

const PHRASE = 'expected a passphrase of 20 to 1024 characters'
export const passphrase = v.pipe(
  v.string(PHRASE),
  v.minLength(20, PHRASE),
  v.maxLength(1_024, PHRASE),
)

/** As an export gives it. */
export const sealed = matching(/^[\w-]{60,}$/, 'expected what an export has answered')

export const daysUpTo = (most: number) => {
  const days = `expected a number of days from 0 to ${most}`
  return v.pipe(v.number(days), v.minValue(0, days), v.maxValue(most, days))
}

/** As the list of suppressions names it. */
export const suppressionId = matching(/^[0-9a-f]{1,32}$/, 'expected the id of a suppression')

/** An object of which exactly one of these fields is given; the description of the routes says so too. */
export function exactlyOne<const Entries extends v.ObjectEntries>(
  names: readonly (keyof Entries & string)[],
  entries: Entries,
) {
  return v.pipe(
    v.object(entries),
    v.check(
      (given) =>
        names.filter((name) => given[name as keyof typeof given] !== undefined).length === 1,
      `expected exactly one of ${names.join(', ')}`,
    ),
    v.metadata({ oneOf: names.map((name) => ({ required: [name] })) }),
  )
}

/** An object of which all of these fields are given, or none. */
export function allOrNone<const Entries extends v.ObjectEntries>(entries: Entries) {
  const names = Object.keys(entries)
  return v.pipe(
    v.partial(v.object(entries)),
    v.check(
      (given) => [0, names.length].includes(Object.keys(given).length),
      `expected ${names.join(', ')}, or none of them`,
    ),
  )
}

/** An object schema, alone or followed by checks. */
export type InputSchema = v.GenericSchema & { entries: v.ObjectEntries }

/** `detail` names the parameter and the expected value, never the value that was given. */
export type Checked<Output> = { ok: true; output: Output } | { ok: false; detail: string }

/** `value`: the parsed body; `undefined` if it could not be parsed. */
export function checkBody<Schema extends InputSchema>(
  schema: Schema,
  value: unknown,
): Checked<v.InferOutput<Schema>> {
  return isObject(value) ? check(schema, value) : refused('body', 'expected a JSON object')
}

/**
 * An empty parameter counts as not given; one that is given twice is refused, since only one could be used, where the schema
 * takes no list. A list of nothing is refused too: who has ticked nothing does not mean everything.
 */
export function checkQuery<Schema extends InputSchema>(schema: Schema, query: URLSearchParams) {
  return checkTexts(schema, query, false)
}

/**
 * A form has texts only: they become what the schema takes. Empty ones are as if they were not there. `by` and `value` are one
 * field, whose name the sender has chosen.
 */
export function checkForm<Schema extends InputSchema>(schema: Schema, form: URLSearchParams) {
  const named = new URLSearchParams(form)
  named.delete('by')
  named.delete('value')
  if (form.get('by')) named.append(form.get('by') ?? '', form.get('value') ?? '')
  return checkTexts(schema, named, true)
}

function checkTexts<Schema extends InputSchema>(
  schema: Schema,
  texts: URLSearchParams,
  isForm: boolean,
): Checked<v.InferOutput<Schema>> {
  const given = new Map<string, unknown>()
  for (const [name, text] of texts) {
    const type = Object.hasOwn(schema.entries, name) ? typeOf(schema.entries[name]) : 'string'
    if (type === 'array') given.set(name, texts.getAll(name).filter(Boolean))
    else if (isForm && text === '') continue
    else if (given.has(name)) return refused(name, 'given more than once')
    else if (type === 'number') given.set(name, Number(text))
    else given.set(name, type === 'boolean' ? text === '1' : text || undefined)
  }
  return check(schema, Object.fromEntries(given))
}

/** What a field takes, where it may be left out or null too. */
function typeOf(entry: unknown): string {
  const { type, wrapped } = entry as { type: string; wrapped?: unknown }
  return wrapped === undefined ? type : typeOf(wrapped)
}

function check<Schema extends InputSchema>(
  schema: Schema,
  given: JsonObject,
): Checked<v.InferOutput<Schema>> {
  for (const name in given) {
    if (!Object.hasOwn(schema.entries, name)) return refused(name, 'not a parameter of this route')
  }
  const result = v.safeParse(schema, given, { abortEarly: true })
  if (result.success) return { ok: true, output: result.output }
  const [issue] = result.issues
  const expected = issue.received === 'undefined' ? 'required' : issue.message
  return refused(v.getDotPath(issue) ?? 'body', expected)
}

function refused(name: string, reason: string): { ok: false; detail: string } {
  return { ok: false, detail: `${name.slice(0, MAX_PARAMETER_CHARACTERS)}: ${reason}` }
}

/** The JSON body of a request; `undefined` if it is not JSON, or too large. */
export async function readJson(request: Request): Promise<unknown> {
  const { bytes, complete } = await readUpTo(request, MAX_BODY_BYTES)
  const parsed = parseJson(bytes)
  return complete && parsed.ok ? parsed.value : undefined
}

/** A form as the page sends it. What is too long, or sent as anything else, is an empty one. */
export async function readForm(request: Request): Promise<URLSearchParams> {
  const { text, complete } = await readTextUpTo(request, MAX_FORM_BYTES)
  return new URLSearchParams(complete ? text : '')
}
