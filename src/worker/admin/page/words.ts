/**
 * The page in words: names for states, filters, error codes and counts; bytes as a person may read them; and what the overview
 * says first: how the relay is, in one sentence by weight, and below it what each part of that means and what to do.
 *
 * Promises: names everything that a person has to do something about, the gravest first; is green only when there is
 * nothing. Pure.
 */
import { ALERTS, type AlertName } from '../../alerts/alerts.ts'
import type { LandedFacts } from '../../alerts/facts.ts'
import {
  adviceFor,
  count,
  EXPIRING_MEANING,
  figure,
  NO_KEY,
  notLanded,
  OUTAGE_ENDS,
  SET_ALERTS,
  STORAGE,
  STORED,
  TURNED_AWAY,
  TURNED_AWAY_ACTION,
} from '../../alerts/words.ts'
import type { Config } from '../../config/config.ts'
import { SECRETS } from '../../config/variables.ts'
import type { HealthReason } from '../../http/health.ts'
import type { StoredError } from '../../outbox/event.ts'
import type { Answer } from '../api.ts'
import { NO_PATH } from '../input.ts'
import { PLACES } from './addresses.ts'

export type State = Answer<'events'>['events'][number]['state'] | 'all'

export const capitalized = (word: string) => word.replace(/^./, (letter) => letter.toUpperCase())

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

