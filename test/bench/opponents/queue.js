/** A Worker with a queue of its own, on miniflare: what `wrangler dev` runs. It is part of wrangler, and comes with it. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { PORT, UPSTREAM, SCRIPT } = process.env
const wrangler = createRequire(import.meta.url).resolve('wrangler')
const { Miniflare, convertV4MiniflareOptions } = createRequire(wrangler)('miniflare')
new Miniflare(
  convertV4MiniflareOptions({
    host: '127.0.0.1',
    port: Number(PORT),
    modules: true,
    script: readFileSync(SCRIPT, 'utf8'),
    compatibilityDate: '2026-10-01',
    bindings: { UPSTREAM },
    queueProducers: { EVENTS: 'events' },
    // A batch of up to a hundred, and no waiting for it to fill: the fastest that the settings allow.
    queueConsumers: { events: { maxBatchSize: 100, maxBatchTimeout: 0, maxRetries: 100 } },
  }),
)
