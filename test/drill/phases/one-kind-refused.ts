/**
 * AEP refuses one kind of events for good, three of five, and takes the others: those do not wait for what is found out of the
 * refusals. The first three begin a hold, in which kinds take turns: the second or third probe ends it.
 */
import { latenessOf } from '../bounds.ts'
import { until } from '../recovery.ts'
import { type Answered, ARRIVAL_TIMEOUT_MS, type Phase, post, wait } from './phase.ts'

const EVENTS = 50
const EVERY_MS = 100
const REFUSED = 'of the refused kind'
/** As in the promise; most are there at once. A machine that is busy makes each of the probes as late as a webhook. */
const OLDEST_MS = 5_000
const PROBES = 3

export const oneKindRefused: Phase = {
  name: 'one-kind-refused',
  promise: 'while three of five events are refused for good, the others arrive within seconds',
  format: 'raw',
  async run(harness) {
    const { adobe } = harness
    adobe.rule({ answer: { type: 'status', status: 400 }, containing: REFUSED })
    const good: Answered[] = []
    const refused: Answered[] = []
    for (let each = 0; each < EVENTS; each += 1) {
      if (each % 5 < 3) refused.push(await post(harness, REFUSED, { kind: 'unanswered' }))
      else good.push(await post(harness))
      await wait(EVERY_MS)
    }
    const arrivedAt = () => new Map(adobe.lake.map(({ _id, at }) => [_id, at]))
    await until(() => good.every(({ id }) => arrivedAt().has(id)), ARRIVAL_TIMEOUT_MS)
    const oldestMs = OLDEST_MS + PROBES * latenessOf(harness.webhooks, 0, Date.now())
    const late = good.filter(({ id, at }) => (arrivedAt().get(id) ?? Infinity) - at > oldestMs)
    const breaches = late.length > 0 ? [`${late.length} of ${good.length} good events waited`] : []
    const admin = await harness.admin()
    let dead: string[] = []
    await until(async () => {
      dead = await admin.ids('dead')
      return dead.length === refused.length
    }, ARRIVAL_TIMEOUT_MS)
    const wrong = dead.filter((id) => good.some((each) => each.id === id))
    if (wrong.length > 0) breaches.push(`${wrong.length} good events are dead`)
    if (dead.length !== refused.length) {
      breaches.push(`${dead.length} of ${refused.length} refused events are dead`)
    }
    return breaches
  },
}
