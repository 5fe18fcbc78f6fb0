/** AEP refuses everything for a while, as it does with a wrong schema: no event dies of it, and all of them arrive. */
import type { Answer } from '../../../src/local-adobe/answer.ts'
import { until } from '../recovery.ts'
import { ARRIVAL_TIMEOUT_MS, type Phase, post, settledLedger, wait } from './phase.ts'

const EVENTS = 120
const REFUSED_FOR_MS = 2_000
const FAILS_FOR_MS = 1_000
const FAILURES: readonly Answer[] = [
  { type: 'status', status: 503 },
  { type: 'status', status: 429 },
  { type: 'status', status: 401 },
  { type: 'reset' },
]

export const refusesEverything: Phase = {
  name: 'refuses-everything',
  promise:
    'while AEP refuses everything no event is dead from the third refusal on, and then all arrive',
  format: 'raw',
  async run(harness) {
    const { adobe } = harness
    adobe.rule({ answer: { type: 'status', status: 400 } })
    const beganAt = Date.now()
    const ids: (string | null)[] = []
    for (let each = 0; each < EVENTS; each += 1) {
      ids.push((await post(harness, `refused ${each}`)).id)
      await wait(REFUSED_FOR_MS / EVENTS)
    }
    const asked = adobe.requests.length
    // One a second, however long the machine takes to post them.
    const may = EVENTS / 3 + (Date.now() - beganAt - REFUSED_FOR_MS) / 1_000
    // What was found out of the refusals must not be asked again at the webhooks' rate when AEP goes down.
    for (const answer of FAILURES) {
      adobe.clearRules()
      adobe.rule({ answer })
      for (const endAt = Date.now() + FAILS_FOR_MS; Date.now() < endAt; await wait(25)) {
        ids.push((await post(harness, `failed ${ids.length}`)).id)
      }
    }
    adobe.clearRules()
    const missing = () => {
      const landed = new Set(adobe.lake.map(({ _id }) => _id))
      return ids.filter((id) => id === null || !landed.has(id))
    }
    // What an isolate knows reaches the others with the next webhooks.
    for (let each = 0; each < 8 && missing().length > 0; each += 1) {
      ids.push((await post(harness, `accepted ${each}`)).id)
      await until(() => missing().length === 0, ARRIVAL_TIMEOUT_MS / 8)
    }
    // AEP has an event a moment before the relay has noted it.
    await wait(500)
    const breaches = missing().map((id) => `${id} is not in AEP`)
    if (asked > may) breaches.push(`${asked} requests while AEP refused everything`)
    return [...breaches, ...(await settledLedger(harness))]
  },
}
