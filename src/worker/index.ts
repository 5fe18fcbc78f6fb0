/** The entry point: requests, the cron trigger, the Durable Object, and the Worker that the object sends through. */
import { handle } from './app.ts'
import { runCron } from './cron.ts'

export { Outbox } from './outbox/outbox.ts'
export { Sender } from './sender.ts'

const worker = {
  fetch: handle,
  scheduled: (_controller, env) => runCron(env),
} satisfies ExportedHandler<Env>

export default worker
