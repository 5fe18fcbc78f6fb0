/**
 * Sample: one test webhook, posted, and what became of it: read from the answer and, where it was stored and there is a
 * token, from the admin routes until AEP has it or the time is over. Posted first and followed afterwards, so that those of
 * one run wait together.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { RouteKind } from '../../worker/chatlio/kind.ts'
import { isObject, jsonIn } from '../../worker/lib/json.ts'
import {
  askAdmin,
  askRelay,
  explainReply,
  type Fields,
  type Operator,
  type Reply,
} from '../lib/relay-reply.ts'
import { testWebhook } from '../lib/test-webhook.ts'
import type { Options } from './options.ts'
import type { Row } from './row.ts'

/** What AEP, or the way to it, said last. */
export type AepError = {
  readonly code: string
  readonly status: number | null
  readonly message: string
  /** AEP's own answer: about a test visitor, so it may be shown. */
  readonly answer: string
}

export type SampleOutcome = {
  readonly kind: RouteKind
  readonly reply: Reply
  readonly end: 'relayed' | 'waiting' | 'refused' | 'suppressed' | 'not-taken'
  readonly error: AepError | null
}

const POLL_MS = 400

export type Posted = { readonly kind: RouteKind; readonly reply: Reply }

export async function post(kind: RouteKind, { base, key }: Options, run: string): Promise<Posted> {
  const body = testWebhook(kind, run, new Date())
  const url = `${base}/chatlio/${kind}?key=${encodeURIComponent(key)}`
  const headers = { 'content-type': 'application/json' }
  return { kind, reply: await askRelay(url, { method: 'POST', headers, body }) }
}

export async function outcomeOf(
  posted: Posted,
  { base, adminToken, waitMs }: Options,
): Promise<SampleOutcome> {
  const { reply } = posted
  const answer = { ...posted, error: null }
  if (reply.by !== 'relay') return { ...answer, end: 'not-taken' }
  switch (reply.body.status) {
    case 'forwarded':
      return { ...answer, end: 'relayed' }
    case 'suppressed':
      return { ...answer, end: 'suppressed' }
    case 'buffered':
    case 'dead-lettered': {
      const first = reply.body.status === 'buffered' ? 'waiting' : 'refused'
      if (adminToken === null) return { ...answer, end: first }
      const operator = { base, adminToken }
      return { ...answer, ...(await follow(operator, String(reply.body.id), waitMs, first)) }
    }
    default:
      return { ...answer, end: 'not-taken' }
  }
}

type Followed = Pick<SampleOutcome, 'end' | 'error'>

async function follow(
  operator: Operator,
  id: string,
  waitMs: number,
  first: Followed['end'],
): Promise<Followed> {
  const deadline = Date.now() + waitMs
  for (let last: Followed = { end: first, error: null }; ; await delay(POLL_MS)) {
    const reply = await askAdmin(operator, `events/${id}`)
    if (reply.by !== 'relay' || reply.status === 401) return last
    // An event that AEP has taken is no longer stored. Without admin routes the answer is the same, so it is asked first.
    if (reply.status === 404) return { end: 'relayed', error: null }
    last = stateOf(reply.body, last)
    if (last.end !== 'waiting' || Date.now() >= deadline) return last
    // Nothing changes by waiting while a person has to act.
    if (last.error && /^(credentials|configuration|rejected)$/.test(last.error.code)) return last
  }
}

function stateOf({ state, lastError, answer }: Fields, last: Followed): Followed {
  const error = lastError
    ? { ...(lastError as AepError), answer: String(answer ?? '') }
    : last.error
  switch (state) {
    case 'delivered':
      return { end: 'relayed', error: null }
    case 'dead':
    case 'quarantined':
      return { end: 'refused', error }
    default:
      return { end: 'waiting', error }
  }
}

export function sampleRow({ kind, reply, end, error }: SampleOutcome): Row {
  if (reply.by !== 'relay') return { check: kind, ok: false, text: explainReply(reply) }
  const stored = reply.body.status !== 'forwarded'
  switch (end) {
    case 'relayed':
      return {
        check: kind,
        ok: true,
        text: stored ? 'stored, then relayed to AEP' : 'forwarded: AEP accepted it',
      }
    case 'suppressed':
      return {
        check: kind,
        ok: false,
        text: 'suppressed: not relayed, since the test person was erased with a suppression. The page ends it, at Suppressions',
      }
    case 'not-taken':
      return {
        check: kind,
        ok: false,
        text: `${reply.status} ${reply.body.code}: ${reply.body.detail}`,
      }
    case 'waiting':
      return { check: kind, ok: false, text: `stored, not relayed yet${because(error)}` }
    case 'refused':
      return { check: kind, ok: false, text: `refused by AEP, stored${because(error)}` }
  }
}

function because(error: AepError | null): string {
  if (error === null) return ''
  const { code, status, message, answer } = error
  // A bare title such as `Authorization` does not say who answered; a message about a token does.
  const isSaid = status === null || code === 'token' || /answered/.test(message)
  const who = isSaid ? '' : `AEP answered ${status}: `
  return `: ${who}${message}${wordsOf(answer)}`
}

/** The sentence in AEP's problem, where there is one. */
export function wordsOf(answer: string): string {
  const problem = jsonIn(answer)
  const { report, detail, message } = isObject(problem) ? problem : {}
  const words = (isObject(report) ? report.message : null) ?? detail ?? message
  return typeof words === 'string' ? ` ("${words.slice(0, 300)}")` : ''
}
