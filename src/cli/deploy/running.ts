/**
 * Running: what only the relay that runs now can say, before another version takes its place: which webhook keys are in
 * use, and what its outbox holds.
 *
 * Promises: what it does not say is not taken for good. It is only asked; where the outbox becomes another one, it brings
 * its suppressions along.
 */
import { createHash } from 'node:crypto'
import {
  FINGERPRINT_DIGITS,
  readWebhookKeys,
  type WebhookKey,
} from '../../worker/config/webhook-keys.ts'
import { variable } from '../lib/env-file.ts'
import { type AdminAnswer, adminAnswer, type Fields } from '../lib/relay-reply.ts'
import { wrap } from '../lib/style.ts'
import type { Deployed } from './deployed.ts'
import type { Options } from './options.ts'
import type { Target } from './settings.ts'
import { addressOf } from './target.ts'

/** Why a deploy does not go on by itself, and its exit code then. */
type Objection = { readonly why: string; readonly code: 2 | 4 }

type Relay = {
  readonly base: string
  readonly ask: (path: string, body?: object) => Promise<AdminAnswer>
}

/** `missing`: what it cannot be asked without. */
function relayOf(
  target: Target,
  { url, environment }: Options,
  signal: AbortSignal,
): Relay | { readonly missing: string } {
  const base = url ?? addressOf(target)
  const adminToken = variable(environment, 'ADMIN_TOKEN')
  if (base === null || adminToken === undefined) {
    const missing = [...(base === null ? ['--url'] : []), ...(adminToken ? [] : ['ADMIN_TOKEN'])]
    return { missing: missing.join(' and ') }
  }
  return { base, ask: (path, body) => adminAnswer({ base, adminToken }, path, body, signal) }
}

// Keys

/**
 * What of the keys that work now would end with this list of them. Cloudflare shows none, and the relay their
 * fingerprints. `null`: nothing.
 */
export async function keysEnded(
  list: string,
  target: Target,
  options: Options,
  signal: AbortSignal,
): Promise<Objection | null> {
  if (variable(options.environment, 'WEBHOOK_KEYS') === undefined) {
    const why =
      'This takes the place of every key that Cloudflare has: webhooks with an old one are refused, and are lost, until the new URLs stand in Chatlio. Where the old keys are known, have them in WEBHOOK_KEYS, and all work.'
    return { why, code: 4 }
  }
  const relay = relayOf(target, options, signal)
  const unknown = (because: string) =>
    `Whether WEBHOOK_KEYS has every key that is in use is not known: ${because} One that it lacks stops working, of whichever widget, and webhooks with it are refused, and are lost.`
  if ('missing' in relay) {
    return { why: unknown(`the relay cannot be asked without ${relay.missing}.`), code: 2 }
  }
  const answer = await relay.ask('status')
  if ('wrong' in answer) return { why: unknown(answer.wrong), code: 4 }
  const { keys } = answer.body
  if (answer.status !== 200 || !Array.isArray(keys)) {
    return { why: unknown(`the relay answered ${answer.status}, without its keys.`), code: 4 }
  }
  const why = endedText(keys, readWebhookKeys(list, []).webhookKeys)
  return why === null ? null : { why, code: 4 }
}

function endedText(running: readonly Fields[], wanted: readonly WebhookKey[]): string | null {
  const names = new Map(wanted.map(({ key, name }) => [fingerprintOf(key), name]))
  const lost = running.filter(({ fingerprint }) => !names.has(String(fingerprint)))
  const renamed = running.filter(({ fingerprint, name }) => {
    const now = names.get(String(fingerprint))
    return name !== null && now !== undefined && now !== name
  })
  const sentences = [
    ...(lost.length === 0
      ? []
      : [
          `WEBHOOK_KEYS lacks keys that work now: ${lost.map(shown).join(', ')}. Webhooks with them are refused, and are lost, until new URLs stand in Chatlio.`,
        ]),
    ...(renamed.length === 0
      ? []
      : [
          `In WEBHOOK_KEYS these have another name, or none, and so has the source of their events: ${renamed.map(shown).join(', ')}.`,
        ]),
  ]
  return sentences.length === 0
    ? null
    : `${sentences.join(' ')} With every key there, as name:KEY, all go on as they are.`
}

const fingerprintOf = (key: string) =>
  createHash('sha256').update(key).digest('hex').slice(0, FINGERPRINT_DIGITS)

function shown({ fingerprint, name, lastUsedAt }: Fields): string {
  const used = typeof lastUsedAt === 'string' ? `last used ${lastUsedAt}` : 'not used yet'
  return `${fingerprint} (${name === null ? '' : `${name}, `}${used})`
}

// The outbox

/** The Worker gets another outbox, in another jurisdiction. `null`: in none. */
export type Move = Relay & { readonly [end in 'from' | 'to']: string | null }

/**
 * Objects where the outbox would be another one while the first still holds events. Only the relay itself knows what it
 * holds. `null`: it stays where it is.
 */
export async function outboxMove(
  target: Target,
  { exists, vars }: Deployed,
  options: Options,
  signal: AbortSignal,
): Promise<Move | Objection | null> {
  if (!exists || vars === null) return null
  const now = vars.get('OUTBOX_JURISDICTION') ?? ''
  const wanted = String(target.vars.OUTBOX_JURISDICTION ?? '')
  if (now === wanted) return null
  const relay = relayOf(target, options, signal)
  if ('missing' in relay) {
    const why = `OUTBOX_JURISDICTION changes, which makes another outbox. Whether the first one is empty can only be asked with ${relay.missing}.`
    return { why, code: 2 }
  }
  const answer = await relay.ask('status')
  const body = !('wrong' in answer) && answer.status === 200 ? answer.body : null
  const held = ['pending', 'dead', 'quarantined'].map((state) => Number(body?.[state]))
  if (held.every((count) => count === 0)) {
    return { ...relay, from: now || null, to: wanted || null }
  }
  const why = held.some(Number.isNaN)
    ? `OUTBOX_JURISDICTION changes, and ${relay.base} did not say whether its outbox is empty.`
    : `OUTBOX_JURISDICTION changes, which makes another outbox, and the first one holds ${held[0]} pending, ${held[1]} dead and ${held[2]} quarantined events. Let it deliver them, redrive or delete the rest, then deploy again.`
  return { why, code: 4 }
}

/**
 * Who is suppressed must be known to the new outbox before it takes a webhook. Returns how many there are; the text says
 * why they could not be brought.
 */
export async function copySuppressions({ base, ask, from, to }: Move): Promise<number | string> {
  const answer = await ask('suppressions/copy', { from, to })
  const { status, body }: { status: number; body: Fields } =
    'wrong' in answer ? { status: 0, body: {} } : answer
  if (status === 404) {
    return 'OUTBOX_JURISDICTION changes, and the version that runs cannot bring the suppressions along. Deploy this version first with the setting as it was, then change it.'
  }
  const { copied, error } = status === 200 ? body : {}
  if (typeof error === 'string') return `The suppressions cannot be brought along. ${error}`
  return typeof copied === 'number'
    ? copied
    : `OUTBOX_JURISDICTION changes, and ${base} did not bring the suppressions along.`
}

/** Again, for those of the moments in between. */
export async function copyTheRest(move: Move): Promise<string> {
  const copied = await copySuppressions(move)
  return wrap(
    typeof copied === 'number'
      ? `The outbox is another one now; ${copied} suppressions came along. Receipts and activity stay behind.`
      : `The outbox is another one now. Suppressions came along before; whether there were more in the moments in between is not known: ${copied}`,
  )
}
