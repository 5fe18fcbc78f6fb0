import { app } from './app.ts'
import { servicesOf } from './services.ts'
export const worker = {
  fetch: app.fetch,
  async scheduled(_controller, env) {
    await servicesOf(env).outbox().wake()
  },
} satisfies ExportedHandler<Env>
