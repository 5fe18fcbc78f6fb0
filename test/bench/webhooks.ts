/**
 * Webhooks for measuring: every one another event, posted to 127.0.0.1, either by so many connections as fast as they are
 * answered, or so many a second whatever the answers take.
 *
 * Promises: knows of every event whether it was acknowledged, by a 2xx whose body was read to its end; resolves only after
 * every request has ended. At a fixed rate the time of an answer counts from the moment at which its webhook was due, so
 * that a system that stalls cannot hide those that had to wait.
 */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { conversationOf } from './aep.ts'

type Target = { readonly port: number; readonly path: string }

export class Answers {
  /** Events by number. */
  readonly acknowledged: number[] = []
  /** Of those that were acknowledged, in milliseconds. */
  readonly times: number[] = []
  /** How many were answered with each status; 0: the connection broke. */
  readonly statuses: Record<number, number> = {}
  sent = 0

  get refused(): number {
    return this.sent - this.acknowledged.length
  }
}

const TIMEOUT_MS = 30_000
const TEXT = readFileSync(new URL('../fixtures/conversation.json', import.meta.url), 'utf8')
const [BEFORE = '', AFTER = ''] = TEXT.split(/(?<="conversationUUID": ")[0-9a-f-]{36}/)
let serial = 0

/** So many connections, each of which posts again as soon as it has its answer; for a time, or up to a number of events. */
export async function pressing(
  target: Target,
  connections: number,
  { forMs = Number.POSITIVE_INFINITY, count = Number.POSITIVE_INFINITY },
): Promise<Answers> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const answers = new Answers()
  const end = performance.now() + forMs
  const connection = async () => {
    while (performance.now() < end && answers.sent < count) await post(target, agent, answers)
  }
  await Promise.all(Array.from({ length: connections }, connection))
  agent.destroy()
  return answers
}

type Pace = {
  readonly forMs: number
  /** Ends it earlier. */
  readonly signal?: AbortSignal
  /** To be looked at while it goes on. */
  readonly answers?: Answers
}

/** So many a second, evenly. A connection each, where none is free. */
export async function steady(
  target: Target,
  perSecond: number,
  { forMs, signal, answers = new Answers() }: Pace,
): Promise<Answers> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const under: Promise<void>[] = []
  const began = performance.now()
  const all = Math.round((perSecond * forMs) / 1_000)
  for (let number = 0; number < all && signal?.aborted !== true; number += 1) {
    const due = began + (number * 1_000) / perSecond
    const waitMs = due - performance.now()
    if (waitMs > 1) await sleep(waitMs)
    // Timed from when it was due, or from when it left, where a timer fired a little early.
    under.push(post(target, agent, answers, Math.min(due, performance.now())))
  }
  await Promise.all(under)
  agent.destroy()
  return answers
}

async function post(
  { port, path }: Target,
  agent: http.Agent,
  answers: Answers,
  due = performance.now(),
): Promise<void> {
  serial += 1
  const event = serial
  answers.sent += 1
  const bytes = Buffer.from(`${BEFORE}${conversationOf(event)}${AFTER}`)
  const status = await new Promise<number>((resolve) => {
    const request = http.request({
      agent,
      port,
      path,
      host: '127.0.0.1',
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': bytes.length },
      timeout: TIMEOUT_MS,
    })
    request.on('response', (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode ?? 0))
      response.once('error', () => resolve(0))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(0))
    request.end(bytes)
  })
  answers.statuses[status] = (answers.statuses[status] ?? 0) + 1
  if (status < 200 || status > 299) return
  answers.acknowledged.push(event)
  answers.times.push(performance.now() - due)
}
