/** The page's names for states, filters, error codes and counts; and bytes as a person may read them. Pure. */
import { figure } from '../../alerts/words.ts'
import type { Answer } from '../api.ts'
import { NO_PATH } from '../input.ts'

export type State = Answer<'events'>['events'][number]['state'] | 'all'

/** As in the API, with a capital letter. */
export const stateName = (state: State) => state.replace(/^./, (letter) => letter.toUpperCase())

/** What lists can be filtered by: what an event of this state is, and what can be done with it. */
export const MEANINGS = {
  all: 'What came, whatever became of it.',
  pending: 'Stored, and sent as soon as AEP takes it.',
  dead: 'Refused by AEP for good. Correct what it refuses (a mapping, a schema), then redrive.',
  quarantined:
    'Not a valid event, and never sent. Redriving validates again, after an upgrade for instance.',
  delivered: 'Accepted by AEP. Those that it refused afterwards are failed, or recovered since.',
} as const

/** What becomes of an event of this state. */
export const NEXT = {
  pending: 'it is sent as soon as AEP takes it.',
  dead: 'nothing, until somebody corrects what AEP refuses (a mapping, a schema) and redrives it.',
  quarantined: 'nothing, until somebody redrives it: then it is validated again.',
} as const

export const CODES: { readonly [code: string]: string } = {
  rejected: 'AEP refused it',
  'unknown-answer': 'AEP’s answer was unclear',
  credentials: 'AEP refused our credentials',
  configuration: 'AEP does not know the address',
  throttled: 'AEP asked us to slow down',
  unavailable: 'AEP failed',
  timeout: 'AEP did not answer in time',
  network: 'AEP could not be reached',
  token: 'No access token',
  internal: 'The relay failed',
  'malformed-json': 'Not JSON in UTF-8',
  'invalid-payload': 'Not of the documented shape',
  'too-many-values': 'Too many values',
  'processing-failed': 'Could not be processed',
  'settings-changed': 'Partly sent, under other settings',
  'unsupported-media-type': 'Not sent as JSON',
}

export const codeWords = (code: string) => CODES[code] ?? code

const FILTERS: { readonly [name: string]: string } = {
  code: 'why',
  path: 'place',
  day: 'day (UTC)',
  id: 'id begins with',
}

/** A filter and its value, as in an address or in the operators' log. The state speaks for itself. */
export function filterWords(name: string, value: string): string {
  if (name === 'state') return value
  if (name === 'ids') return `${value} by id`
  if (name === 'day' && value.includes('T')) return `hour (UTC): ${value.replace('T', ' ')}:00`
  const isNone = name === 'path' && (value === NO_PATH || value === '')
  const words = isNone ? 'none known' : name === 'code' ? codeWords(value) : value
  return `${FILTERS[name] ?? name}: ${words}`
}

/** What AEP objects to, by the codes of its validation that are known. */
const OBJECTIONS: { readonly [code: string]: string } = {
  'DCVS-1104-400': 'type',
  'DCVS-1105-400': 'format',
  'DCVS-1106-400': 'a value that is not in the list',
  'DCVS-1111-400': 'missing',
}

/** `/timestamp, format (DCVS-1105-400)`. */
export function objection(code = '', pointer = ''): string {
  const words = OBJECTIONS[code]
  const what = words === undefined ? code : `${words} (${code})`
  return pointer === '' ? what : `${pointer}, ${what}`
}

/** `240 ms`, `12 s`, `4 min`, `3 h`. */
export function howLong(ms: number): string {
  if (ms < 1_000) return `${ms} ms`
  if (ms < 90_000) return `${Math.round(ms / 1_000)} s`
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`
}

const words = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** `transcript 300, feedback 44`; the name of a field is split into its words. */
export function list(counts: Readonly<Partial<Record<string, number>>>): string {
  return Object.entries(counts)
    .map(([name, count = 0]) => `${words(name)} ${figure(count)}`)
    .join(', ')
}

/** Controls and directions: what a browser would swallow, or what reorders other characters. */
const HIDDEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Each character as it stands, but for those, which are shown as symbols or escapes. `null`: the bytes are not UTF-8. */
export function readable(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return text.replace(HIDDEN, symbol)
  } catch {
    return null
  }
}

/** Symbols for control characters have their own block, in the same order. */
function symbol(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : `\\u{${code.toString(16)}}`
}
