/**
 * Send: events again, from AEP's files to the inlet, as the Worker sends them.
 *
 * Promises: before an event leaves, no more than `REFRESH_INTERVAL_MS` ago, the relay has said whose it is: nothing of a suppressed
 * person is sent, and nothing at all when the relay cannot say. What the outbox still holds is its own to send: what is
 * parked is redriven there. Each event is on the list of sent ones before the next leaves. What passes is tried again, what does
 * not pass ends the run.
 */

import { AepClient, poster } from '../../worker/aep/client/client.ts'
import { requestToken, TokenSource } from '../../worker/aep/client/ims.ts'
import type { Ending } from '../../worker/aep/client/verdict.ts'
import { readBatch } from '../../worker/aep/landed.ts'
import type { PlatformProblem } from '../../worker/aep/platform-get.ts'
import type { Credentials } from '../../worker/config/config.ts'
import { REFRESH_INTERVAL_MS } from '../../worker/limits.ts'
import { type AepSide, explain } from '../compare/aep.ts'
import type { Sent } from '../compare/sent.ts'
import { type Io, waitMs } from '../lib/platform-client.ts'
import { adminAnswer, type Fields } from '../lib/relay-reply.ts'
import type { Refused } from './find.ts'
import type { Options } from './options.ts'
import { recordText } from './rows.ts'

export type Outcome = {
  sent: number
  suppressed: number
  /** Parked in the outbox, and redriven there. */
  redriven: number
  /** Pending in the outbox, which sends them itself. */
  pending: number
  /** Recovered before, as the relay remembers. */
  known: number
  readonly refused: { readonly id: string; readonly message: string }[]
  /** Their batch no longer has them. */
  gone: number
  /** Batches that could not be read again. */
  unread: number
  /** Why the run ended early. */
  stopped: string | null
}

type Context = {
  readonly aep: AepSide
  readonly options: Options
  readonly sent: Sent
  readonly io: Io
  readonly now: () => number
}

type Item = { readonly id: string; readonly batch: string; readonly text: string }

const GROUP_EVENTS = 50
/** Far below what one request to the relay may hold. */
const GROUP_CHARACTERS = 500_000
const ATTEMPTS = 5
const TIMEOUT_MS = 30_000

