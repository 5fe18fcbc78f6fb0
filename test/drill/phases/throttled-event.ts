/** One event that AEP always throttles, among good ones that keep coming. */
import type { Harness } from '../harness.ts'
import { type Answered, arrivals, type Phase, post, wait } from './phase.ts'

const RETRY_AFTER_S = 3
/** A few throttled tries: until two of them had acceptances in between, the destination may be blamed. */
const LEARN_MS = 4 * RETRY_AFTER_S * 1_000 + 2_000
const THEN_MS = 6_000
const EVERY_MS = 100
/** Half of `Retry-After`: while the destination waits for the throttled event, half of the good ones or more are later. */
const SOON_MS = 1_500
/** Room for a busy machine. */
const MAX_LATE_SHARE = 0.1

export const throttledEvent: Phase = {
  name: 'throttled-event',
  promise: 'an event that is always throttled waits its own time, and good ones pass meanwhile',
  format: 'raw',
  // Through the outbox, where good events share their shard with the throttled one.
  vars: { FORWARD_TIMEOUT_MS: '0' },
  async run(harness) {
    const { adobe } = harness
    adobe.rule({
      containing: 'too much',
      answer: { type: 'status', status: 429, retryAfter: RETRY_AFTER_S },
    })
    const throttled = await post(harness, 'too much')
    const first = await postFor(LEARN_MS, harness)
    const then = await postFor(THEN_MS, harness)
    const breaches = await arrivals(harness, [...first, ...then])
    const arrivedAt = new Map(adobe.lake.map(({ _id, at }) => [_id, at]))
    const late = then.filter(({ id, at }) => (arrivedAt.get(id) ?? Infinity) - at > SOON_MS)
    if (late.length > then.length * MAX_LATE_SHARE) {
      breaches.push(`${late.length} of ${then.length} good events took longer than ${SOON_MS} ms`)
    }
    adobe.clearRules()
    return [...breaches, ...(await arrivals(harness, [throttled]))]
  },
}

async function postFor(ms: number, harness: Harness): Promise<Answered[]> {
  const posted: Answered[] = []
  for (const until = Date.now() + ms; Date.now() < until; await wait(EVERY_MS)) {
    posted.push(await post(harness))
  }
  return posted
}
