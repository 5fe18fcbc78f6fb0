/**
 * How fast a backlog drains.
 *
 * Measures, first, with 10,000 events stored while relaying is paused: how long `status` and a page of `events` take, and
 * how fast the backlog drains after the resume, with nothing posted meanwhile. Second, in xdm, the same Worker with batches
 * and with one message per request: the ratio of their events per second.
 * Fairness: both are the production bundle on the real `workerd`, the second with one constant changed
 * (`BATCH_MAX_MESSAGES`); rounds alternate, and the ratio is that of the medians. The local AEP runs in this process and
 * parses every message.
 * Not measured: the network between Cloudflare and Adobe, which would favour batches.
 *
 * Exit code 1 when an event is missing, else 0.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { startLocalAdobe } from '../../src/local-adobe/server.ts'
import { median } from './compare.ts'
import { loadCount } from './load.ts'
import { bundleRelay, startWorkerd, type Workerd } from './workerd.ts'

const KEY = 'bench-webhook-key-of-some-length'
const TOKEN = 'bench-admin-token-of-some-length'
const BACKLOG = 10_000
const ROUND = 2_000
const ROUNDS = 3
const CONNECTIONS = 32
const DRAINED_WITHIN_MS = 120_000

const aep = await startLocalAdobe({ mode: 'xdm' })
const variables = {
  AEP_ENDPOINT: `${aep.url}/collection/local-inlet`,
  AEP_FLOW_ID: 'local-flow',
  AEP_ORG_ID: 'LOCAL@AdobeOrg',
  AEP_DATASET_ID: 'local-dataset',
  AEP_SCHEMA_ID: 'https://ns.adobe.com/localtenant/schemas/chatlio',
  AEP_TENANT: 'localtenant',
  WEBHOOK_KEYS: KEY,
  ADMIN_TOKEN: TOKEN,
  FORWARD_TIMEOUT_MS: '0',
}
const object = { binding: 'OUTBOX', className: 'Outbox' }
let serial = 0

const bundle = bundleRelay({ readable: true })

await backlog()
await batching()
await aep.close()
process.exit()

async function backlog(): Promise<void> {
  aep.adobe.set({ mode: 'raw' })
  const relay = await startWorkerd({ name: 'backlog', module: bundle, variables, object })
  await fill(relay, BACKLOG)
  const status = await timed(() => admin(relay, 'GET', '/status'))
  const page = await timed(() => admin(relay, 'GET', '/events?state=pending&limit=200'))
  const middle = await cursorAfter(relay, 25)
  const later = await timed(() =>
    admin(relay, 'GET', `/events?state=pending&limit=200&cursor=${middle}`),
  )
  const perSecond = await drained(relay, BACKLOG)
  console.log(`${BACKLOG} events stored: status ${status}, events ${page}, the 26th page ${later}`)
  console.log(`  drained by itself at ${perSecond.toFixed(0)} events/s (raw, one POST each)`)
  await relay.stop()
}

async function batching(): Promise<void> {
  aep.adobe.set({ mode: 'xdm' })
  const xdm = { ...variables, AEP_FORMAT: 'xdm' }
  const batched = await startWorkerd({ name: 'batched', module: bundle, variables: xdm, object })
  const single = await startWorkerd({
    name: 'single',
    module: withoutBatches(bundle),
    variables: xdm,
    object,
  })
  const rates = new Map<Workerd, number[]>([
    [batched, []],
    [single, []],
  ])
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const relay of round % 2 === 0 ? [batched, single] : [single, batched]) {
      await fill(relay, ROUND)
      rates.get(relay)?.push(await drained(relay, ROUND))
    }
  }
  const [many, one] = [median(rates.get(batched) ?? []), median(rates.get(single) ?? [])]
  console.log(
    `xdm, batches over one by one: ratio ${(many / one).toFixed(1)} (median of ${ROUNDS} rounds of ${ROUND} events)`,
  )
  console.log(`  ${many.toFixed(0)} and ${one.toFixed(0)} events/s`)
  await batched.stop()
  await single.stop()
}

/** The same bundle with at most one message in a batch. */
function withoutBatches(module: string): string {
  const text = readFileSync(module, 'utf8')
  const changed = text.replace(/(BATCH_MAX_MESSAGES = )100\b/, '$11')
  if (changed === text) throw new Error('the bundle has no BATCH_MAX_MESSAGES')
  const single = path.join(path.dirname(module), 'single.js')
  writeFileSync(single, changed)
  return single
}

async function fill(relay: Workerd, count: number): Promise<void> {
  await admin(relay, 'POST', '/pause')
  aep.adobe.reset()
  const target = {
    port: relay.port,
    path: `/chatlio/feedback?key=${KEY}`,
    body: () => {
      serial += 1
      return JSON.stringify({
        visitor: { UUID: `visitor-${serial}`, email: `v${serial}@example.com` },
        message: `Message ${serial}, and some more words as a visitor would write them.`,
        conversationUUID: `conversation-${serial}`,
      })
    },
  }
  const statuses = await loadCount(target, CONNECTIONS, count)
  if (statuses[202] !== count) throw new Error(`not all were stored: ${JSON.stringify(statuses)}`)
}

/** Resumes relaying. Returns events per second, from the resume to the last delivery. */
async function drained(relay: Workerd, count: number): Promise<number> {
  const began = performance.now()
  await admin(relay, 'POST', '/resume')
  for (;;) {
    const { pending } = (await admin(relay, 'GET', '/status')) as { pending: number }
    const ms = performance.now() - began
    if (pending === 0) {
      const landed = new Set(aep.adobe.lake.map(({ _id }) => _id)).size
      if (landed !== count) throw new Error(`${landed} of ${count} events have arrived`)
      return (count * 1_000) / ms
    }
    if (ms > DRAINED_WITHIN_MS) throw new Error(`${pending} events are still pending`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

async function cursorAfter(relay: Workerd, pages: number): Promise<string> {
  let cursor = ''
  for (let page = 0; page < pages; page += 1) {
    const path = `/events?state=pending&limit=200&cursor=${cursor}`
    cursor = ((await admin(relay, 'GET', path)) as { cursor: string }).cursor
  }
  return cursor
}

async function admin(relay: Workerd, method: string, path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${relay.port}/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}` },
  })
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`)
  return response.json()
}

async function timed(ask: () => Promise<unknown>): Promise<string> {
  const all: number[] = []
  for (let time = 0; time < 20; time += 1) {
    const began = performance.now()
    await ask()
    all.push(performance.now() - began)
  }
  return `${median(all).toFixed(1)} ms`
}
