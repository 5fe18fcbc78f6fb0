/** A split event while AEP has too much load: `Retry-After` holds for each of its parts. */

import { until } from '../recovery.ts'
import { ARRIVAL_TIMEOUT_MS, type Phase, post, settledLedger, wait } from './phase.ts'

const RETRY_AFTER_S = 3
/** Accepted before the load begins: the split event is in the middle of its parts. */
const ACCEPTED_FIRST = 5
/** The request that is throttled, and those on their way at the same time. */
const MAX_REQUESTS_DURING_WAIT = 6

export const splitThrottled: Phase = {
  name: 'split-throttled',
  promise: 'after a Retry-After no further part is sent until it is over, and then all are',
  format: 'raw',
  vars: { MAX_EVENT_BYTES: '2000' },
  async run(harness) {
    const { adobe } = harness
    adobe.script(...Array.from({ length: ACCEPTED_FIRST }, () => ({ type: 'normal' }) as const))
    adobe.rule({ answer: { type: 'status', status: 429, retryAfter: RETRY_AFTER_S } })
    const large = await post(harness, 'word '.repeat(40_000))
    await wait(RETRY_AFTER_S * 1_000 - 1_000)
    const asked = adobe.requests.length - ACCEPTED_FIRST
    adobe.clearRules()
    const breaches =
      asked > MAX_REQUESTS_DURING_WAIT
        ? [`${asked} requests while AEP had asked to wait ${RETRY_AFTER_S} s`]
        : []
    if (large.status !== 202) breaches.push(`the event was answered ${large.status}`)
    const isWhole = () => {
      const parts = adobe.lake.filter(({ _id }) => _id?.startsWith(`${large.id}-`))
      const { count } = (parts[0]?.record.part ?? {}) as { count?: number }
      return new Set(parts.map(({ _id }) => _id)).size === count
    }
    await until(isWhole, ARRIVAL_TIMEOUT_MS)
    if (!isWhole()) breaches.push(`not all parts are in AEP after ${ARRIVAL_TIMEOUT_MS} ms`)
    await wait(500)
    return [...breaches, ...(await settledLedger(harness))]
  },
}
