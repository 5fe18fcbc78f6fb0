/** Parameters of finding, activity, erasing, suppressions and the operators' log, checked with valibot. */
import * as v from 'valibot'
import { DEFAULT_SUPPRESS_DAYS, MAX_SUPPRESS_DAYS } from '../limits.ts'
import { CursorSchema } from './cursor.ts'
import { day, LIMIT, limitText } from './parameters.ts'

const TEXT = 'expected a non-empty string of up to 1024 characters'
const text = v.optional(
  v.pipe(v.string(TEXT), v.trim(), v.minLength(1, TEXT), v.maxLength(1_024, TEXT)),
)

const limitNumber = v.pipe(
  v.number(LIMIT),
  v.integer(LIMIT),
  v.minValue(1, LIMIT),
  v.maxValue(200, LIMIT),
)
const ONE_PERSON = 'expected exactly one of email, visitor'

function givesOne(values: readonly unknown[]): boolean {
  return values.filter((value) => value !== undefined).length === 1
}

/** `POST /admin/find`. */
export const FindSchema = v.pipe(
  v.object({
    id: text,
    conversation: text,
    visitor: text,
    email: text,
    day: v.optional(day),
    limit: v.optional(limitNumber, 50),
    cursor: v.optional(v.nullable(CursorSchema)),
  }),
  v.check(
    ({ id, conversation, visitor, email }) => givesOne([id, conversation, visitor, email]),
    'expected exactly one of id, conversation, visitor, email',
  ),
)

const DAYS = `expected a number of days from 0 to ${MAX_SUPPRESS_DAYS}`

/** `POST /admin/erase`. */
export const EraseSchema = v.pipe(
  v.object({
    email: text,
    visitor: text,
    suppressDays: v.optional(
      v.pipe(v.number(DAYS), v.minValue(0, DAYS), v.maxValue(MAX_SUPPRESS_DAYS, DAYS)),
      DEFAULT_SUPPRESS_DAYS,
    ),
    dryRun: v.optional(v.boolean('expected true or false'), false),
  }),
  v.check(({ email, visitor }) => givesOne([email, visitor]), ONE_PERSON),
)

/** `DELETE /admin/suppressions`. */
export const PersonSchema = v.pipe(
  v.object({ email: text, visitor: text }),
  v.check(({ email, visitor }) => givesOne([email, visitor]), ONE_PERSON),
)

const MOMENT = 'expected a moment such as 2026-11-24T10:00:00Z'
const moment = v.pipe(
  v.string(),
  v.regex(
    /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2}))?$/,
    MOMENT,
  ),
  v.transform((value) => Date.parse(value.replace(' ', 'T'))),
  v.check((ms) => !Number.isNaN(ms), MOMENT),
)

/** `GET /admin/activity`. */
export const ActivitySchema = v.object({
  from: v.optional(moment),
  to: v.optional(moment),
  step: v.optional(
    v.picklist(['minute', 'hour', 'day'], 'expected one of minute, hour, day'),
    'hour',
  ),
})

/** `GET /admin/log`. */
export const LogSchema = v.object({
  limit: limitText,
  cursor: v.optional(CursorSchema),
})
