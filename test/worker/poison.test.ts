/** One event that AEP never takes, among good ones. The clock is the test's own. */
import { runDurableObjectAlarm } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { Answer } from '../../src/local-adobe/answer.ts'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import {
  type Clock,
  conversation,
  drainAll,
  drainOnce,
  eachTest,
  outbox,
  type Relay,
} from './support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock
let logs: string[]

eachTest((world) => {
  ;({ logs, clock, aep, relay } = world)
})

const post = (fields = {}) => relay.post('feedback', conversation(fields))
const lines = (event: string) =>
  logs.map((line) => JSON.parse(line)).filter((line) => line.event === event)

describe('a poisoned event', () => {
  const poisons: [string, Answer][] = [
    ['always gets 500', { type: 'status', status: 500 }],
    ['always times out', { type: 'stall' }],
    ['always gets 403', { type: 'status', status: 403 }],
    ['always gets an answer that is none', { type: 'garbage', garbage: 'html' }],
  ]

  it.each(poisons)(
    'that %s dies after thirty strikes, and no good event waits for it',
    async (_, answer) => {
      aep.rule({ containing: 'poison', answer })
      const { body } = await post({ message: 'poison' })
      let good = 0
      for (let minutes = 0; minutes < 400; minutes += 1) {
        const { dead } = await outbox().status()
        if (dead === 1) break
        // A good event every ten seconds, relayed inside its request; the outbox hears of it by the refresh.
        for (let each = 0; each < 6; each += 1) {
          clock.advance(10_000)
          const { body: answered } = await post()
          expect(answered.status).toBe('forwarded')
          good += 1
          const { nextAttemptAt } = await outbox().status()
          if (nextAttemptAt !== null && nextAttemptAt <= clock.now)
            await runDurableObjectAlarm(outbox())
        }
      }
      const { body: event } = await relay.get(`/events/${body.id}`)
      expect(event).toMatchObject({ state: 'dead' })
      expect(event.attempts).toBeGreaterThanOrEqual(31)
      expect(await outbox().status()).toMatchObject({
        accepted: 1,
        dead: 1,
        pending: 0,
        hold: null,
      })
      expect(aep.lake).toHaveLength(good)
      expect(lines('dead-letter')).toMatchObject([{ id: body.id, kind: 'feedback' }])
    },
  )

  it.each(poisons)('that %s stays pending while nothing else arrives', async (_, answer) => {
    aep.rule({ containing: 'poison', answer })
    await post({ message: 'poison' })
    for (let tries = 0; tries < 35; tries += 1) await drainOnce(clock)
    expect(await outbox().status()).toMatchObject({ pending: 1, dead: 0 })
  })

  it('that hangs costs one slot of six, and a backlog passes beside it', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await post({ message: 'poison' })
    for (let each = 0; each < 40; each += 1) await post()
    aep.clearRules()
    aep.rule({ containing: 'poison', answer: { type: 'stall' } })
    await drainAll(clock, 0, 6).catch(() => undefined)
    expect(await outbox().status()).toMatchObject({ delivered: 40, pending: 1 })
    expect(aep.peak).toBeLessThanOrEqual(6)
  })
})
