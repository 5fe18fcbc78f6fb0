/**
 * A relay as one would write it by hand to the same contract, for this one destination and raw records: key, kind, type and
 * size are checked, the event is validated, given an id and redacted, AEP is asked once, and what it does not take is stored
 * and sent again by alarm. One file, no framework, no dependency.
 * It leaves out what makes the relay more than that: receipts and counts, holds, blame, quarantine, splitting, batches,
 * suppressions, operators' routes, alerts. So its figures are a lower bound of what the contract costs.
 */
import { DurableObject } from 'cloudflare:workers'

const KINDS = {
  'new-conversation': 'chatlio.newConversation',
  unanswered: 'chatlio.unanswered',
  feedback: 'chatlio.feedback',
  transcript: 'chatlio.transcript',
  'offline-message': 'chatlio.offlineMessage',
}
const MAX_BYTES = 1_572_864
const TIMEOUT_MS = 3_000
const AT_ONCE = 48
/** Not looked into: ids, names, addresses, times, channels. */
const VERBATIM =
  /^(.*UUID|.*[iI]d|.*[eE]mail|name|handle|.*At|IPAddress|location|userAgent|.*Channel.*|.*URL|.*Page)$/
const CARD = /(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])/g

let keyHash
let downUntil = 0
let window = TIMEOUT_MS

export default {
  async fetch(request, env, ctx) {
    const handled = handle(request, env)
    ctx.waitUntil(handled)
    return handled
  },
}

async function handle(request, env) {
  const url = new URL(request.url)
  const began = Date.now()
  keyHash ??= hash(new TextEncoder().encode(env.WEBHOOK_KEYS))
  const given = await hash(new TextEncoder().encode(url.searchParams.get('key') ?? ''))
  if (!crypto.subtle.timingSafeEqual(given, await keyHash)) return problem(401, 'unauthorized')
  const kind = url.pathname.slice('/chatlio/'.length)
  if (!Object.hasOwn(KINDS, kind)) return problem(404, 'unknown-kind')
  if (request.method !== 'POST') return problem(405, 'method-not-allowed')
  const type = request.headers.get('content-type') ?? 'application/json'
  if (!/^(application|text)\/(.*\+)?(json|plain)/i.test(type)) {
    return problem(415, 'unsupported-media-type')
  }
  const body = await readUpTo(request, MAX_BYTES)
  if (!body) return problem(413, 'payload-too-large')
  let payload
  try {
    payload = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return problem(400, 'malformed-json')
  }
  if (!isValid(kind, payload)) return problem(422, 'invalid-payload')
  const id = await eventId(kind, payload, body, began)
  let outcome = 'buffered'
  if (Date.now() >= downUntil) {
    outcome = (await send(env, recordOf({ id, kind, receivedAt: began }, payload)))
      ? 'forwarded'
      : 'buffered'
    if (outcome === 'forwarded') window = TIMEOUT_MS
    else {
      downUntil = Date.now() + window
      window = Math.min(window * 2, 60_000)
    }
  }
  if (outcome === 'buffered') await env.PENDING.getByName('pending').put(id, kind, began, body)
  console.log(
    JSON.stringify({
      event: 'webhook',
      id,
      kind,
      outcome,
      bytes: body.length,
      ms: Date.now() - began,
    }),
  )
  return Response.json({ status: outcome, id }, { status: outcome === 'forwarded' ? 200 : 202 })
}

const hash = (bytes) => crypto.subtle.digest('SHA-256', bytes)

function problem(status, code) {
  return new Response(JSON.stringify({ status, code }), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  })
}

async function readUpTo(request, limit) {
  if (Number(request.headers.get('content-length') ?? 0) > limit) return null
  const chunks = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    if (length > limit) return null
    chunks.push(chunk)
  }
  if (chunks.length === 1) return chunks[0]
  const body = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.length
  }
  return body
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value) => value === undefined || value === null || typeof value === 'string'

