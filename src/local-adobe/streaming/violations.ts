/**
 * Violations: finds the faults for which AEP accepts an event and drops it later, unseen by the sender. In
 * strict mode such an event is refused at once, in the form of AEP's synchronous validation.
 *
 * Checks the fields that every ExperienceEvent needs; a `validate` function passed in checks the rest of
 * the schema. Messages quote the offending value on purpose, as AEP's do: that is how
 * personal data gets into error texts.
 */

import type { Violation } from '../problem.ts'
import type { Settings } from '../settings.ts'
import type { JsonObject } from './message.ts'

/** RFC 3339 `date-time`, as the XDM field demands: no epoch numbers, no missing offset. */
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i

export function violationsOf(
  record: JsonObject,
  settings: Settings,
  now: number,
  validate: (entity: unknown) => readonly Violation[],
): readonly Violation[] {
  const own = [...eventId(record), ...timestamp(record, now)]
  if (settings.mode === 'raw') return own
  return [...own, ...namespaces(record, settings), ...validate(record)]
}

function eventId({ _id }: JsonObject): Violation[] {
  const at = violation('/_id', _id)
  if (_id === undefined) return [at('required', 'required key [_id] not found')]
  if (typeof _id !== 'string') return [at('type', 'expected type: String')]
  // `_id` is a uri-reference; Adobe spells out what that means: no colon.
  if (_id === '' || /[:\s]/.test(_id)) return [at('format', 'expected format: uri-reference')]
  return []
}

function timestamp({ timestamp }: JsonObject, now: number): Violation[] {
  const at = violation('/timestamp', timestamp)
  if (timestamp === undefined) return [at('required', 'required key [timestamp] not found')]
  if (typeof timestamp !== 'string') return [at('type', 'expected type: String')]
  const time = DATE_TIME.test(timestamp) ? Date.parse(timestamp) : Number.NaN
  if (Number.isNaN(time)) return [at('format', 'expected format: date-time')]
  if (time > now) return [at('format', 'expected a time in the past')]
  return []
}

/** Custom fields live under the organisation's own tenant namespace and nowhere else. */
function namespaces(record: JsonObject, settings: Settings): Violation[] {
  const known = new Set(['_id', `_${settings.tenant}`])
  const strangers = Object.keys(record).filter((key) => key.startsWith('_') && !known.has(key))
  return strangers.map((key) =>
    violation('', key)('additionalProperties', `extraneous key [${key}] is not permitted`),
  )
}

const violation =
  (pointer: string, value: unknown) =>
  (keyword: string, expected: string): Violation => {
    const found = value === undefined ? '' : `, found: [${JSON.stringify(value)}]`
    return { pointer, keyword, message: `${expected}${found}` }
  }
