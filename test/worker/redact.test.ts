/** What AEP gets of a card number, and what is stored of it. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import {
  type Clock,
  conversation,
  drainAll,
  eachTest,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

const CARD = '4111 1111 1111 1111'

let aep: LocalAdobe
let relay: Relay
let clock: Clock
let logs: string[]

eachTest((world) => {
  ;({ aep, relay, clock, logs } = world)
})

const sent = () => aep.lake.map(({ record }) => JSON.stringify(record))

describe('a card number that a visitor writes', () => {
  it('is not sent, inside the request or from the outbox, and stays in the stored bytes', async () => {
    const body = JSON.stringify(conversation({ message: `It is ${CARD}`, note: { more: CARD } }))
    expect((await relay.post('feedback', body)).body.status).toBe('forwarded')
    aep.rule({ answer: { type: 'status', status: 503 } })
    const later = body.replace('It is', 'It was')
    const { id, status } = (await relay.post('feedback', later)).body
    expect(status).toBe('buffered')
    const stored = await relay.get(`/events/${id}/body`)
    expect(await stored.response.text()).toBe(later)
    clock.advance(90_000)
    aep.clearRules()
    await drainAll(clock)
    expect(aep.lake.map(({ record }) => record)).toEqual([
      expect.objectContaining({ message: 'It is [card]', note: { more: '[card]' } }),
      expect.objectContaining({ message: 'It was [card]', note: { more: '[card]' } }),
    ])
    expect(aep.lake[1]?.record.delaySeconds).toBeGreaterThanOrEqual(90)
    expect(logs.join('\n')).not.toContain('1111')
  })

  /** From now on what has more than 30,000 bytes is split, by the relay and by the outbox. */
  function splitSmaller(): void {
    Object.assign(env, { MAX_EVENT_BYTES: '30000' })
    relay = startRelay()
  }

  it('is in no part of a split event', async () => {
    splitSmaller()
    const message = `${'x'.repeat(90)} ${CARD} `.repeat(430)
    const { status } = await relay.post('feedback', conversation({ message }))
    expect([200, 202]).toContain(status)
    await drainAll(clock)
    expect(aep.lake.length).toBeGreaterThan(1)
    for (const text of sent()) expect(text).not.toMatch(/\d[ ]?1111/)
    expect(await outbox().status()).toMatchObject({ pending: 0, dead: 0, delivered: 1 })
  })

  it('is not sent in a redrive', async () => {
    await relay.post('feedback', conversation())
    aep.rule({ containing: 'refused', answer: { type: 'status', status: 400 } })
    const { status } = (await relay.post('feedback', conversation({ message: `refused ${CARD}` })))
      .body
    expect(status).toBe('dead-lettered')
    aep.clearRules()
    expect((await relay.command('/redrive', { state: 'dead' })).body).toMatchObject({ redriven: 1 })
    await drainAll(clock)
    expect(sent().at(-1)).toContain('refused [card]')
    expect(sent().join('\n')).not.toContain('1111')
  })

  it('is counted by rule in what AEP has accepted, once, however it came there', async () => {
    type Point = { outcome: string; count: number; redacted?: Record<string, number> }
    const redacted = async () => {
      await relay.report()
      const { body } = await relay.get('/activity?step=day')
      const points = body.points as Point[]
      return points.map(({ outcome, count, redacted = null }) => ({ outcome, count, redacted }))
    }
    splitSmaller()
    await relay.post('feedback', conversation())
    expect(await redacted()).toEqual([{ outcome: 'forwarded', count: 1, redacted: null }])
    await relay.post('feedback', conversation({ message: CARD }))
    await relay.post('feedback', conversation({ message: `${CARD} or ${CARD}`, id: 'two' }))
    const forwarded = { outcome: 'forwarded', count: 3, redacted: { card: 3 } }
    expect(await redacted()).toEqual([forwarded])
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', conversation({ message: CARD, id: 'later' }))
    await relay.post(
      'feedback',
      conversation({ message: `${'x'.repeat(90)} ${CARD} `.repeat(430) }),
    )
    const buffered = { outcome: 'buffered', count: 2, redacted: null }
    expect(await redacted()).toEqual([forwarded, buffered])
    clock.advance(90_000)
    aep.clearRules()
    await drainAll(clock)
    const drained = { outcome: 'drained', count: 2, redacted: { card: 431 } }
    expect(await redacted()).toEqual(expect.arrayContaining([forwarded, buffered, drained]))
    // The same once it is folded into hours.
    clock.advance(3 * 3_600_000)
    await relay.scheduled()
    expect(await redacted()).toEqual(expect.arrayContaining([forwarded, buffered, drained]))
  })

  it('is sent where nothing is to be redacted', async () => {
    await startRelay({ REDACT: 'none' }).post('feedback', conversation({ message: CARD }))
    expect(sent()[0]).toContain(CARD)
  })
})
