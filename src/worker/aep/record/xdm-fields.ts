/**
 * Maps each Chatlio field to its XDM path: a standard one if there is one, else one in our field group.
 *
 * Promises: a value is mapped, unchanged, only if it satisfies the schema there (a date-time is RFC 3339, a URL is
 * valid); any other value goes into `unmapped`. Independent of kind: a field has the same path in every webhook.
 * Names in our field group are camelCase letters and digits, as XDM requires (FIELDS). A saved schema cannot rename
 * them: add names, never change one.
 */
import { readTimestamp, toIso } from '../../chatlio/timestamp.ts'
import { isNonEmptyString } from '../../lib/json.ts'
import { FIELDS, type Form } from '../schema/fields.ts'

/** The dotted XDM path for a value; `chatlio.` stands for our field group. `undefined` if the value does not fit. */
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

/** `from`: the dotted payload path. Returns the dotted XDM path; `undefined` sends the value to `unmapped`. */
export function placeOf(from: string, value: unknown): string | undefined {
  return PLACES.get(from)?.(value)
}

/** Fields of a message other than its text. They keep their names in XDM. */
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

/** True only for the normalized form, which is never later than receipt. */
function isDateTime(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const timestamp = readTimestamp(value)
  return timestamp.state === 'read' && toIso(timestamp.ms) === value
}

/** The current XDM data type sets no format, but an older one required a URL pattern without white space. */
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
