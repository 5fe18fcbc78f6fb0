/**
 * Event: one object of `wrangler tail`, as the lines that a person reads. Pure.
 *
 * Promises: a line of the relay's own log becomes one line; what it does not know is shown compactly instead of hidden;
 * exceptions and outcomes that are not ok are always shown; nothing is taken on trust: a field may be missing or be of
 * another type. Shapes: wrangler's `printers/json`, and the relay's log (src/worker/log.ts).
 */
import { isObject, jsonIn } from '../../worker/lib/json.ts'
import { printable } from '../lib/printable.ts'

export type Level = 'good' | 'info' | 'warn' | 'error'

export type Line = {
  /** Epoch milliseconds; `null`: unknown. */
  readonly at: number | null
  readonly level: Level
  /** What it is: the relay's own `event`, or the kind of invocation. */
  readonly what: string
  readonly text: string
}

type Fields = Readonly<Record<string, unknown>>

export function linesOf(object: Fields): Line[] {
  const at = numberOf(object.eventTimestamp)
  const event = fieldsOf(object.event)
  if (event.type === 'overload' || event.type === 'overload-stop') {
    const text = printable(String(event.message ?? 'Cloudflare drops some lines from here on'))
    return [{ at, level: event.type === 'overload' ? 'warn' : 'info', what: 'sampling', text }]
  }
  const logs = listOf(object.logs).map((log) => logLine(log, at))
  const exceptions = listOf(object.exceptions).map((exception): Line => {
    const { name, message, timestamp } = exception
    const text = printable(`${name ?? 'Error'}: ${message ?? ''}`)
    return { at: numberOf(timestamp) ?? at, level: 'error', what: 'exception', text }
  })
  const outcome = String(object.outcome ?? 'unknown')
  const failed = outcome !== 'ok'
  const lines = [...logs, ...exceptions]
  if (lines.length > 0 && !failed) return lines
  const level = !failed ? 'info' : outcome === 'canceled' ? 'warn' : 'error'
  const text = [invocation(event), ...(failed ? [outcome] : [])].join(' ')
  return [...lines, { at, level, what: kindOf(event), text: printable(text) }]
}

function logLine(log: Fields, invokedAt: number | null): Line {
  const at = numberOf(log.timestamp) ?? invokedAt
  const [first, ...more] = Array.isArray(log.message) ? log.message : [log.message]
  const own = more.length === 0 ? ownFields(first) : null
  const level = levelOf(log.level)
  if (own) return { at, ...ownLine(own, level) }
  const text = [first, ...more].map(textOf).join(' ')
  return { at, level, what: 'log', text: printable(text) }
}

/** The relay's log line: JSON in a string, with the name of what happened. */
function ownFields(message: unknown): Fields | null {
  if (typeof message !== 'string' || !message.startsWith('{"event":"')) return null
  const fields = jsonIn(message)
  return isObject(fields) ? fields : null
}

/** Enough to see which lines belong together. */
const SHORT_ID_CHARACTERS = 8
/** In this order, without their names; everything else follows as `name=value`. */
const LEADING = ['kind', 'outcome', 'reason', 'code', 'status', 'id'] as const

function ownLine({ event, ...fields }: Fields, level: Level): Omit<Line, 'at'> {
  const what = String(event)
  const leading = LEADING.flatMap((name) => {
    const value = fields[name]
    if (value === undefined || value === null) return []
    return [name === 'id' ? String(value).slice(0, SHORT_ID_CHARACTERS) : String(value)]
  })
  const rest = Object.entries(fields)
    .filter(([name, value]) => !isLeading(name) && value !== undefined && value !== null)
    .map(([name, value]) => pair(name, value))
  const good = what === 'webhook' && fields.outcome === 'forwarded'
  const text = [...leading, ...rest].join(' ')
  return { level: good ? 'good' : level, what: printable(what), text: printable(text) }
}

function isLeading(name: string): boolean {
  return (LEADING as readonly string[]).includes(name)
}

function pair(name: string, value: unknown): string {
  if (name === 'ms') return `${value} ms`
  if (name === 'upstreamStatus') return `AEP ${value}`
  // The fingerprint of a key; `key=` is kept for what must not be shown.
  if (name === 'key' && /^[0-9a-f]{6}$/.test(String(value))) return `key:${value}`
  return `${name}=${textOf(value)}`
}

function levelOf(level: unknown): Level {
  return level === 'error' ? 'error' : level === 'warn' ? 'warn' : 'info'
}

function kindOf(event: Fields): string {
  if (event.request) return 'request'
  if (event.cron) return 'cron'
  if (event.rpcMethod) return 'rpc'
  if (event.scheduledTime) return 'alarm'
  return event.queue ? 'queue' : 'invocation'
}

/** Never the query of a request: the webhook key stands there. */
function invocation(event: Fields): string {
  const request = fieldsOf(event.request)
  if (event.request) {
    const url = String(request.url ?? '')
    const path = URL.canParse(url) ? new URL(url).pathname : url.replace(/\?.*$/, '')
    const { status } = fieldsOf(event.response)
    return [request.method, path, status].filter((part) => part !== undefined).join(' ')
  }
  return String(event.cron ?? event.rpcMethod ?? event.queue ?? '')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : {}
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : []
}
