/**
 * Send: events again, from AEP's files to the inlet, as the Worker sends them.
 *
 * Promises: just before events leave, the relay says whose they are: nothing of a suppressed person is sent, and nothing at all
 * when the relay cannot say. What the outbox still holds is its own to send: dead events are redriven there. Each event is
 * on the list of sent ones before the next leaves. What passes is tried again, what does not pass ends the run.
 */

import { AepClient } from '../../worker/aep/client/client.ts'
import { requestToken, TokenSource } from '../../worker/aep/client/ims.ts'
import { post } from '../../worker/aep/client/post.ts'
import type { Ending } from '../../worker/aep/client/verdict.ts'
import { readBatch } from '../../worker/aep/landed.ts'
import type { PlatformProblem } from '../../worker/aep/platform-get.ts'
import type { Credentials } from '../../worker/config/config.ts'
import { type AepSide, explain } from '../compare/aep.ts'
import { askAdmin } from '../compare/relay.ts'
import { type Io, waitMs } from '../lib/platform-client.ts'
import type { Refused } from './find.ts'
import type { Options } from './options.ts'
import { recordText } from './rows.ts'
import type { Sent } from './sent.ts'

export type Outcome = {
  sent: number
  suppressed: number
  /** Dead in the outbox, and redriven there. */
  redriven: number
  /** Waiting in the outbox, which sends them itself. */
  waiting: number
  /** Recovered before, as the relay remembers. */
  known: number
  readonly refused: { readonly id: string; readonly message: string }[]
  /** Their batch no longer has them. */
  gone: number
  /** Why the run ended early. */
  stopped: string | null
}

type Context = {
  readonly aep: AepSide
  readonly options: Options
  readonly sent: Sent
  readonly io: Io
  readonly now: () => number
  readonly progress: (done: number) => void
}

type Item = { readonly id: string; readonly text: string }

const CHUNK_EVENTS = 50
/** Far below what one request to the relay may hold. */
const CHUNK_CHARACTERS = 500_000
const ATTEMPTS = 5
const TIMEOUT_MS = 30_000

export async function sendAgain(sendable: readonly Refused[], context: Context): Promise<Outcome> {
  const outcome: Outcome = {
    sent: 0,
    suppressed: 0,
    redriven: 0,
    waiting: 0,
    known: 0,
    refused: [],
    gone: 0,
    stopped: null,
  }
  const deliver = delivery(context)
  const batches = Map.groupBy(sendable, ({ batch }) => batch)
  for (const [batch, wanted] of batches) {
    const items = await itemsOf(batch, wanted, context)
    if ('reason' in items) return { ...outcome, stopped: explain(items) }
    outcome.gone += wanted.length - items.length
    for (const chunk of chunksOf(items)) {
      outcome.stopped = await sendChunk(chunk, outcome, deliver, context)
      if (outcome.stopped !== null) return outcome
      context.progress(outcome.sent)
    }
  }
  return outcome
}

type Deliver = (text: string) => Promise<Ending>

/** Without a token, and from the first time that the inlet asks for one with the operator's. */
function delivery({ aep, io, now }: Context): Deliver {
  const fetch = (url: string, init: RequestInit) => io.fetch(url, init)
  const tokens = new TokenSource(() => requestToken(aep.credentials, { fetch, now }), now)
  const clientFor = (credentials: Credentials | null) =>
    new AepClient(
      { ...aep.destination, credentials },
      {
        post: (request, timeoutMs) => post(request, timeoutMs, fetch, { aborts: true }),
        now,
        tokens,
      },
    )
  let client = clientFor(null)
  const withToken = clientFor(aep.credentials)
  return async (text) => {
    const ending = await client.deliverOne(text, TIMEOUT_MS)
    const asks = ending.verdict === 'held' && ending.reason === 'credentials'
    if (!asks || client === withToken) return ending
    client = withToken
    return client.deliverOne(text, TIMEOUT_MS)
  }
}

/** From AEP's files; in memory for the time of one batch. */
async function itemsOf(
  batch: string,
  wanted: readonly Refused[],
  { aep }: Context,
): Promise<readonly Item[] | PlatformProblem> {
  const ids = new Set(wanted.map(({ id }) => id))
  const items = new Map<string, Item>()
  const { format } = aep.destination
  const read = await readBatch(aep.get, batch, ({ id, form }, line) => {
    if (id === null || form !== format || !ids.has(id)) return
    items.set(id, { id, text: recordText(line, format) })
  })
  return read === null || read === 'gone' ? [...items.values()] : read
}

