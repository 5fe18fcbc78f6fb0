/** Takes jobs and posts them; what fails waits longer each time, up to a minute, with jitter. */
import { Worker } from 'bullmq'

const { REDIS_PORT, UPSTREAM } = process.env

const worker = new Worker(
  'events',
  async ({ data }) => {
    const answer = await fetch(UPSTREAM, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: data,
      signal: AbortSignal.timeout(15_000),
    })
    await answer.text()
    if (!answer.ok) throw new Error(`the upstream answered ${answer.status}`)
  },
  {
    // As many as the relay sends at once.
    concurrency: 48,
    connection: { host: '127.0.0.1', port: Number(REDIS_PORT), maxRetriesPerRequest: null },
    settings: {
      backoffStrategy: (attempts) =>
        Math.random() * Math.min(60_000, 1_000 * 2 ** Math.min(attempts, 16)),
    },
  },
)
worker.on('error', (error) => console.error(error.message))
