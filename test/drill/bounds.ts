/**
 * Bounds: what holds at every moment of a drill, in its rounds and in its phases: an AEP that fails is asked seldom, a good
 * event waits no longer than AEP makes it, `/health` says what webhooks get, a hold and an outage have a ground in what AEP
 * said, and an alert is raised once and resolved once. Pure.
 */
import type {
  LakeRecord,
  RequestRecord,
  TokenRequestRecord,
} from '../../src/local-adobe/streaming/lake.ts'
import {
  type AepAnswer,
  askedInVain,
  contradiction,
  holdFault,
  type Notice,
  noticeFaults,
  type Request,
} from '../promises.ts'
import type { Look } from './health.ts'

/** A webhook and its answer; `status` 0: none. */
export type Webhook = {
  readonly id: string | null
  readonly at: number
  readonly endedAt: number
  readonly status: number
}

export type Seen = {
  readonly webhooks: readonly Webhook[]
  readonly requests: readonly RequestRecord[]
  readonly tokenRequests: readonly TokenRequestRecord[]
  readonly lake: readonly LakeRecord[]
  readonly eventOf: (record: LakeRecord) => string | null
  /** When the Worker was started. */
  readonly starts: readonly number[]
  readonly looks: readonly Look[]
  readonly said: readonly Said[]
}

/** A JSON line of the Worker's log, and when it was printed. */
export type Said = { readonly at: number; readonly line: Readonly<Record<string, unknown>> }

export type Bounds = {
  readonly mostAsked: number
  readonly oldestMs: number
  readonly breaches: string[]
}

/** As a minute is to the default waits, so is this to those of a drill, which are a hundred times shorter. */
const WINDOW_MS = 1_000
/** At first those under way fail, and each learns of it: within `DRAIN_TIMEOUT_MS`, and as long as the machine takes. */
const FAILING_MS = 1_500
/** What takes a webhook longer is the machine: AEP has `FORWARD_TIMEOUT_MS`, and a store takes milliseconds. */
const PROMPT_MS = 500
/** The outbox asks once a second, one isolate after 0.3 s and longer; webhooks come at up to 60 a second. */
const MOST_ASKED = 8
/** From the moment when AEP last failed anything; several times the longest `Retry-After`. */
const OLDEST_MS = 10_000
/** What a hold or an outage is founded on: a timeout, on a machine that is busy. One acceptance in the last minute refutes. */
const HOLD_TIMES = { foundedMs: 5_000, heardMs: 1_000, quietMs: 45_000 }
const REPEAT_MS = 4 * 3_600_000
/** `/health` repeats an answer for two seconds. */
const STALE_MS = 3_000
const FEWEST_WEBHOOKS = 5

export function judgeBounds(seen: Seen): Bounds {
  const asked = inVain(seen)
  const mostAsked = most(asked.map(({ count }) => count))
  const tooOften = asked.find(({ count, may }) => count > may)
  const ages = agesOf(seen)
  // An event waits for those before it, each as late as the machine is.
  const oldestMs = OLDEST_MS + 5 * latenessOf(seen.webhooks, 0, Infinity)
  return {
    mostAsked,
    oldestMs: most(ages.map(({ ms }) => ms)),
    breaches: [
      ...(tooOften
        ? [
            `${tooOften.count} requests within ${WINDOW_MS} ms to an AEP that failed: ${around(seen, tooOften.at)}`,
          ]
        : []),
      ...ages
        .filter(({ ms }) => ms > oldestMs)
        .map(({ id, ms }) => `${id} came ${ms} ms after AEP had failed anything`),
      ...healthFaults(seen),
      ...holdFaults(seen),
      ...alertFaults(seen),
    ],
  }
}

const most = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), 0)

/**
 * A Worker that has just started knows nothing yet. A webhook that cannot be stored costs a request whatever is known: AEP is
 * its last resort.
 */
function inVain({
  requests,
  starts,
  webhooks,
}: Seen): { at: number; count: number; may: number }[] {
  const all: Request[] = requests.map(({ at, status }) => ({ at, failed: !isGood(status) }))
  const first = all[0]?.at ?? 0
  return all
    .map(({ at }) => at)
    .map((at) => ({ at, late: latenessOf(webhooks, at - 2 * FAILING_MS, at) }))
    .map(({ at, late }) => ({ at, late, failingMs: FAILING_MS + late }))
    .filter(({ at, failingMs }) => at - first > failingMs && !happened(starts, at - failingMs, at))
    .map(({ at, late, failingMs }) => {
      const asked = askedInVain(all, at, { windowMs: WINDOW_MS, failingMs }) ?? 0
      const unstored = webhooks.filter(
        (each) => each.status === 503 && each.at <= at && each.endedAt >= at - WINDOW_MS,
      )
      // What was asked in so long may be seen at once.
      return { at, count: asked - unstored.length, may: MOST_ASKED * (1 + late / WINDOW_MS) }
    })
}

/** The requests up to that moment, for whoever has to find out why. */
function around({ requests, webhooks }: Seen, moment: number): string {
  const from = moment - WINDOW_MS - FAILING_MS
  const asked = requests.filter(({ at }) => at >= from && at <= moment)
  const answers = asked.map(({ at, status }) => `${at - moment} ms ${status ?? 'none'}`)
  return `${answers.join(', ')}; webhooks took up to ${latenessOf(webhooks, from, moment) + PROMPT_MS} ms`
}