export const CODES: Readonly<Record<StoredError['code'], string>> = {
  rejected: 'AEP refused it',
  'too-large': 'Too large for AEP',
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

/** One that an isolate of another version has written stands as it is. */
export const codeWords = (code: string) => (CODES as { [code: string]: string })[code] ?? code

const FILTERS: { readonly [name: string]: string } = {
  code: 'why',
  path: 'place',
  day: 'day (UTC)',
  id: 'id begins with',
}

/** A filter and its value, as in an address or in the operators' log. The state speaks for itself. */
export function filterWords([name, value]: readonly [string, string]): string {
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

/** `transcript 300, feedback 44`; the name of a field is split into its words. */
export function list(counts: Readonly<Partial<Record<string, number>>>): string {
  return Object.entries(counts)
    .map(([name, count = 0]) => `${name.replace(/(?=[A-Z])/g, ' ').toLowerCase()} ${figure(count)}`)
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

/** `landed`: what AEP's own counts say; `null`: they are not read. */
export type Situation = {
  status: Pick<
    Answer<'status'>,
    'accepted' | 'forwarded' | 'pending' | 'dead' | 'quarantined' | 'hold' | 'keys'
  >
  config: Pick<Config, 'webhookKeys' | 'problems'> & { alerts: Pick<Config['alerts'], 'webhook'> }
  reasons: readonly HealthReason[]
  alerts: readonly Omit<Answer<'alerts'>['alerts'][number], 'lastSentAt'>[]
  landed: LandedFacts | null
}

/** One part of the sentence. `stops`: nothing is sent. `see`: the page that shows more. */
type Part = {
  tone: 'warn' | 'bad'
  title: string
  meaning?: string
  action?: string
  since?: string | null
  see?: string
  stops?: boolean
}

/** `need`: how many events need a person. */
export function sayHow(situation: Situation) {
  const { pending, dead, quarantined } = situation.status
  const need = dead + quarantined
  const parts = partsOf(situation, need)
  const isBad = parts.some(({ tone }) => tone === 'bad')
  const last = parts.findLastIndex(({ stops }) => stops)
  const words = parts.map(({ title }) => title)
  if (last >= 0 || pending > 0 || parts.length === 0) {
    const waits = pending > 0 ? `${count(pending, 'event')} pending` : 'Nothing is pending'
    const graver = parts.filter(({ tone }) => tone === 'bad').length
    words.splice(last >= 0 ? last + 1 : graver, 0, waits)
  }
  if (last < 0 && !isBad) words.unshift('Relaying')
  const tone = isBad ? 'bad' : parts.length > 0 ? 'warn' : 'ok'
  return { tone, sentence: `${words.join('. ')}.`, need, parts }
}

/** In the order of their weight. */
function partsOf({ status, config, reasons, alerts, landed }: Situation, need: number): Part[] {
  const { hold, accepted, forwarded, keys } = status
  const letsIn = config.webhookKeys.length > 0
  const hasCome = accepted + forwarded > 0 || keys.some(({ lastUsedAt }) => lastUsedAt !== null)
  const alertsGo = config.alerts.webhook !== null
  // What is wrong with the keys stands in the sentence about them, and not again among the settings.
  const ofKeys = config.problems.filter(({ variable }) => !letsIn && variable === 'WEBHOOK_KEYS')
  const problems = config.problems.filter((problem) => !ofKeys.includes(problem))
  const firing = (name: AlertName) =>
    alerts.find((alert) => alert.name === name && alert.state === 'firing')
  const parts: Part[] = []
  const say = (is: unknown, tone: Part['tone'], part: Omit<Part, 'tone'>) => {
    if (is) parts.push({ tone, ...part })
  }
  for (const name of ['lost', 'refused'] as const) {
    const [title, since] = [ALERTS[name].label, firing(name)?.since ?? null]
    say(firing(name), 'bad', { title, since, meaning: TURNED_AWAY, action: TURNED_AWAY_ACTION })
  }
  say(!letsIn, 'bad', {
    ...adviceFor(NO_KEY),
    meaning: ['Webhooks are answered 503.', ...ofKeys.map(expectation)].join(' '),
  })
  say(reasons.includes('storage'), 'bad', STORAGE)
  const lacking = landed && notLanded(landed)
  if (lacking) say(true, 'bad', lacking)
  const { reason, since = null } = hold ?? {}
  if (reason && reason !== 'paused') {
    say(true, 'bad', { ...adviceFor(reason), meaning: STORED, since, stops: true })
  }
  say(!hold && reasons.includes('upstream'), 'warn', {
    title: 'AEP does not take events at the moment',
    meaning: 'Webhooks are still taken and stored; they are sent again, and nothing is lost.',
    action: OUTAGE_ENDS,
    stops: true,
  })
  say(reasons.includes('expiring'), 'bad', {
    title: 'Stored events will be erased soon, for their age',
    meaning: EXPIRING_MEANING,
    action:
      'Redrive what can be sent, end the hold, or raise `RETENTION_DAYS` and run `npm run deploy`.',
  })
  say(need > 0, 'warn', {
    title: `${count(need, 'event')} ${need === 1 ? 'needs' : 'need'} a person`,
    action: 'The causes are below: correct them, then redrive.',
  })
  say(reason === 'paused', 'warn', {
    title: 'Relaying is paused',
    meaning: STORED,
    action: 'Resume when what it was paused for is done.',
    since,
    stops: true,
  })
  const silence = firing('silence')
  say(letsIn && (!hasCome || silence), 'warn', {
    title: hasCome ? ALERTS.silence.label : 'No webhook has come yet',
    action:
      'Paste the five URLs of `npm run deploy` into the Behavior tab of the widget’s settings, if they are not there. A test of each: `npm run verify`.',
    since: silence?.since ?? null,
  })
  const { length } = problems
  say(length > 0, 'warn', {
    title: `${count(length, 'setting')} cannot be used`,
    meaning: problems.map(expectation).join(' '),
    action: correctionOf(problems),
  })
  const unsent = alerts.find(({ lastError }) => lastError !== null)
  say(!alertsGo, 'warn', {
    title: 'Alerts go nowhere',
    action: SET_ALERTS,
    see: PLACES.alerts,
  })
  say(alertsGo && unsent, 'warn', {
    title: 'An alert was not heard',
    meaning: `Why: ${unsent?.lastError}.`,
    action: 'Correct `ALERT_WEBHOOK_URL`, and send a test.',
    see: PLACES.alerts,
  })
  say(firing('incomplete'), 'warn', {
    title: ALERTS.incomplete.label,
    action: 'Is the webhook for transcripts still in the Behavior tab of the widget’s settings?',
    see: PLACES.days,
  })
  say(firing('drift'), 'warn', {
    title: ALERTS.drift.label,
    action: 'Accept what is right.',
    see: PLACES.drift,
  })
  say(landed?.why, 'warn', {
    title: 'What AEP has kept is not known',
    meaning: `${landed?.why} Relaying goes on all the same.`,
  })
  return parts
}

const expectation = ({ variable, expected }: Config['problems'][number]) =>
  `\`${variable}\`: expected ${expected}.`

function correctionOf(problems: Config['problems']): string {
  const names = [...new Set(problems.map(({ variable }) => variable))]
  const secrets = names.filter((name) => SECRETS.includes(name))
  const commands = secrets.map((name) => `\`npx wrangler secret put ${name}\``)
  return [
    ...(commands.length > 0 ? [`Set it anew: ${commands.join(', ')}.`] : []),
    ...(names.length > secrets.length ? ['Correct `wrangler.toml`, then `npm run deploy`.'] : []),
  ].join(' ')
}
