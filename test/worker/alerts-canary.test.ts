/** Promise 6, for alerts and drift: no personal data, no secret and no word of AEP in any of them. */
import { expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import conversationSample from '../fixtures/conversation.json'
import offline from '../fixtures/offline-message.json'
import transcript from '../fixtures/transcript.json'
import { DAY, HEARTBEAT, PAGERDUTY, startReceiver, WEBHOOK } from './alerts-support.ts'
import { type Clock, drainAll, eachTest, KEY, startRelay, TOKEN } from './support.ts'

const CANARY = 'canary-7f3a'

let aep: LocalAdobe
let clock: Clock
let logs: string[]

eachTest((world) => {
  ;({ aep, clock, logs } = world)
})

/** The same shape, a canary in every string and beside every field, in its name too. */
function withCanaries(value: unknown): unknown {
  if (typeof value === 'string') return `${CANARY}@example.com ${value}`
  if (Array.isArray(value)) return value.map(withCanaries)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) => [
      [name, withCanaries(each)],
      [`${CANARY}-${name}`, CANARY],
    ]),
  )
}

it('finds no canary in any message, ping, list or log line, whatever goes wrong', async () => {
  const receiver = startReceiver(aep)
  receiver.answer = async () => new Response(`${CANARY} ${WEBHOOK}`, { status: 500 })
  const seen: string[] = []
  const texts: Record<string, number> = {}
  for (const url of [WEBHOOK, PAGERDUTY]) {
    const relay = startRelay({
      ALERT_WEBHOOK_URL: url,
      ALERT_HEARTBEAT_URL: HEARTBEAT,
      PUBLIC_URL: 'https://relay.example.com',
    })
    const quoting = { title: CANARY, report: { message: `found: ${CANARY}` } }
    // 500 before the refusals: while everything is held, nothing is said of the age of what waits.
    for (const status of [200, 500, 400, 422, 403, 404]) {
      const type = status === 200 ? ('normal' as const) : ('status' as const)
      // What the last answer has held is sent first, so that each answer has its own effect.
      aep.clearRules()
      await drainAll(clock)
      aep.rule({ answer: { type, status, body: quoting } as never })
      let serial = 0
      for (const [route, sample] of Object.entries({
        transcript,
        'offline-message': offline,
        feedback: conversationSample,
        auto: conversationSample,
      })) {
        serial += 1
        const own = { [`${CANARY}-x`]: CANARY, serial: `${status}${serial}${url}` }
        await relay.post(route, { ...(withCanaries(sample) as object), ...own })
        await relay.post(route, { ...own, message: { [CANARY]: CANARY }, messages: CANARY })
        await relay.post(route, `{"${CANARY}": ${status}`)
      }
      for (const waitMs of [1, 1_200_000, DAY]) {
        clock.advance(waitMs)
        await relay.scheduled()
      }
      seen.push(JSON.stringify((await relay.get('/alerts')).body))
      seen.push(JSON.stringify((await relay.get('/drift')).body))
      seen.push(JSON.stringify((await relay.command('/alerts/test')).body))
    }
    clock.advance(28 * DAY)
    await relay.scheduled()
  }
  const quoting = () => Promise.reject(new Error(`${CANARY} ${KEY}`))
  const without = startRelay({
    ALERT_WEBHOOK_URL: WEBHOOK,
    ALERT_HEARTBEAT_URL: HEARTBEAT,
    OUTBOX: { getByName: () => new Proxy({}, { get: () => quoting }) },
  })
  for (let runs = 0; runs < 2; runs += 1) {
    clock.advance(DAY)
    await without.scheduled().catch(() => undefined)
  }
  for (const { body } of receiver.messages) {
    const { routing_key: _, ...shown } = body
    seen.push(JSON.stringify(shown))
  }
  for (const name of ['hold', 'queue-age', 'expiring', 'rejected', 'drift', 'storage']) {
    texts[name] = seen.filter((text) => text.includes(`(${name})`)).length
  }
  expect(
    Object.values(texts).every((times) => times > 0),
    JSON.stringify(texts),
  ).toBe(true)
  for (const text of [...seen, ...logs]) {
    for (const secret of [CANARY, KEY, TOKEN, 'secret-of-the', 'secret-routing-key', 'key=']) {
      expect(text).not.toContain(secret)
    }
  }
  expect(receiver.pings.every((ping) => ping.startsWith(HEARTBEAT))).toBe(true)
})
