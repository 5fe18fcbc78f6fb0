/**
 * The Worker's handlers: requests, and the cron trigger, which re-arms a lost alarm, tidies up, reads what landed and raises
 * alerts.
 */
import { runAlerts } from './alerts/tick.ts'
import { app } from './app.ts'
import { readWhatLanded } from './landed-tick.ts'
import { within } from './lib/timeout.ts'
import { STORE_TIMEOUT_MS } from './limits.ts'
import { servicesOf } from './services.ts'

export const worker = {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    const services = servicesOf(env)
    const { outbox, reporter, health, rim } = services
    try {
      await within(STORE_TIMEOUT_MS, outbox().wake(), rim.timers)
      await reporter.report()
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
