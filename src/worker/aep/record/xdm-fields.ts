/**
 * Which place each field of Chatlio has in XDM: standard paths first, else one of our own field group.
 *
 * Promises: a value has a place only as what the schema demands there (a date-time is RFC 3339, an address is
 * one), and stands there as it is; what has no place is not lost but `unmapped`. Kind-independent: a field that
 * Chatlio documents for one webhook has the same place in every other.
 * Names of our own are camelCase letters and digits, as XDM wants them (FIELDS). They can never be renamed
 * once a schema is saved: add, do not change.
 */
import { readTimestamp, toIso } from '../../chatlio/timestamp.ts'
import { isNonEmptyString } from '../../lib/json.ts'
import { FIELDS, type Form } from '../schema/fields.ts'

/** The place for a value, dotted; below `chatlio` it is ours. `undefined`: not this value. */
type Place = (value: unknown) => string | undefined

/** Where a value of each form fits. No field of XDM is a map of texts. */
const PLACE: Record<Form, (path: string) => Place> = {
  text: (path) => when(isNonEmptyString, path),
  url: (path) => when(isUrl, path),
  dateTime: (path) => when(isDateTime, path),
  texts: (path) => when(isTexts, path),
  textMap: () => () => undefined,
  ip: (path) => (value) => ipAddress(path, value),
}

const PLACES = new Map<string, Place>(FIELDS.map(({ from, to, form }) => [from, PLACE[form](to)]))

export function placeOf(from: string, value: unknown): string | undefined {
  return PLACES.get(from)?.(value)
}

/** Fields of a message, besides its text; they keep their names. */
const MESSAGE_FIELDS = new Map<string, (value: unknown) => boolean>([
  ['ts', isNonEmptyString],
  ['sentAt', isDateTime],
  ['userId', isNonEmptyString],
  ['username', isNonEmptyString],
  ['isVisitorMsg', (value) => typeof value === 'boolean'],
])

export function isMessageField(key: string, value: unknown): boolean {
  return MESSAGE_FIELDS.get(key)?.(value) ?? false
}

function when(holds: (value: unknown) => boolean, path: string): Place {
  return (value) => (holds(value) ? path : undefined)
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isNonEmptyString)
}

/** Only as the normalizer leaves it: then it is not in the future either. */
function isDateTime(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const timestamp = readTimestamp(value)
  return timestamp.state === 'read' && toIso(timestamp.ms) === value
}

/** XDM gives these no format today, but gave the older data type a pattern: an address, without white space. */
const URL_FORM = /^[a-z][a-z\d+.-]*:\/\/[^\s\p{C}]+$/iu

function isUrl(value: unknown): boolean {
  return typeof value === 'string' && URL_FORM.test(value) && URL.canParse(value)
}

const IPV4 = /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/
const IPV6_CHARACTERS = /^[\da-f:.]{2,45}$/i

function ipAddress(path: string, value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  if (IPV4.test(value)) return `${path}.ipV4`
  const isIpv6 = IPV6_CHARACTERS.test(value) && URL.canParse(`http://[${value}]/`)
  return isIpv6 ? `${path}.ipV6` : undefined
}