function* chunksOf(items: readonly Item[]): Generator<readonly Item[]> {
  let chunk: Item[] = []
  let characters = 0
  for (const item of items) {
    const full = chunk.length >= CHUNK_EVENTS || characters + item.text.length > CHUNK_CHARACTERS
    if (full && chunk.length > 0) {
      yield chunk
      chunk = []
      characters = 0
    }
    chunk.push(item)
    characters += item.text.length
  }
  if (chunk.length > 0) yield chunk
}

/** `null`, or why the run ends here. */
async function sendChunk(
  chunk: readonly Item[],
  outcome: Outcome,
  deliver: Deliver,
  context: Context,
): Promise<string | null> {
  const { options, sent, io, now } = context
  const ours = await withoutHeld(chunk, outcome, options)
  if (typeof ours === 'string') return ours
  const suppressed = await screened(ours, options)
  if (typeof suppressed === 'string') return suppressed
  const recovered: string[] = []
  let stopped: string | null = null
  for (const [index, { id, text }] of ours.entries()) {
    if (suppressed.has(index)) {
      outcome.suppressed += 1
      continue
    }
    const verdict = await patiently(() => deliver(text), io)
    if (verdict.verdict === 'accepted') {
      sent.add(id, now())
      recovered.push(id)
      outcome.sent += 1
    } else if (verdict.verdict === 'rejected') {
      outcome.refused.push({ id, message: verdict.error.message })
    } else {
      const { message } = verdict.error
      stopped = `AEP does not take events at the moment: ${message}. Run the same command again: it goes on where it stopped.`
      break
    }
    await io.sleep(1_000 / options.perSecond)
  }
  // The relay then shows them as recovered; one that does not take this shows them as failed, and nothing is lost.
  if (recovered.length > 0) await askAdmin(options, 'screen', { records: [], recovered })
  return stopped
}

async function patiently(attempt: () => Promise<Ending>, io: Io): Promise<Ending> {
  for (let tried = 1; ; tried += 1) {
    const ending = await attempt()
    const passes = ending.verdict === 'deferred' || ending.verdict === 'unknown'
    if (!passes || tried >= ATTEMPTS) return ending
    const asked = ending.retryAfterMs === null ? null : String(ending.retryAfterMs / 1_000)
    await io.sleep(waitMs(tried, asked, io.random))
  }
}

/** Those that the outbox does not hold. */
async function withoutHeld(
  chunk: readonly Item[],
  outcome: Outcome,
  options: Options,
): Promise<readonly Item[] | string> {
  const ours: Item[] = []
  for (const item of chunk) {
    // A part, of whichever split, is held as the event that it is of.
    const id = item.id.replace(/(-r\d+)?-\d+$/, '')
    const answer = await askAdmin(options, `events/${id}`)
    if ('wrong' in answer) return answer.wrong
    const { status, body } = answer
    if (status !== 200 && status !== 404)
      return `The relay answered ${status} to a question for an event.`
    if (status === 404 || body.state === 'delivered' || body.state === 'failed') ours.push(item)
    else if (body.state === 'recovered') outcome.known += 1
    else if (body.state === 'dead') {
      const redriven = await askAdmin(options, 'redrive', { state: 'dead', ids: [id] })
      if ('wrong' in redriven) return redriven.wrong
      outcome.redriven += 1
    } else outcome.waiting += 1
  }
  return ours
}

/** The positions of those whose person is suppressed. */
async function screened(
  items: readonly Item[],
  options: Options,
): Promise<ReadonlySet<number> | string> {
  if (items.length === 0) return new Set()
  const records: unknown[] = items.map(({ text }) => JSON.parse(text))
  const answer = await askAdmin(options, 'screen', { records })
  if ('wrong' in answer) return answer.wrong
  const { status, body } = answer
  const { indexes } = body
  const isList = Array.isArray(indexes) && indexes.every((one) => Number.isInteger(one))
  if (status === 200 && isList) return new Set(indexes as number[])
  return `The relay cannot say whose events these are (it answered ${status}), so nothing is sent: a suppressed person's would be among them. Deploy the relay of this version first.`
}
