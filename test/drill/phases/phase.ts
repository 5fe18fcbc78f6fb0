/**
 * Phase: one hard situation, acted out on a Worker that is started for it alone. Unlike the rounds of a drill nothing in
 * it is random. This file is what phases have in common: their type, and how they post and wait.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Harness, WEBHOOK_KEY } from '../harness.ts'
import { until } from '../recovery.ts'

export type Phase = {
  readonly name: string
  /** What must hold, as a sentence. */
  readonly promise: string
  readonly format: 'raw' | 'xdm'
  /** Variables of the Worker beside those of every drill. */
  readonly vars?: Readonly<Record<string, string>>
  /** Runs `workers/tampered.js` around the bundle. */
  readonly tampered?: boolean
  /** Resolves to the breaches, one line each; none: the promise was kept. */
  run(harness: Harness): Promise<string[]>
}

/** `status` 0: there was no answer, or not in time. `at`: when it was posted. */
export type Answered = { readonly status: number; readonly id: string; readonly at: number }

/** For what hangs: a busy machine takes longer than any of it should. */
const ANSWER_TIMEOUT_MS = 30_000
export const ARRIVAL_TIMEOUT_MS = 60_000

let serial = 0

/** Posts a valid event of its own; `message` is its text. Never throws. */
export async function post(
  harness: Harness,
  message = 'good',
  { visitor, kind = 'feedback' }: { visitor?: string; kind?: 'feedback' | 'unanswered' } = {},
): Promise<Answered> {
  const answered = await send(harness, message, visitor, kind)
  harness.webhooks.push({ ...answered, endedAt: Date.now() })
  return answered
}

async function send(
  harness: Harness,
  message: string,
  visitor: string | undefined,
  kind: string,
): Promise<Answered> {
  serial += 1
  const at = Date.now()
  const UUID = visitor ?? `visitor-${serial}`
  const body = { visitor: { UUID }, message, conversationUUID: `c-${serial}` }
  try {
    const response = await fetch(
      `${await harness.worker.url()}/chatlio/${kind}?key=${WEBHOOK_KEY}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      },
    )
    const { id }: { id?: string } = JSON.parse(await response.text())
    return { status: response.status, id: id ?? '', at }
  } catch {
    return { status: 0, id: '', at }
  }
}

export async function postMany(harness: Harness, count: number): Promise<Answered[]> {
  const answers: Answered[] = []
  for (let each = 0; each < count; each += 1) answers.push(await post(harness))
  return answers
}

/** Waits until AEP has all of them as a whole; a line for what it does not get in time. */
export async function arrivals(
  { adobe, format }: Harness,
  posted: readonly Answered[],
  withinMs = ARRIVAL_TIMEOUT_MS,
): Promise<string[]> {
  const unaccepted = posted.filter(({ status }) => status < 200 || status >= 300)
  const missing = () => {
    const there = Map.groupBy(adobe.lake, (record) => format.eventOf(record))
    return posted.filter(({ id }) => !format.isWhole(there.get(id) ?? []))
  }
  await until(() => missing().length === 0, withinMs)
  return [
    ...(unaccepted.length > 0
      ? [`${unaccepted.length} webhooks were answered ${unaccepted[0]?.status}`]
      : []),
    ...(missing().length > 0
      ? [`${missing().length} of ${posted.length} events are not in AEP after ${withinMs} ms`]
      : []),
  ]
}

/** A line where the ledger does not balance or still counts something as pending, dead or quarantined. */
export async function settledLedger(harness: Harness): Promise<string[]> {
  try {
    const { accepted, delivered, pending, dead, quarantined, erased } = await (
      await harness.admin()
    ).status()
    const isSettled = accepted === delivered + erased && pending + dead + quarantined === 0
    return isSettled
      ? []
      : [`ledger: ${JSON.stringify({ accepted, delivered, pending, dead, quarantined, erased })}`]
  } catch (error) {
    return [`no status: ${error instanceof Error ? error.message : error}`]
  }
}

export const wait = (ms: number) => delay(ms)
