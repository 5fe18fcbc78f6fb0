/** Express: a webhook becomes a job, and is acknowledged once Redis has it. */
import { Queue } from 'bullmq'
import express from 'express'

const { PORT, REDIS_PORT } = process.env
const queue = new Queue('events', {
  connection: { host: '127.0.0.1', port: Number(REDIS_PORT) },
  defaultJobOptions: {
    attempts: 1_000_000,
    // Capped by the worker's own strategy.
    backoff: { type: 'capped' },
    removeOnComplete: true,
  },
})
const app = express()
app.use(express.text({ type: () => true, limit: '1536kb' }))
app.post('/webhook', async (request, response) => {
  await queue.add('event', request.body)
  response.status(202).json({ status: 'queued' })
})
app.use((_error, _request, response, _next) => response.status(503).json({ status: 'unavailable' }))
await queue.waitUntilReady()
app.listen(Number(PORT), '127.0.0.1')
