/**
 * Promise 6, for every line there is: each log event is provoked with a canary in all that could be quoted: bodies, AEP's
 * answers, the text of every error that is thrown. In xdm, where batches are refused too.
 */
/// <reference types="vite/types/importMeta.d.ts" />
import { env } from 'cloudflare:workers'
import { expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { landedSince } from '../../src/worker/aep/landed.ts'
import { refuseWrites, storeRequest } from '../worker/outbox-support.ts'
import {
  type Clock,
  conversation,
  drainAll,
  drainOnce,
  eachTest,
  KEY,
  outbox,
  startRelay,
  TOKEN,
} from '../worker/support.ts'

const CANARY = 'canary-7f3a'
const ALERTS = 'https://hooks.example.com/services/secret-of-the-webhook'
const HEARTBEAT = 'https://beat.example.com/secret-of-the-heartbeat'

/** Of every call of `logLine`, so that a new line fails here until it is provoked below. */
const EVENTS = Object.values(
  import.meta.glob<string>('../../src/worker/**/*.ts', {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
).flatMap((text) =>
  [...text.matchAll(/logLine\([^;]{0,80}?event: '([a-z-]+)'/g)].map(([, name]) => name),
)

let aep: LocalAdobe
let clock: Clock
let logs: string[]

eachTest(
  (world) => {
    ;({ aep, clock, logs } = world)
  },
  { mode: 'xdm', auth: true },
)

/** The outbox, of which these methods fail, each with a canary in the text of its error. */
const failing = new Set<PropertyKey>()
const OUTBOX = {
  getByName: (name: string) =>
    new Proxy(env.OUTBOX.getByName(name), {
      get:
        (stub, method) =>
        (...values: unknown[]) => {
          if (failing.has(method)) return Promise.reject(new TypeError(`${CANARY} ${KEY}`))
          // The object itself has no credential to read with.
          if (method === 'beginLanded') return Promise.resolve(landedSince(0))
          const methods = stub as unknown as Record<PropertyKey, (...values: unknown[]) => unknown>
          return methods[method]?.(...values)
        },
    }),
}
async function without(method: string, work: () => Promise<unknown>) {
  failing.add(method)
  await work()
  failing.delete(method)
}

/** Every such write fails, and quotes the canary. */
async function unwritable(what: string, work: () => Promise<unknown>) {
  const mend = await refuseWrites(what, CANARY)
  await work()
  await mend()
}

const answer = (status: number) =>
  ({ type: 'status', status, body: { title: CANARY, report: { message: CANARY } } }) as const
const body = () =>
  conversation({
    visitor: { UUID: `${CANARY}-${crypto.randomUUID()}`, email: `${CANARY}@example.com` },
    message: CANARY,
    [`${CANARY}-field`]: CANARY,
  })

it('finds no canary, key or token in any log event that there is', async () => {
  const answers = { alerts: 200, heartbeat: 200, batches: true }
  vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
    const url = String(input)
    if (url === ALERTS) return new Response(CANARY, { status: answers.alerts })
    if (url.startsWith(HEARTBEAT)) return new Response(CANARY, { status: answers.heartbeat })
    if (url.includes('/data/') || url.includes('local-reader'))
      return new Response(CANARY, { status: 403 })
    if (!answers.batches && url.includes('/batch/')) return new Response(CANARY, { status: 400 })
    return aep.fetch(input as string, init as RequestInit)
  })
  const own = { OUTBOX, ALERT_WEBHOOK_URL: ALERTS, ALERT_HEARTBEAT_URL: HEARTBEAT }
  const relay = startRelay(own)
  const storing = startRelay({ ...own, FORWARD_TIMEOUT_MS: '0' })
  const post = (by = relay) => by.post('feedback', body())
  const refused = async (status: number, times: number) => {
    aep.rule({ answer: answer(status) })
    for (let each = 0; each < times; each += 1) {
      clock.advance(1_000)
      await post()
    }
  }
  const recover = async () => {
    aep.clearRules()
    clock.advance(120_000)
    await drainAll(clock)
    await relay.scheduled()
  }

  await startRelay({ AEP_ENDPOINT: `${CANARY}://x` }).post('feedback', body())
  await relay.command('/resume')
  await recover()
  await without('reportDrift', () => post())
  await without('exchange', () => relay.report())
  await without('status', () => relay.get('/status'))
  await without('logAction', () => relay.command('/resume'))
  await without('store', () => post(storing))
  await without('alertFacts', () => relay.scheduled())
  const reading = startRelay({
    ...own,
    AEP_READ_CLIENT_ID: 'local-reader',
    AEP_READ_CLIENT_SECRET: 'secret-of-the-reader',
    AEP_PLATFORM_URL: 'http://127.0.0.1:8788',
  })
  await without('beginLanded', () => reading.scheduled())
  await reading.scheduled()

  const { stringify } = JSON
  vi.spyOn(JSON, 'stringify').mockImplementation((...values: Parameters<typeof stringify>) => {
    const text = stringify(...values)
    if (text?.includes('"eventType"') && text.includes(CANARY)) throw new RangeError(CANARY)
    return text
  })
  await post()
  vi.mocked(JSON.stringify).mockRestore()
  await recover()

  await refused(422, 1)
  await recover()
  await refused(400, 4)
  answers.alerts = 500
  answers.heartbeat = 500
  await relay.scheduled()
  answers.alerts = 200
  await relay.scheduled()
  await recover()
  await refused(503, 2)
  await drainOnce(clock)
  await recover()

  answers.batches = false
  for (let each = 0; each < 4; each += 1) await post(storing)
  await drainAll(clock)
  answers.batches = true

  // One that could be read when it was stored.
  await outbox().store(storeRequest(1, { body: new TextEncoder().encode(`{"${CANARY}": `) }))
  await relay.scheduled()
  await drainAll(clock)

  await post(storing)
  await post()
  await unwritable('INSERT ON reports', () => relay.report())
  await unwritable('UPDATE ON ledger', () => drainOnce(clock))
  await recover()
  clock.advance(31 * 86_400_000)
  await relay.scheduled()

  const seen = new Set(logs.map((line) => JSON.parse(line).event))
  expect(EVENTS.length).toBeGreaterThan(20)
  expect(EVENTS.filter((name) => !seen.has(name))).toEqual([])
  for (const line of logs) {
    for (const secret of [CANARY, KEY, TOKEN, 'secret-of-the', 'key=']) {
      expect(line).not.toContain(secret)
    }
  }
})
