/**
 * A failed row: one line of a file of a failed batch, as the event it was and the reason why AEP did not keep it.
 *
 * Adobe publishes two forms, `{"body","header","_errors"}` with values as JSON text, and the same with objects; errors stand
 * in a list, or in lists by stage. A bare record with its errors, and a line that was cut, are read as far as they go.
 *
 * Promises: never throws. Of AEP's words only a code and a pointer come out, in forms that hold no value: AEP's texts quote
 * what a visitor wrote. `kind` and `source` are what the relay itself wrote into the record, in the form of these or absent.
 */
import { type EventKind, KINDS } from '../chatlio/kind.ts'
import { KEY_NAME } from '../config/webhook-keys.ts'
import { isObject, type JsonObject, jsonIn } from '../lib/json.ts'

export type FailedRow = {
  /** Of an event of this relay, or a part of one; `null` when the row names none. */
  readonly id: string | null
  readonly code: string
  /** Field names, `*` for a position and for what is no name; empty when AEP names no place. */
  readonly pointer: string
  /** `null`: it says none, as an event of `npm run verify` does. */
  readonly kind: EventKind | null
  /** The name of its key; `null`: it has none, or the schema has no field for it. */
  readonly source: string | null
  /** Which kind of record it holds: what the relay sends, or something that it does not. */
  readonly form: 'raw' | 'xdm' | 'mapped' | 'cut' | 'unknown'
}

/** The SHA-256 of an event; a part adds its index. */
const ID = /^[0-9a-f]{64}(?:-(?:r\d{1,3}-)?\d{1,6})?$/
const ID_IN_TEXT = /_id[\\"\s]*:[\\"\s]*([0-9a-f]{64}(?:-(?:r\d{1,3}-)?\d{1,6})?)[\\"]/

const CODE = /^[A-Z0-9][A-Z0-9-]{0,39}$/
const NO_CODE = 'unknown'

/** Empty lines are `null`. */
export function readFailedRow(line: string): FailedRow | null {
  if (line.trim() === '') return null
  const row = jsonIn(line)
  if (!isObject(row)) return cutRow(line, NO_CODE, '')
  const { code, pointer } = firstErrorOf(row)
  const body = fieldOf(row, 'body')
  if (body === undefined && 'body' in row) return cutRow(line, code, pointer)
  const whole = isObject(body) ? body : row
  const { xdmEntity } = whole
  const form = formOf(whole)
  const record = form === 'xdm' && isObject(xdmEntity) ? xdmEntity : whole
  const [kind, source] = [kindOf(record.eventType), sourceOf(record)]
  return { id: idOf(record), code, pointer, kind, source, form }
}

/** Nothing in it can be relied on but the id, which is long enough to be no accident, and a type that is one of ours. */
function cutRow(line: string, code: string, pointer: string): FailedRow {
  const id = ID_IN_TEXT.exec(line)?.[1] ?? null
  const kind = kindOf(TYPE_IN_TEXT.exec(line)?.[1])
  return { id, code, pointer, kind, source: null, form: 'cut' }
}

const TYPE_IN_TEXT = /eventType[\\"\s]*:[\\"\s]*(chatlio\.\w+)[\\"]/

const KIND_OF = new Map<unknown, EventKind>(
  Object.entries(KINDS).map(([kind, { eventType }]) => [eventType, kind as EventKind]),
)
const kindOf = (type: unknown): EventKind | null => KIND_OF.get(type) ?? null

/** At the top of a raw record; in XDM under the tenant's name. */
function sourceOf(record: JsonObject): string | null {
  const own = Object.entries(record).flatMap(([key, value]) =>
    key.startsWith('_') && isObject(value) && isObject(value.chatlio) ? [value.chatlio] : [],
  )
  const found = [record, ...own].map(({ source }) => source).find((one) => typeof one === 'string')
  return typeof found === 'string' && KEY_NAME.test(found) ? found : null
}

function formOf(whole: JsonObject): FailedRow['form'] {
  const { xdmEntity } = whole
  if (isObject(xdmEntity)) return isOurs(xdmEntity) ? 'xdm' : 'unknown'
  // A raw record says when it was received at its top; after the mapping that is under the tenant's name.
  if (isOurs(whole) && typeof whole.receivedAt === 'string') return 'raw'
  const isMapped = Object.entries(whole).some(
    ([key, value]) => key === 'identityMap' || (TENANT.test(key) && isObject(value)),
  )
  return isMapped ? 'mapped' : 'unknown'
}

const TENANT = /^_(?!id$|errors$|validationErrors$)/

function isOurs(record: JsonObject): boolean {
  const { eventType } = record
  return idOf(record) !== null && typeof eventType === 'string' && eventType.startsWith('chatlio.')
}

function idOf({ _id }: JsonObject): string | null {
  return typeof _id === 'string' && ID.test(_id) ? _id : null
}

/** Adobe writes an object either as it is or as JSON text. `undefined`: the row has none, or its text was cut. */
function fieldOf(row: JsonObject, key: string): unknown {
  const value = row[key]
  return typeof value === 'string' ? jsonIn(value) : value
}

/** Of the first error. */
function firstErrorOf(row: JsonObject): Pick<FailedRow, 'code' | 'pointer'> {
  const errors = ['_errors', '_validationErrors'].flatMap((key) => errorsIn(fieldOf(row, key)))
  const code = errors.map((error) => error.code).find((one) => typeof one === 'string')
  const pointer = errors.map(pointerOf).find((one) => one !== '')
  return {
    code: typeof code === 'string' && CODE.test(code) ? code : NO_CODE,
    pointer: pointer ?? '',
  }
}

/** A list, or lists by stage such as `_streamingValidation`. */
function errorsIn(value: unknown): JsonObject[] {
  const lists = isObject(value) ? Object.values(value) : [value]
  return lists.flatMap((list) => (Array.isArray(list) ? list.filter(isObject) : []))
}

/** Given as such, or within the words; of a key that is missing, where it should be. */
function pointerOf(error: JsonObject): string {
  const { pointerToViolation, pointer, path, message } = error
  const words = typeof message === 'string' ? message : ''
  const given = [pointerToViolation, pointer, path].find(
    (text) => typeof text === 'string' && /^#?\//.test(text),
  )
  const found = given ?? /#(\/[^\s:,;()[\]"']+)/.exec(words)?.[1]
  const at = typeof found === 'string' ? found : ''
  const missing = /required key \[([^\]/]{1,40})\] not found/.exec(words)?.[1]
  const isNamed = missing === undefined || at.endsWith(`/${missing}`)
  return at === '' && isNamed ? '' : safePointer(isNamed ? at : `${at}/${missing}`)
}

const NAME = /^_?[A-Za-z][A-Za-z0-9]{0,39}$/
/** Below these the names are a visitor's. */
const FREE = ['visitorTraits', 'identTraitsParsed', 'unmapped']
const MAX_SEGMENTS = 12

function safePointer(text: string): string {
  const segments = text.replace(/^#?\//, '').split('/').slice(0, MAX_SEGMENTS)
  const free = segments.findIndex((segment) => FREE.includes(segment))
  return segments
    .map((segment, index) => (NAME.test(segment) && (free < 0 || index <= free) ? segment : '*'))
    .map((segment) => `/${segment}`)
    .join('')
}
