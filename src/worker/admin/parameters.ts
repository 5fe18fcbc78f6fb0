/**
 * An operator's parameters, checked with valibot.
 *
 * Promises: anything that is not understood is refused with its name: a typing error in `dryRun` must not redrive, and
 * one in `kind` must not list everything. Only the first fault is named, so hostile input costs neither time nor memory.
 */
import * as v from 'valibot'
import { STORED_KINDS } from '../chatlio/kind.ts'
import { DRIFT_CHANGES } from '../drift/drift.ts'
import { isObject, type JsonObject } from '../lib/json.ts'
import { MAX_PARAMETER_CHARACTERS } from '../limits.ts'
import { EVENT_STATES } from '../outbox/state.ts'
import { CursorSchema } from './cursor.ts'

/** How a query names events without a path, since an empty parameter counts as not given. */
export const NO_PATH = '-'

const oneOf = <const Names extends readonly string[]>(names: Names) =>
  v.picklist(names, `expected one of ${names.join(', ')}`)

/** A `lastError.code`. Any word will do: a code that no event has matches none. */
const code = v.pipe(
  v.string('expected an error code'),
  v.regex(/^[a-z-]{1,40}$/, 'expected an error code, such as rejected'),
)

/** As listed; `-` for events that have none. */
const path = v.pipe(
  v.string('expected a path as listed'),
  v.maxLength(1_000, 'expected a path as listed'),
)
const pathOrNone = v.pipe(
  path,
  v.transform((text) => (text === NO_PATH ? null : text)),
)

const DAY = 'expected a day, YYYY-MM-DD'
export const day = v.pipe(
  v.string(DAY),
  v.regex(/^\d{4}-\d{2}-\d{2}$/, DAY),
  v.check((value) => {
    const ms = Date.parse(value)
    return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(value)
  }, DAY),
)

export const LIMIT = 'expected a whole number from 1 to 200'

/** `limit` in a query. */
export const limitText = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^\d{1,3}$/, LIMIT),
    v.transform(Number),
    v.minValue(1, LIMIT),
    v.maxValue(200, LIMIT),
  ),
  '50',
)

/** `GET /admin/events`. */
export const ListSchema = v.object({
  state: oneOf(EVENT_STATES),
  kind: v.optional(oneOf(STORED_KINDS)),
  code: v.optional(code),
  path: v.optional(pathOrNone),
  day: v.optional(day),
  limit: limitText,
  cursor: v.optional(CursorSchema),
})

const IDS = 'expected a list of 1 to 1000 event ids'

/** `POST /admin/redrive`, `POST /admin/delete`. */
export const MatchingSchema = v.object({
  state: oneOf(['dead', 'quarantined'] as const),
  ids: v.optional(
    v.pipe(v.array(v.string(IDS), IDS), v.minLength(1, IDS), v.maxLength(1_000, IDS)),
  ),
  kind: v.optional(oneOf(STORED_KINDS)),
  code: v.optional(code),
  path: v.optional(v.nullable(pathOrNone)),
  day: v.optional(day),
  dryRun: v.optional(v.boolean('expected true or false'), false),
})

/** `POST /admin/drift/accept`. */
export const AcceptDriftSchema = v.object({
  kind: oneOf(STORED_KINDS),
  path,
  change: oneOf(DRIFT_CHANGES),
})

/** `detail` names the parameter and the expected value, never the value that was given. */
export type Checked<Output> = { ok: true; output: Output } | { ok: false; detail: string }

/** An object schema, alone or followed by checks. */
type ParameterSchema = v.GenericSchema & { entries: v.ObjectEntries }

/** An empty parameter counts as not given; one that is given twice is refused, since only one could be used. */
export function checkQuery<Schema extends ParameterSchema>(
  schema: Schema,
  query: URLSearchParams,
): Checked<v.InferOutput<Schema>> {
  const given = new Map<string, string | undefined>()
  for (const [name, value] of query) {
    if (given.has(name)) return refused(name, 'given more than once')
    given.set(name, value === '' ? undefined : value)
  }
  return check(schema, Object.fromEntries(given))
}

/** `value`: the parsed body; `undefined` if it could not be parsed. */
export function checkBody<Schema extends ParameterSchema>(
  schema: Schema,
  value: unknown,
): Checked<v.InferOutput<Schema>> {
  return isObject(value) ? check(schema, value) : refused('body', 'expected a JSON object')
}

function check<Schema extends ParameterSchema>(
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
