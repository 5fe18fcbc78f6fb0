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

const MINUTE = 60_000

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

  /** A good event, relayed inside its request, and an attempt of whatever is due; so often, at this distance. */
  async function goodOnes(count: number, everyMs: number): Promise<void> {
    for (let each = 0; each < count; each += 1) {
      clock.advance(everyMs)
      expect((await post()).body.status).toBe('forwarded')
      await relay.report()
      await runDurableObjectAlarm(outbox())
    }
  }

  it.each(poisons)(
    'that %s dies after thirty strikes over a day, and no good event waits for it',
    async (_, answer) => {
      aep.rule({ containing: 'poison', answer })
      const { body } = await post({ message: 'poison' })
      // The first attempt is no strike, and at fifty minutes each the thirtieth comes after a day and an hour.
      await goodOnes(29, 50 * MINUTE)
      expect(await outbox().status()).toMatchObject({ pending: 1, dead: 0 })
      await goodOnes(3, 50 * MINUTE)
      const { body: event } = await relay.get(`/events/${body.id}`)
      expect(event).toMatchObject({ state: 'dead' })
      expect(event.attempts).toBeGreaterThanOrEqual(31)
      expect(await outbox().status()).toMatchObject({
        accepted: 1,
        dead: 1,
        pending: 0,
        hold: null,
      })
      expect(aep.lake).toHaveLength(32)
      expect(lines('dead-letter')).toMatchObject([{ id: body.id, kind: 'feedback' }])
    },
  )

  it('dies of no number of strikes before a day is over', async () => {
    aep.rule({ containing: 'poison', answer: { type: 'status', status: 500 } })
    const { body } = await post({ message: 'poison' })
    await goodOnes(70, 20 * MINUTE)
    expect((await relay.get(`/events/${body.id}`)).body).toMatchObject({ state: 'pending' })
    await goodOnes(4, 20 * MINUTE)
    expect((await relay.get(`/events/${body.id}`)).body).toMatchObject({ state: 'dead' })
  })

  it.each(poisons)('that %s stays pending while nothing else arrives', async (_, answer) => {
    aep.rule({ containing: 'poison', answer })
    await post({ message: 'poison' })
    for (let tries = 0; tries < 35; tries += 1) await drainOnce(clock)
    expect(await outbox().status()).toMatchObject({ pending: 1, dead: 0 })
  })

  it('that hangs costs one slot, and a backlog passes beside it', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await post({ message: 'poison' })
    for (let each = 0; each < 40; each += 1) await post()
    aep.clearRules()
    aep.rule({ containing: 'poison', answer: { type: 'stall' } })
    await drainAll(clock, 6).catch(() => undefined)
    expect(await outbox().status()).toMatchObject({ delivered: 40, pending: 1 })
  })
})