export async function sendAgain(sendable: readonly Refused[], context: Context): Promise<Outcome> {
  const outcome: Outcome = {
    sent: 0,
    suppressed: 0,
    redriven: 0,
    pending: 0,
    known: 0,
    refused: [],
    gone: 0,
    unread: 0,
    stopped: null,
  }
  const deliver = delivery(context)
  const batches = Map.groupBy(sendable, ({ batch }) => batch)
  for (const [batch, wanted] of batches) {
    const items = await itemsOf(batch, wanted, context)
    if ('reason' in items) {
      if (items.reason === 'permission') return { ...outcome, stopped: explain(items) }
      outcome.unread += 1
      continue
    }
    outcome.gone += wanted.length - items.length
    for (const group of groupsOf(items)) {
      outcome.stopped = await sendGroup(group, outcome, deliver, context)
      if (outcome.stopped !== null) return outcome
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
    new AepClient({ ...aep.destination, credentials }, { post: poster(fetch, true), now, tokens })
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
  const { end } = await readBatch(aep.get, batch, ({ id, form }, line) => {
    if (id === null || form !== format || !ids.has(id)) return
    items.set(id, { id, batch, text: recordText(line, format) })
  })
  return end === null || typeof end === 'string' ? [...items.values()] : end
}

function* groupsOf(items: readonly Item[]): Generator<readonly Item[]> {
  let group: Item[] = []
  let characters = 0
  for (const item of items) {
    const full = group.length >= GROUP_EVENTS || characters + item.text.length > GROUP_CHARACTERS
    if (full && group.length > 0) {
      yield group
      group = []
      characters = 0
    }
    group.push(item)
    characters += item.text.length
  }
  if (group.length > 0) yield group
}

/** `null`, or why the run ends here. */
async function sendGroup(
  group: readonly Item[],
  outcome: Outcome,
  deliver: Deliver,
  context: Context,
): Promise<string | null> {
  const { options, sent, io, now } = context
  const ours = await withoutHeld(group, outcome, options)
  if (typeof ours === 'string') return ours
  const isSuppressed = screening(ours, options, now)
  const recovered: string[] = []
  let stopped: string | null = null
  for (const item of ours) {
    const ending = await sendOne(item, isSuppressed, deliver, io)
    if (typeof ending === 'string') stopped = ending
    else if (ending === null) outcome.suppressed += 1
    else if (ending.verdict === 'accepted') {
      stopped = sent.add(item, now())
      recovered.push(item.id)
      outcome.sent += 1
    } else if (ending.verdict === 'rejected') {
      outcome.refused.push({ id: item.id, message: ending.error.message })
    } else {
      stopped = `AEP does not take events at the moment: ${ending.error.message}. Run the same command again: it goes on where it stopped.`
    }
    if (stopped !== null) break
    if (ending !== null) await io.sleep(1_000 / options.perSecond)
  }
  await noteRecovered(recovered, options)
  return stopped
}

/** `null`: its person is suppressed. A text: why that is not known. */
async function sendOne(
  item: Item,
  isSuppressed: (item: Item) => Promise<boolean | string>,
  deliver: Deliver,
  io: Io,
): Promise<Ending | null | string> {
  for (let tried = 1; ; tried += 1) {
    // Asked anew after a wait.
    const suppressed = await isSuppressed(item)
    if (typeof suppressed === 'string') return suppressed
    if (suppressed) return null
    const ending = await deliver(item.text)
    const passes = ending.verdict === 'deferred' || ending.verdict === 'unknown'
    if (!passes || tried >= ATTEMPTS) return ending
    const asked = ending.retryAfterMs === null ? null : String(ending.retryAfterMs / 1_000)
    await io.sleep(waitMs(tried, asked, io.random))
  }
}

/** The relay then shows them as recovered; one that does not take this shows them as failed, until the next run. */
export async function noteRecovered(ids: readonly string[], options: Options): Promise<void> {
  for (let from = 0; from < ids.length; from += NOTED_TOGETHER) {
    const recovered = ids.slice(from, from + NOTED_TOGETHER)
    await adminAnswer(options, 'screen', { records: [], recovered })
  }
}

const NOTED_TOGETHER = 1_000

/** Those that the outbox does not hold. */
async function withoutHeld(
  group: readonly Item[],
  outcome: Outcome,
  options: Options,
): Promise<readonly Item[] | string> {
  const ours: Item[] = []
  for (const item of group) {
    // A part, of whichever split, is held as the event that it is of.
    const id = item.id.replace(/(-r\d+)?-\d+$/, '')
    const answer = await adminAnswer(options, 'find', { id })
    if ('wrong' in answer) return answer.wrong
    const { status, body } = answer
    if (status !== 200 || !Array.isArray(body.events)) {
      return `The relay answered ${status} to a question for an event.`
    }
    const found = body.events as readonly Fields[]
    const stateOf = (...states: readonly string[]) =>
      found.find(({ state }) => states.includes(String(state)))
    const parked = stateOf('dead', 'quarantined')
    const recovered = stateOf('recovered')
    if (stateOf('pending')) outcome.pending += 1
    else if (parked && (await isRedriven(id, parked, options))) outcome.redriven += 1
    // What AEP has refused since is another matter.
    else if (recovered?.batch === item.batch) outcome.known += 1
    else ours.push(item)
  }
  return ours
}

async function isRedriven(id: string, { state }: Fields, options: Options): Promise<boolean> {
  const answer = await adminAnswer(options, 'redrive', { state, ids: [id] })
  return !('wrong' in answer) && answer.body.redriven === 1
}

/** Says of one of these whether its person is suppressed, as the relay knew no longer than `REFRESH_INTERVAL_MS` ago; or why not. */
function screening(items: readonly Item[], options: Options, now: () => number) {
  const records: readonly unknown[] = items.map(({ text }) => JSON.parse(text))
  let known: { at: number; indexes: ReadonlySet<number> } | null = null
  return async (item: Item): Promise<boolean | string> => {
    const at = now()
    if (known === null || Math.abs(at - known.at) >= REFRESH_INTERVAL_MS) {
      const answer = await adminAnswer(options, 'screen', { records })
      if ('wrong' in answer) return answer.wrong
      const { status, body } = answer
      const { indexes } = body
      const isList = Array.isArray(indexes) && indexes.every((one) => Number.isInteger(one))
      if (status !== 200 || !isList) {
        return `The relay cannot say whose events these are (it answered ${status}), so nothing is sent: a suppressed person's would be among them. Deploy the relay of this version first.`
      }
      known = { at, indexes: new Set(indexes as number[]) }
    }
    return known.indexes.has(items.indexOf(item))
  }
}
