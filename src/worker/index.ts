/**
 * The entry point: requests, the cron trigger, the Durable Object, and the Worker that the object sends through.
 * The cron trigger re-arms a lost alarm, tidies up, reads what landed and raises alerts.
 */
import { runAlerts } from './alerts/tick.ts'
import { handle } from './app.ts'
import { readWhatLanded } from './landed-tick.ts'
import { within } from './lib/bounded.ts'
import { STORE_TIMEOUT_MS } from './limits.ts'
import { outboxOf } from './outbox/outbox.ts'
import { servicesOf } from './services.ts'

export { Outbox } from './outbox/outbox.ts'
export { Sender } from './sender.ts'

const worker = {
  fetch: handle,
  async scheduled(_controller, env) {
    const services = servicesOf(env)
    const { config, outbox, reporter, health, rim } = services
    try {
      await within(STORE_TIMEOUT_MS, outbox().wake(), rim.timers)
      await reporter.report()
      // What the object of before a jurisdiction was set still holds.
      if (config.outboxJurisdiction !== null) {
        await within(STORE_TIMEOUT_MS, outboxOf(env).wake(), rim.timers)
      }
      await readWhatLanded({ ...services, ...rim })
    } finally {
      // An outbox that does not answer is one of the things to alert about.
      await runAlerts({
        ...services,
        ...rim,
        isWell: () => health.isWell(),
      })
    }
  },
} satisfies ExportedHandler<Env>

export default worker
