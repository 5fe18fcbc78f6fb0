/**
 * Front: what Chatlio meets before its webhook is read: the address, TLS, redirects, Cloudflare Access, the door that
 * needs a key, and the admin routes. Sends no event and no key.
 */
import type { ConfigProblem } from '../../worker/config/variables.ts'
import { withOwnCommands } from '../lib/command.ts'
import { askAdmin, askRelay, explainReply, type Operator, type Reply } from '../lib/relay-reply.ts'
import type { Options } from './options.ts'
import type { Row } from './row.ts'

type Front = {
  readonly rows: readonly Row[]
  /** False: there is no use in posting samples. */
  readonly open: boolean
}

export async function checkFront(base: string, deploy: string): Promise<Front> {
  const secure = base.startsWith('https:')
  const health = await askRelay(`${base}/health`, { method: 'GET' })
  const door = await askRelay(`${base}/chatlio/transcript`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  // The webhook's way first: it is the one that counts.
  const ways = [
    { check: '/chatlio', reply: door },
    { check: '/health', reply: health },
  ]
  for (const { check, reply } of ways) {
    if (reply.by === 'relay') continue
    return { rows: [{ check, ok: false, text: explainReply(reply) }], open: false }
  }
  const address = secure
    ? 'https with a valid certificate, no redirect, nothing in front'
    : 'this machine, no redirect, nothing in front'
  const closed = doorRow(door, deploy)
  return { rows: [{ check: 'address', ok: true, text: address }, closed], open: closed.ok === true }
}

function doorRow(door: Reply, deploy: string): Row {
  const check = 'without a key'
  if (door.by !== 'relay') return { check, ok: false, text: explainReply(door) }
  if (door.status === 401) return { check, ok: true, text: 'refused (401), as it should be' }
  if (door.status === 503) {
    const text = `The relay takes no webhook: ${door.body.detail} \`${deploy}\` makes one.`
    return { check, ok: false, text }
  }
  return { check, ok: false, text: `answered ${door.status}, which is not how the relay answers` }
}

type AdminState = {
  readonly row: Row
  readonly hold: string | null
  /** `null`: the admin routes cannot be asked. */
  readonly operator: Operator | null
}

/** `adminToken`: `null` when none was given. */
export async function checkAdmin(base: string, adminToken: string | null): Promise<AdminState> {
  const check = 'admin token'
  const bad = (text: string, ok: false | null = false): AdminState => {
    return { row: { check, ok, text }, hold: null, operator: null }
  }
  if (adminToken === null) {
    return bad(
      'not given: why a webhook was stored cannot be read (ADMIN_TOKEN, --admin-token)',
      null,
    )
  }
  const operator = { base, adminToken }
  const reply = await askAdmin(operator, 'status')
  if (reply.by === 'access') return bad(`not checked: ${explainReply(reply)}`, null)
  if (reply.by !== 'relay') return bad(explainReply(reply))
  if (reply.status === 401) return bad('wrong: the relay has another ADMIN_TOKEN')
  if (reply.status === 404) return bad('the relay has no usable ADMIN_TOKEN, so no admin routes')
  if (reply.status !== 200) return bad(`answered ${reply.status}`)
  const { hold, pending, dead, quarantined } = reply.body
  const reason = (hold as { reason?: string } | null)?.reason ?? null
  const text = `accepted; ${pending} pending, ${dead} dead, ${quarantined} quarantined${reason ? `, on hold: ${reason}` : ''}`
  return { row: { check, ok: true, text }, hold: reason, operator }
}

/** Settings that the relay calls missing or wrong; none where it does not say. */
export async function readProblems(operator: Operator): Promise<ConfigProblem[]> {
  const reply = await askAdmin(operator, 'support')
  const { problems } = reply.by === 'relay' ? reply.body : {}
  return Array.isArray(problems) ? problems : []
}

const NOT_SETTLED =
  'AEP counts for an hour until two hours after its end: none of the last day with events is settled yet. Ask again later'

/** What AEP has kept of what it accepted, as the relay has read it; `null`: a relay that does not compare. */
export async function checkLanded(operator: Operator, options: Options): Promise<Row | null> {
  const check = 'landed'
  const reply = await askAdmin(operator, 'compared')
  if (reply.by !== 'relay') return { check, ok: false, text: explainReply(reply) }
  const { status, body } = reply
  if (status === 404) return null
  if (status !== 200) return { check, ok: false, text: `the relay answered ${status}` }
  const { available, why, hours } = body
  if (available !== true) {
    return { check, ok: null, text: `not read by the relay. ${why ?? ''}` }
  }
  if (typeof why === 'string')
    return { check, ok: false, text: withOwnCommands(why, options, operator.base) }
  const settled = (Array.isArray(hours) ? hours : []).filter((hour) => hour.settled && hour.ours)
  return settled.length > 0
    ? {
        check,
        ok: true,
        text: `AEP has kept what it accepted, in every hour of the last day that is settled (${settled.length})`,
      }
    : { check, ok: null, text: NOT_SETTLED }
}

/** Reasons of `/health`, in words; one that is not here is shown as it came. */
const MEANINGS: Readonly<Record<string, string>> = {
  configuration: 'configuration (a setting is missing or wrong)',
  credentials: 'credentials (Adobe refuses them)',
  rejecting: 'rejecting (AEP refuses every event)',
  paused: 'paused (by an operator)',
  upstream: 'upstream (AEP does not answer as it should)',
  expiring: 'expiring (stored events will be erased within days: redrive or erase them)',
  storage: 'storage (the outbox did not answer)',
}

/** After the samples, since a relay only finds out by trying. */
export async function checkHealth(base: string): Promise<{ row: Row; reasons: string[] }> {
  const check = '/health'
  const reply = await askRelay(`${base}/health`, { method: 'GET' })
  if (reply.by !== 'relay')
    return { row: { check, ok: false, text: explainReply(reply) }, reasons: [] }
  const { status, reasons } = reply.body
  const named = Array.isArray(reasons) ? reasons.map(String) : []
  const text =
    status === 'ok' ? 'ok' : `${status}: ${named.map((name) => MEANINGS[name] ?? name).join('; ')}`
  return { row: { check, ok: status === 'ok', text }, reasons: named }
}
