/**
 * Texts that alerts and the operators' page share: moments, durations and counts as a person reads them, and what to do
 * about each thing that stops or threatens events.
 */
import type { LandedFacts } from './facts.ts'

/** `2026-11-24 10:02 UTC` */
export function moment(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** `3 days 4 h`, `2 h 5 min`, `12 min`. */
export function duration(ms: number): string {
  const minutes = Math.max(Math.round(ms / 60_000), 1)
  const days = Math.floor(minutes / 1_440)
  const hours = Math.floor((minutes % 1_440) / 60)
  if (days > 0) return `${count(days, 'day')}${hours > 0 ? ` ${hours} h` : ''}`
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`
}

/** `1,234` */
export const figure = (number: number) => number.toLocaleString('en-US')

/** `1 event`, `2 events`. */
export function count(number: number, noun: string): string {
  return `${figure(number)} ${noun}${number === 1 ? '' : 's'}`
}

/** Unnamed, it is production too. */
export function isProduction(environment: string | null): boolean {
  return environment === null || /^prod(uction)?$/i.test(environment)
}

/** Which relay a text is about: what it is called, and its address, where these are known. */
export type RelayName = { environment: string | null; publicUrl: string | null }

/** Those that ask the relay itself. */
const ASKING = ['npm run verify', 'npm run recover', 'npm run compare', 'npm run erase']
/** Those that need secrets, which stand in the file of the set-up. */
const NEEDING = [...ASKING, 'npm run provision']

/** Stands for the relay's address where it is not configured, as in docs/operations.md. */
const SOME_RELAY = '$WORKER'

/**
 * A text whose commands, which stand between backticks, work as they stand: with the address of the relay, the file of the
 * set-up, and the `--env` of one that is called otherwise than production, as `provision --env` calls it.
 */
export function forRelay(text: string, { environment, publicUrl }: RelayName): string {
  const isNamed = environment !== null && !isProduction(environment) && /^[\w-]+$/.test(environment)
  const env = isNamed ? ['--env', environment] : []
  return text
    .replace(/`(npm run [\w-]+)(?: -- ([^`]+))?`/g, (_, command: string, rest?: string) => {
      const url = ASKING.includes(command) ? ['--url', publicUrl ?? SOME_RELAY] : []
      const file = isNamed ? `.adobe-${environment}.env` : '.adobe.env'
      const secrets = NEEDING.includes(command) ? ['--env-file', file] : []
      const flags = [...env, ...url, ...secrets, ...(rest ? [rest] : [])]
      return `\`${[command, ...(flags.length > 0 ? ['--', ...flags] : [])].join(' ')}\``
    })
    .replace(
      /`(npx wrangler [^`]+)`/g,
      (_, command: string) => `\`${[command, ...env].join(' ')}\``,
    )
}

type Advice = { title: string; action: string }

/** Not a hold of the outbox, but of what comes before it. */
export const NO_KEY = 'webhook-keys'

const ADVICE: { readonly [reason: string]: Advice } = {
  credentials: {
    title: 'AEP refuses our credentials',
    action:
      'Check the client secret and the rights of the credential in the Adobe Developer Console. A new secret: `npx wrangler secret put AEP_CLIENT_SECRET`. Relaying then resumes without a restart. Where no `AEP_CLIENT_ID` is set, the inlet asks for a credential: set it in `wrangler.toml`, and run `npm run deploy` with `AEP_CLIENT_SECRET` in its environment.',
  },
  configuration: {
    title: 'AEP cannot be reached as configured',
    action:
      'The log line `configuration` names a variable that does not parse; without one, AEP does not know the address in `AEP_ENDPOINT`. Correct it in `wrangler.toml` and run `npm run deploy`.',
  },
  [NO_KEY]: {
    title: 'No webhook key is usable',
    action:
      'Set the secret, `npx wrangler secret put WEBHOOK_KEYS`: keys of 20 characters or more, separated by commas.',
  },
  rejecting: {
    title: 'AEP refuses every event',
    action:
      'The flow, organization, dataset or schema does not belong to this endpoint. Compare with `npm run provision -- --status`, correct `wrangler.toml` and run `npm run deploy`. Nothing needs to be sent again by hand.',
  },
}

/** Of a hold, whatever its reason. */
export const STORED =
  'Webhooks are still taken and stored; nothing is relayed, and nothing is lost.'

export const OUTAGE_ENDS =
  'What is pending is sent by itself once AEP takes events again; if that takes long, see Adobe’s status page.'

export const STORAGE = {
  title: 'The outbox does not answer',
  meaning:
    'Webhooks that AEP does not take at once are answered 503, and Chatlio may not send them again.',
  action:
    'Look at Cloudflare’s status page, and at the limits of your plan (Workers & Pages, Usage). It recovers without a restart.',
}

export const TURNED_AWAY =
  'What is refused or answered 503 is neither relayed nor stored, and Chatlio may not send it again.'

export const SEND_AGAIN =
  'To bring a chat that is missing, un-archive its channel in Slack and use `/chatlio send-to-webhook`.'

export const TURNED_AWAY_ACTION = `\`npm run tail -- --errors\` shows why. ${SEND_AGAIN}`

/** What to do where no address for alerts is configured. */
export const SET_ALERTS = 'Set the secret: `npx wrangler secret put ALERT_WEBHOOK_URL`.'

export const EXPIRING_MEANING = 'What is erased is gone here, and AEP never got it.'

/** A reason that has no advice yet still gets an alert. */
export function adviceFor(reason: string): Advice {
  return (
    ADVICE[reason] ?? {
      title: `Relaying is on hold (${reason})`,
      action: 'See "hold" in docs/operations.md, and the log line `hold`.',
    }
  )
}

/** The error code, with the HTTP status if there was one. */
export const answerOf = (code: string, status: number | null) =>
  status === null ? code : `${code} ${status}`

/** The worst that AEP's own counts say; `null`: it has kept what it acknowledged. */
export function notLanded({
  causes,
  missing,
  keptNone,
}: Pick<LandedFacts, 'causes' | 'missing' | 'keptNone'>): (Advice & { meaning: string }) | null {
  const refused = causes.reduce((sum, cause) => sum + cause.count, 0)
  const [cause] = causes
  const reason = cause ? ` (${causes.length > 1 ? 'mostly ' : ''}${placed(cause)})` : ''
  const after = 'then `npm run recover` sends again what AEP refused.'
  if (keptNone > 0) {
    return {
      title: `AEP keeps nothing of what it accepts: of ${count(keptNone, 'record')} none is in the dataset${reason}`,
      meaning: 'The answers were 2xx, so nothing of it is stored here.',
      action: `Usually the mapping fills no _id or no timestamp: \`npm run verify\` names what it lacks. Mend it, ${after}`,
    }
  }
  if (refused > 0) {
    return {
      title: `AEP accepted ${count(refused, 'record')} and refused ${refused === 1 ? 'it' : 'them'} afterwards${reason}`,
      meaning:
        'What it refused is not in the dataset, and no longer stored here. AEP keeps it for 30 days. It is counted, sent again or not, until AEP has refused nothing for an hour.',
      action: `\`npm run recover -- --dry-run\` names it. Mend the mapping or the schema, ${after}`,
    }
  }
  if (missing === 0) return null
  return {
    title: `AEP has fewer than it acknowledged: ${count(missing, 'record')}`,
    meaning: 'AEP answered 2xx to them and does not count them; they are no longer stored here.',
    action:
      'AEP drops without a word what comes in the five minutes after a dataflow was changed: pause relaying before the next change. Otherwise see "Accepted, and not in the dataset" of docs/operations.md.',
  }
}

/** `DCVS-1105-400 at /timestamp` */
export const placed = ({ code, pointer }: { readonly code: string; readonly pointer: string }) =>
  pointer === '' ? code : `${code} at ${pointer}`
