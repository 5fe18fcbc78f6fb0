/**
 * An operator's parameters, checked with valibot. A value that is not understood is an error that names it: a typing
 * error in `dryRun` must not redrive.
 */
import * as v from 'valibot'
import { STORED_KINDS } from '../chatlio/kind.ts'
import { DRIFT_CHANGES } from '../drift/drift.ts'
import { EVENT_STATES } from '../outbox/state.ts'
import { CursorSchema } from './cursor.ts'

const oneOf = <const Names extends readonly string[]>(names: Names) =>
  v.picklist(names, `expected one of ${names.join(', ')}`)

const LIMIT = 'expected a whole number from 1 to 200'

/** `GET /admin/events`. An empty parameter counts as not given. */
export const ListSchema = v.object({
  state: oneOf(EVENT_STATES),
  kind: v.optional(oneOf(STORED_KINDS)),
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,3}$/, LIMIT),
      v.transform(Number),
      v.minValue(1, LIMIT),
      v.maxValue(200, LIMIT),
    ),
    '50',
  ),
  cursor: v.optional(CursorSchema),
})

const IDS = 'expected a list of 1 to 1000 event ids'

/** `POST /admin/redrive`. */
export const RedriveSchema = v.strictObject({
  state: oneOf(['dead', 'quarantined'] as const),
  ids: v.optional(
    v.pipe(v.array(v.string(IDS), IDS), v.minLength(1, IDS), v.maxLength(1_000, IDS)),
  ),
  kind: v.optional(oneOf(STORED_KINDS)),
  dryRun: v.optional(v.boolean('expected true or false'), false),
})

/** `POST /admin/drift/accept`. */
export const AcceptDriftSchema = v.strictObject({
  kind: oneOf(STORED_KINDS),
  path: v.pipe(
    v.string('expected a path as listed'),
    v.maxLength(1_000, 'expected a path as listed'),
  ),
  change: oneOf(DRIFT_CHANGES),
})

/** The place and what is expected there; never the value. */
export function explain(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? 'body'
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return `${path}: not a parameter of this route`
  }
  const expected = issue.received === 'undefined' ? 'required' : issue.message
  return issue.type === 'strict_object' && path === 'body'
    ? 'body: expected a JSON object'
    : `${path}: ${expected}`
}
