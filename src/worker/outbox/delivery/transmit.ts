/**
 * Sends one job, request by request.
 *
 * Promises: the answer to each request is on record before the next request leaves; before each, AEP may still be
 * asked, or the rest is left for later. A part that is not accepted ends the attempt of its event. A batch that AEP
 * refuses as a whole is halved until the culprit stands alone.
 */
import type { Sender } from '../../aep/client/sender.ts'
import type { Verdict } from '../../aep/client/verdict.ts'
import type { OutgoingRecord, Prepared } from './prepare.ts'
import type { End } from './record-outcome.ts'

export type TransmitDeps = {
  sender: Sender
  /** For one request, in milliseconds. */
  timeoutMs: number
  now: () => number
  /** Whether the next request of a job may still be sent. */
  mayContinue: () => boolean
  /** Counts the events of a request that is about to leave. */
  sending: (events: number) => void
  /** A part that AEP has accepted. */
  partAccepted: (prepared: Prepared, part: number, verdict: Verdict, beganAt: number) => void
  /** Attempts that ended with one request. */
  ended: (ends: readonly End[], beganAt: number) => void
  /** Not sent, or not to its end: it stays as it is. */
  giveBack: (prepared: Prepared) => void
}

/** `probe`: one record a request, so that each answer says something. */
export async function transmitEvent(
  prepared: Prepared,
  probe: boolean,
  deps: TransmitDeps,
): Promise<void> {
  const { sender, timeoutMs } = deps
  let left = prepared.records
  let most = probe ? 1 : Number.POSITIVE_INFINITY
  deps.sending(1)
  while (left.length > 0) {
    const fitting = sender.envelope.batchLength(left.map(({ record }) => record))
    const group = left.slice(0, Math.min(fitting, most))
    const beganAt = deps.now()
    const verdicts = await sender.deliverBatch(
      group.map(({ record }) => record),
      timeoutMs,
    )
    if (verdicts === 'bisect') most = Math.ceil(group.length / 2)
    else {
      recordParts(prepared, group, verdicts, beganAt, deps)
      const failed = worstOf(verdicts)
      if (failed) return deps.ended([{ prepared, verdict: failed }], beganAt)
      left = left.slice(group.length)
      const [accepted] = verdicts
      if (left.length === 0 && accepted) {
        return deps.ended([{ prepared, verdict: accepted }], beganAt)
      }
    }
    if (!deps.mayContinue()) return deps.giveBack(prepared)
  }
}

function recordParts(
  prepared: Prepared,
  group: readonly OutgoingRecord[],
  verdicts: readonly Verdict[],
  beganAt: number,
  deps: TransmitDeps,
): void {
  for (const [index, verdict] of verdicts.entries()) {
    const part = group[index]?.part ?? null
    if (part !== null && verdict.verdict === 'accepted') {
      deps.partAccepted(prepared, part, verdict, beganAt)
    }
  }
}

/** An event is dead when one of its parts is refused for good, and waits when one failed otherwise. */
function worstOf(verdicts: readonly Verdict[]): Verdict | undefined {
  return (
    verdicts.find(({ verdict }) => verdict === 'rejected') ??
    verdicts.find(({ verdict }) => verdict !== 'accepted')
  )
}

/**
 * Several events of one record each, in one request. Returns what AEP made of them: `refused-only-together` when it
 * refused them as a batch and then accepted each by itself.
 */
export async function transmitBatch(
  events: readonly Prepared[],
  deps: TransmitDeps,
): Promise<'as-usual' | 'refused-only-together'> {
  deps.sending(events.length)
  const { refused, accepted } = await transmitHalves(events, deps)
  return refused && accepted === events.length ? 'refused-only-together' : 'as-usual'
}

async function transmitHalves(
  events: readonly Prepared[],
  deps: TransmitDeps,
): Promise<{ refused: boolean; accepted: number }> {
  const records = events.map(({ records: [first] }) => first?.record ?? '')
  const beganAt = deps.now()
  const verdicts = await deps.sender.deliverBatch(records, deps.timeoutMs)
  if (verdicts !== 'bisect') {
    const ends = verdicts.flatMap((verdict, index) => {
      const prepared = events[index]
      return prepared ? [{ prepared, verdict }] : []
    })
    deps.ended(ends, beganAt)
    const accepted = verdicts.filter(({ verdict }) => verdict === 'accepted').length
    return { refused: false, accepted }
  }
  const middle = Math.ceil(events.length / 2)
  let accepted = 0
  for (const half of [events.slice(0, middle), events.slice(middle)]) {
    if (deps.mayContinue()) accepted += (await transmitHalves(half, deps)).accepted
    else for (const prepared of half) deps.giveBack(prepared)
  }
  return { refused: true, accepted }
}