/** How much longer than it should the slowest webhook of that time took, on a machine that is busy with something else. */
export function latenessOf(webhooks: readonly Webhook[], from: number, to: number): number {
  const near = webhooks.filter(({ at, endedAt }) => at <= to && endedAt >= from)
  return Math.max(0, most(near.map(({ at, endedAt }) => endedAt - at)) - PROMPT_MS)
}

/** How long each event waited, though AEP failed nothing and the Worker ran. */
function agesOf({ webhooks, requests, lake, eventOf, starts }: Seen) {
  const hindered = [
    ...starts,
    ...requests.filter(({ status }) => !isGood(status)).map(({ at }) => at),
  ].sort((a, b) => a - b)
  const postedAt = new Map<string, number>()
  for (const { id, at, status } of webhooks) {
    if (id && isGood(status)) postedAt.set(id, Math.min(at, postedAt.get(id) ?? at))
  }
  const ages = new Map<string, { id: string; ms: number }>()
  for (const record of lake) {
    const id = eventOf(record)
    const from = id === null ? undefined : postedAt.get(id)
    if (id === null || from === undefined || ages.has(id)) continue
    const since = hindered.findLast((at) => at <= record.at) ?? from
    ages.set(id, { id, ms: record.at - Math.max(from, since) })
  }
  return [...ages.values()]
}

/** Where `/health` and the webhooks of the last seconds contradict each other, and where it does not know that AEP fails. */
function healthFaults({ looks, webhooks, requests, starts }: Seen): string[] {
  const faults = new Set<string>()
  for (const { at, status, reasons } of looks) {
    // What a webhook waits for, a look does too, and what the outbox says to it.
    const from = at - STALE_MS - 2 * latenessOf(webhooks, at - 2 * STALE_MS, at)
    if (happened(starts, from, at)) continue
    const got = webhooks.filter((each) => each.at >= from && each.endedAt <= at && each.status > 0)
    if (got.length < FEWEST_WEBHOOKS) continue
    const contradicts = contradiction(
      { status, reasons },
      got.map((each) => each.status),
    )
    if (contradicts) faults.add(contradicts)
    const asked = requests.filter((each) => each.at >= from && each.at <= at)
    const isDown = asked.length >= FEWEST_WEBHOOKS && asked.every((each) => fails(each.status))
    if (isDown && reasons.length === 0) faults.add('/health says ok, and AEP fails everything')
  }
  return [...faults]
}

/**
 * Holds and outages that begin. After a start the Worker goes by what it had written down: when AEP last accepted may be old.
 * A prompt answer, or a token, is late on a machine that is busy: only the simulation, whose clock is its own, judges timeouts.
 */
function holdFaults({ said, requests, tokenRequests, starts }: Seen): string[] {
  // IMS may answer 200 with a token that cannot be one.
  const tokens = tokenRequests.map(({ at, status, isIssued }) => {
    return { at, status: status === 200 && !isIssued ? 0 : status }
  })
  const known: AepAnswer[] = [...requests.flatMap(saidBy), ...tokens]
    .map(({ at, status }) => ({ at, status: status ?? 0 }))
    .sort((a, b) => a.at - b.at)
  return said.flatMap(({ at, line: { event, reason, status, code, imsStatus } }) => {
    const isLate = code === 'timeout' || (code === 'token' && imsStatus === undefined)
    const isOutage = event === 'upstream' && status === 'failing' && !isLate
    const isHold = event === 'hold' && typeof reason === 'string'
    if (!isOutage && !isHold) return []
    const started = starts.findLast((moment) => moment <= at) ?? 0
    const times = { ...HOLD_TIMES, quietMs: Math.min(HOLD_TIMES.quietMs, at - started) }
    const fault = holdFault({ reason: isOutage ? 'upstream' : String(reason), at }, known, times)
    return fault === null ? [] : [`${isOutage ? 'outage' : 'hold'}: ${fault}`]
  })
}

/**
 * What an answer says: its status, those of the messages of a batch, since the parts of one event share one, and 0 where
 * it cannot be read, or has another number of them.
 */
function saidBy({ at, ids, status, items, cut }: RequestRecord) {
  const isUnreadable = cut !== undefined || (items !== undefined && items.length !== ids.length)
  return [status, ...(items ?? []), ...(isUnreadable ? [0] : [])].map((each) => {
    return { at, status: each }
  })
}

function alertFaults({ said }: Seen): string[] {
  const notices = said
    .filter(({ line }) => line.event === 'alert' && line.sent === true)
    .map(({ at, line }) => ({ at, name: String(line.name), state: line.state as Notice['state'] }))
  return noticeFaults(notices, REPEAT_MS)
}

const isGood = (status: number | null) => status !== null && status >= 200 && status < 300
/** 400 and 422 may speak of the events alone, and on a busy machine those that AEP takes are not among the last few. */
const fails = (status: number | null) => !isGood(status) && status !== 400 && status !== 422
const happened = (moments: readonly number[], from: number, to: number) =>
  moments.some((at) => at >= from && at <= to)
