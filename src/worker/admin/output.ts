/**
 * What operators' commands answer: the values and shapes that several of them share (`api.ts`).
 *
 * Every answer is a function, so that a schema is made only when somebody asks for the description; what it infers is the type
 * that the command's function must return. Data only.
 */
import * as v from 'valibot'
import { ALERT_NAMES } from '../alerts/alerts.ts'
import { STORED_KINDS } from '../chatlio/kind.ts'
import { DRIFT_CHANGES } from '../drift/detector.ts'
import { EVENT_STATES, VIAS } from '../outbox/event.ts'

/** A count, bytes, milliseconds. */
export const whole = v.pipe(v.number(), v.integer(), v.minValue(0))
/** RFC 3339, UTC, with milliseconds. */
export const time = v.pipe(v.string(), v.isoTimestamp())
export const text = v.string()
export const yes = v.boolean()
export const textOrNull = v.nullable(text)
export const timeOrNull = v.nullable(time)
export const wholeOrNull = v.nullable(whole)
export const counts = v.record(text, whole)
export const texts = v.record(text, text)
export const kind = v.picklist(STORED_KINDS)

// One by one: taken out of `v` together, all of valibot would be in the bundle.
export const object = v.strictObject
export const list = v.array
export const oneOf = v.picklist
export const optional = v.optional

/** Fields of one type. */
export const each = <const Names extends readonly string[], Schema extends v.GenericSchema>(
  schema: Schema,
  ...names: Names
) => v.entriesFromList(names, schema)

export const wholes = <const Names extends readonly string[]>(...names: Names) =>
  each(whole, ...names)

/** An object that the description shows once, under this name. */
const named = <Entries extends v.ObjectEntries>(name: string, entries: Entries) =>
  v.pipe(object(entries), v.title(name))

/** The answer of a command. */
export const answer =
  <Entries extends v.ObjectEntries>(name: string, entries: () => Entries) =>
  () =>
    named(name, entries())

export const status = answer('Status', () => ({
  ...wholes('accepted', 'delivered', ...EVENT_STATES, 'erased'),
  erasedBy: object(wholes('expired', 'deleted', 'person')),
  ...wholes('forwarded', 'suppressed', 'unavailable', 'refused', 'uninformed'),
  oldestPendingAt: timeOrNull,
  hold: v.nullable(object({ reason: text, since: time })),
  nextAttemptAt: timeOrNull,
  environment: textOrNull,
  version: object({ ...each(textOrNull, 'id', 'tag'), deployedAt: timeOrNull }),
  destination: v.nullable(
    object({ ...each(text, 'host', 'inlet'), format: oneOf(['raw', 'xdm']), dataset: textOrNull }),
  ),
  recordsPausedUntil: timeOrNull,
  keys: list(object({ fingerprint: text, name: textOrNull, lastUsedAt: timeOrNull })),
}))

const eventFields = () => ({
  id: text,
  kind,
  source: textOrNull,
  attempts: whole,
  receivedAt: time,
  nextAttemptAt: timeOrNull,
  lastError: v.nullable(object({ code: text, status: wholeOrNull, message: text })),
  bytes: whole,
})

/** Of a stored event. */
export const event = () => ({ ...eventFields(), state: oneOf(EVENT_STATES) })

const via = v.nullable(v.picklist(VIAS))

/** Delivered ones have `settledAt` and `via`. `refused`: that AEP did not keep it afterwards, and why. */
const listedFields = () => ({
  ...eventFields(),
  state: oneOf([...EVENT_STATES, 'delivered', 'failed', 'recovered']),
  settledAt: optional(timeOrNull),
  failedAt: optional(time),
  ...each(optional(text), 'code', 'pointer', 'batch'),
  via: optional(via),
})
export const listed = () => named('Event', listedFields())
export const found = () => object({ ...listedFields(), settledAt: timeOrNull, via })

export const page = () => ({ cursor: textOrNull })

/** What came of the webhooks of a day, or of some of them. */
export const outcomes = {
  ...wholes('received', 'inAep', 'refused', 'lost', 'late'),
  slowestMs: wholeOrNull,
}

export const suppression = () => ({ id: text, since: time, until: time })

export const logEntry = () => object({ at: time, by: text, action: text, counts, filter: texts })

export const driftRow = () =>
  named('DriftRow', {
    kind,
    path: text,
    change: oneOf(DRIFT_CHANGES),
    ...each(textOrNull, 'from', 'to'),
    count: whole,
    ...each(time, 'firstAt', 'lastAt'),
    eventId: text,
    sample: textOrNull,
    accepted: yes,
  })

export const alert = () =>
  object({
    name: oneOf(ALERT_NAMES),
    state: oneOf(['ok', 'pending', 'firing']),
    ...each(timeOrNull, 'since', 'lastSentAt'),
    lastError: textOrNull,
  })
