/** The Worker: requests, and the cron trigger that wakes the outbox and raises alerts. */
import { runAlerts } from './alerts/tick.ts'
import { app } from './app.ts'
import { health } from './http/health.ts'
import { within } from './lib/timeout.ts'
import { STORE_TIMEOUT_MS } from './limits.ts'
import { servicesOf } from './services.ts'

export const worker = {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    const services = servicesOf(env)
    try {
      await services.shards.all((shard) => within(STORE_TIMEOUT_MS, shard.wake()))
    } finally {
      // A shard that does not answer is one of the things to alert about.
      await runAlerts({
        ...services,
        fetch: (url, init) => fetch(url, init),
        now: Date.now,
        isWell: async () =>
          ((await (await health(services)).json()) as { status: string }).status === 'ok',
      })
    }
  },
} satisfies ExportedHandler<Env>