function isValid(kind, payload) {
  if (!isObject(payload)) return false
  if (kind === 'transcript') return Array.isArray(payload.messages ?? [])
  if (kind === 'offline-message') return typeof payload.message === 'string'
  const { visitor } = payload
  if (!isObject(visitor) || typeof visitor.UUID !== 'string' || visitor.UUID === '') return false
  return (
    [visitor.email, visitor.name, visitor.identUserId, visitor.userAgent, visitor.handle].every(
      isText,
    ) &&
    [visitor.currentPage, visitor.createdAt, visitor.IPAddress, visitor.location].every(isText) &&
    [payload.message, payload.conversationUUID, payload.channelId].every(isText) &&
    [payload.slackChannelId, payload.slackChannelName].every(isText)
  )
}

async function eventId(kind, { conversationUUID, endedAt }, body, receivedAt) {
  const isDated = conversationUUID || endedAt
  const day = isDated ? '' : `${new Date(receivedAt).toISOString().slice(0, 10)}\n`
  const prefix = new TextEncoder().encode(`${kind}\n${day}`)
  const all = new Uint8Array(prefix.length + body.length)
  all.set(prefix)
  all.set(body, prefix.length)
  return new Uint8Array(await hash(all)).toHex()
}

function recordOf({ id, kind, receivedAt }, payload) {
  const record = normalized(payload, '')
  const { visitor = {} } = record
  const at = new Date(receivedAt).toISOString()
  const own = { _id: id, timestamp: record.endedAt ?? at, eventType: KINDS[kind], receivedAt: at }
  const identity = { visitor: visitor.UUID, email: visitor.email }
  const delaySeconds = Math.floor((Date.now() - receivedAt) / 1_000)
  return JSON.stringify({ ...record, ...own, identity, delaySeconds })
}

/** Without what is empty; addresses and times in one form; card numbers replaced. */
function normalized(value, key) {
  if (typeof value === 'string') return text(value, key)
  if (Array.isArray(value)) return value.map((each) => normalized(each, key))
  if (!isObject(value)) return value
  const kept = {}
  for (const [name, held] of Object.entries(value)) {
    if (held !== '' && held !== null) kept[name] = normalized(held, name)
  }
  return kept
}

function text(value, key) {
  if (key === 'email') return value.trim().toLowerCase()
  if (key.endsWith('At')) {
    const at = Date.parse(value)
    return Number.isNaN(at) ? value : new Date(at).toISOString()
  }
  if (VERBATIM.test(key) || !/\d/.test(value)) return value
  return value.replace(CARD, (found) => (isCard(found) ? '[card]' : found))
}

function isCard(found) {
  const digits = found.replace(/\D/g, '')
  let sum = 0
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at])
    const doubled = at % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return /^[3-6]/.test(digits) && sum % 10 === 0
}

async function send(env, record) {
  try {
    const answer = await fetch(env.UPSTREAM, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-adobe-flow-id': env.FLOW_ID },
      body: record,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const said = await answer.json().catch(() => null)
    return answer.ok && isObject(said)
  } catch {
    return false
  }
}

/** What AEP did not take: sent again by alarm, many at once while it takes what comes, one while it does not. */
export class Pending extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env)
    ctx.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS pending (id TEXT PRIMARY KEY, kind TEXT, received_at INTEGER, body BLOB) WITHOUT ROWID',
    )
  }

  async put(id, kind, receivedAt, body) {
    this.ctx.storage.sql.exec(
      'INSERT INTO pending VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      id,
      kind,
      receivedAt,
      body,
    )
    if ((await this.ctx.storage.getAlarm()) === null) this.ctx.storage.setAlarm(Date.now() + 1_000)
  }

  async alarm() {
    const { sql } = this.ctx.storage
    let limit = 1
    let waitMs = 1_000
    for (;;) {
      const events = sql.exec('SELECT * FROM pending LIMIT ?', limit).toArray()
      if (events.length === 0) return
      const accepted = await Promise.all(events.map((event) => this.#accepted(event)))
      events.forEach(({ id }, at) => {
        if (accepted[at]) sql.exec('DELETE FROM pending WHERE id = ?', id)
      })
      if (accepted.every(Boolean)) limit = AT_ONCE
      else break
    }
    waitMs = Math.min(60_000, waitMs * (1 + Math.random()))
    this.ctx.storage.setAlarm(Date.now() + waitMs)
  }

  #accepted({ id, kind, received_at: receivedAt, body }) {
    const payload = JSON.parse(new TextDecoder().decode(body))
    return send(this.env, recordOf({ id, kind, receivedAt }, payload))
  }
}
