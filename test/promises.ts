/**
 * The promises by which both judge, the drill on the real runtime and the simulation under a virtual clock: custody, ids,
 * ledger, holds, `/health`, alerts, and how often an AEP that fails is asked. Pure.
 */
import { createHash } from 'node:crypto'

/**
 * The `_id` of an event by the documented rule: SHA-256 of the kind in the route, the UTC day unless the body has a name of its
 * own, and the bytes of the body.
 */
export function eventId(segment: string, body: string | Uint8Array, day: string | null): string {
  return createHash('sha256')
    .update(`${segment || 'auto'}\n${day === null ? '' : `${day}\n`}`)
    .update(body)
    .digest('hex')
}

/** Of events that were taken: those that are neither in AEP nor stored, and that nobody has ended. */
export function lost(
  taken: Iterable<string>,
  places: {
    landed: (id: string) => boolean
    stored: (id: string) => boolean
    ended: (id: string) => boolean
  },
): string[] {
  const { landed, stored, ended } = places
  return [...taken].filter((id) => !landed(id) && !stored(id) && !ended(id))
}

type Counts = Record<
  'accepted' | 'delivered' | 'pending' | 'dead' | 'quarantined' | 'erased',
  number
>

/** `accepted = delivered + pending + dead + quarantined + erased`; `null`: it does, else how it does not. */
export function imbalance(counts: Counts): string | null {
  const { accepted, delivered, pending, dead, quarantined, erased } = counts
  const parts = [delivered, pending, dead, quarantined, erased]
  const sum = parts.reduce((a, b) => a + b, 0)
  if (accepted === sum && parts.every((count) => count >= 0)) return null
  return `${accepted} = ${parts.join(' + ')} does not balance`
}

/** Answers of AEP without which nobody would believe in a hold, by its reason. A pause is an operator's. */
const FOUNDED: Readonly<Record<string, (status: number) => boolean>> = {
  rejecting: (status) => status === 400 || status === 422,
  credentials: (status) => status === 401 || status === 403,
  configuration: (status) =>
    (status >= 300 && status < 400) || [402, 404, 405, 406, 409, 410, 415, 426].includes(status),
  upstream: (status) => status === 0 || status === 408 || status === 429 || status >= 500,
}

/** An answer of AEP; `status` 0: none, or none that can be read. */
export type AepAnswer = { readonly at: number; readonly status: number }

/** `foundedMs`: its ground is no older than that. `heardMs` and `quietMs`: of an acceptance that old every isolate has told. */
type HoldTimes = {
  readonly foundedMs: number
  readonly heardMs: number
  readonly quietMs: number
}

/** Why whoever has seen AEP's answers does not agree with a hold, or with an outage, that begins; `null`: they agree. */
export function holdFault(
  { reason, at }: { readonly reason: string; readonly at: number },
  answers: readonly AepAnswer[],
  { foundedMs, heardMs, quietMs }: HoldTimes,
): string | null {
  const founded = FOUNDED[reason]
  const before = answers.filter((answer) => answer.at <= at)
  const refuted =
    reason === 'rejecting' &&
    before.findLast(
      (answer) => isGood(answer.status) && at - answer.at > heardMs && at - answer.at < quietMs,
    )
  if (refuted) return `rejecting, though AEP took one ${at - refuted.at} ms before`
  const isFounded = before.some(
    ({ at: then, status }) => at - then <= foundedMs && founded?.(status),
  )
  return isFounded || !founded ? null : `${reason}, though AEP has said nothing of the kind`
}

const isGood = (status: number) => status >= 200 && status < 300

/** Where `/health` and the answers that webhooks got at the same time contradict each other; too few say nothing. */
export function contradiction(
  health: { status: number; reasons: readonly string[] },
  answers: readonly number[],
): string | null {
  if (answers.length < FEWEST) return null
  if (health.status === 200 && answers.every((status) => status === 503)) {
    return '/health answers 200, and every webhook gets 503'
  }
  if (health.status !== 200 && answers.every((status) => status === 202)) {
    return `/health answers ${health.status} ${health.reasons.join(' ')}, and every webhook is stored`
  }
  return null
}
const FEWEST = 5

export type Notice = { name: string; state: 'firing' | 'still' | 'resolved'; at: number }

/** What is wrong with a notice after the one before of the same alert: raised once, repeated seldom, resolved once. */
export function noticeFault(
  before: Notice | undefined,
  { name, state, at }: Notice,
  repeatMs: number,
): 'raised twice' | 'repeated too soon' | 'resolved, and was not raised' | null {
  const isRaised = before !== undefined && before.name === name && before.state !== 'resolved'
  if (state === 'firing') return isRaised ? 'raised twice' : null
  if (!isRaised) return state === 'resolved' ? 'resolved, and was not raised' : null
  return state === 'still' && at - before.at < repeatMs ? 'repeated too soon' : null
}

/** The same of a whole log of alerts, whatever their names, in the order in which they were sent. */
export function noticeFaults(notices: readonly Notice[], repeatMs: number): string[] {
  const last = new Map<string, Notice>()
  return notices.flatMap((notice) => {
    const fault = noticeFault(last.get(notice.name), notice, repeatMs)
    last.set(notice.name, notice)
    return fault === null ? [] : [`alert ${notice.name} ${notice.state}: ${fault}`]
  })
}

export type Request = { readonly at: number; readonly failed: boolean }

/** Requests in the `windowMs` up to `now`; `null` unless every one in the `failingMs` up to `now` failed. */
export function askedInVain(
  requests: readonly Request[],
  now: number,
  { windowMs, failingMs }: { windowMs: number; failingMs: number },
): number | null {
  let count = 0
  const latest = requests.findLastIndex(({ at }) => at <= now)
  for (let index = latest; index >= 0; index -= 1) {
    const request = requests[index]
    if (!request || request.at < now - failingMs) break
    if (!request.failed) return null
    if (request.at >= now - windowMs) count += 1
  }
  return count
}
