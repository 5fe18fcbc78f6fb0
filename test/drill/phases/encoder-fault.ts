/** A fault of our own: an encoder that throws on some events, inside requests and in the outbox, while AEP fails. */
import { arrivals, type Phase, post, postMany, wait } from './phase.ts'

const OUTAGE_MS = 2_000
/** Two events, each at most every 25 ms; an endless loop prints thousands. */
const MAX_LOG_LINES = 200

export const encoderFault: Phase = {
  name: 'encoder-fault',
  promise: 'events that cannot be encoded are stored and wait; they stop nothing and nobody',
  format: 'raw',
  tampered: true,
  async run(harness) {
    const { adobe, worker } = harness
    const breaches: string[] = []
    adobe.rule({ answer: { type: 'status', status: 503 } })
    // Begins the outage; erased, so that nothing is left that could be encoded.
    const opening = await post(harness)
    await (await harness.admin()).erase(opening.id)
    const stored = [await post(harness, 'unencodable'), await post(harness, 'unencodable')]
    await wait(OUTAGE_MS)
    const lines = await worker.lines((line) => line.includes('not-encoded'))
    if (lines.length > MAX_LOG_LINES) {
      breaches.push(
        `${lines.length} log lines in ${OUTAGE_MS} ms: the outbox tries the same events in a loop`,
      )
    }
    adobe.clearRules()
    breaches.push(...(await arrivals(harness, await postMany(harness, 5))))
    stored.push(await post(harness, 'unencodable'))
    for (const { status } of stored) {
      if (status !== 202) breaches.push(`an event that cannot be encoded was answered ${status}`)
    }
    const admin = await harness.admin()
    const pending = await admin.ids('pending').catch((): string[] => [])
    if (stored.some(({ id }) => !pending.includes(id))) {
      breaches.push(`${pending.length} of ${stored.length} such events are pending`)
    }
    return breaches
  },
}
