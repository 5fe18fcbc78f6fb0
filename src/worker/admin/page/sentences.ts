/**
 * What the overview says first: how the relay is, in one sentence by weight, and below it what each part of that means and
 * what to do about it.
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
  forRelay,
  NO_KEY,
  notLanded,
  OUTAGE_ENDS,
  type RelayName,
  SET_ALERTS,
  STORAGE,
  STORED,
  TURNED_AWAY,
  TURNED_AWAY_ACTION,
} from '../../alerts/words.ts'
import { SECRETS } from '../../config/variables.ts'
import type { HealthReason } from '../../http/health.ts'
import type { Answer } from '../api.ts'

export type Situation = {
  relay: RelayName
  reasons: readonly HealthReason[]
  pending: number
  hold: { reason: string; since: string } | null
  /** Whether there is a usable webhook key. */
  letsIn: boolean
  /** Dead and quarantined events. */
  need: number
  alerts: readonly Pick<
    Answer<'alerts'>['alerts'][number],
    'name' | 'state' | 'since' | 'lastError'
  >[]
  /** Whether any webhook ever came. */
  hasCome: boolean
  /** Whether there is an address that alerts are sent to. */
  alertsGo: boolean
  /** Settings that cannot be used. */
  problems: readonly { variable: string; expected: string }[]
  /** What AEP's own counts say; `null`: they are not read. */
  landed: LandedFacts | null
}

/** One part of the sentence. `stops`: nothing is sent. `see`: the page that shows more. */
export type Part = {
  tone: 'warn' | 'bad'
  title: string
  meaning?: string
  action?: string
  since?: string | null
  see?: string
  stops?: boolean
}

export type Said = { tone: 'ok' | Part['tone']; sentence: string; parts: readonly Part[] }

export function sayHow(situation: Situation): Said {
  const { pending } = situation
  const parts = partsOf(situation).map(({ action, ...part }): Part => {
    return { ...part, ...(action && { action: forRelay(action, situation.relay) }) }
  })
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
  return { tone, sentence: `${words.join('. ')}.`, parts }
}

/** In the order of their weight. */
function partsOf(situation: Situation): Part[] {
  const { reasons, hold, letsIn, need, alerts, hasCome, alertsGo, landed } = situation
  // What is wrong with the keys stands in the sentence about them, and not again among the settings.
  const ofKeys = situation.problems.filter(({ variable }) => !letsIn && variable === 'WEBHOOK_KEYS')
  const problems = situation.problems.filter((problem) => !ofKeys.includes(problem))
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
  const see = '/admin/ui/alerts'
  say(!alertsGo, 'warn', {
    title: 'Alerts go nowhere',
    action: SET_ALERTS,
    see,
  })
  say(alertsGo && unsent, 'warn', {
    title: 'An alert was not heard',
    meaning: `Why: ${unsent?.lastError}.`,
    action: 'Correct `ALERT_WEBHOOK_URL`, and send a test.',
    see,
  })
  say(firing('incomplete'), 'warn', {
    title: ALERTS.incomplete.label,
    action: 'Is the webhook for transcripts still in the Behavior tab of the widget’s settings?',
    see: '/admin/ui/days',
  })
  say(firing('drift'), 'warn', {
    title: ALERTS.drift.label,
    action: 'Accept what is right.',
    see: '/admin/ui/drift',
  })
  say(landed?.why, 'warn', {
    title: 'What AEP has kept is not known',
    meaning: `${landed?.why} Relaying goes on all the same.`,
  })
  return parts
}

const expectation = ({ variable, expected }: Situation['problems'][number]) =>
  `\`${variable}\`: expected ${expected}.`

function correctionOf(problems: Situation['problems']): string {
  const names = [...new Set(problems.map(({ variable }) => variable))]
  const secrets = names.filter((name) => SECRETS.includes(name))
  const commands = secrets.map((name) => `\`npx wrangler secret put ${name}\``)
  return [
    ...(commands.length > 0 ? [`Set it anew: ${commands.join(', ')}.`] : []),
    ...(names.length > secrets.length ? ['Correct `wrangler.toml`, then `npm run deploy`.'] : []),
  ].join(' ')
}
