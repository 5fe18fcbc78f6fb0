/** What AEP gets of a card number, and what is stored of it. */
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

  it('is in no part of a split event', async () => {
    const message = `${'x'.repeat(90)} ${CARD} `.repeat(13_000)
    const { status } = await relay.post('feedback', conversation({ message }))
    expect([200, 202]).toContain(status)
    await drainAll(clock)
    expect(aep.lake.length).toBeGreaterThan(1)
    for (const text of sent()) expect(text).not.toMatch(/\d[ ]?1111/)
    expect(await outbox().status()).toMatchObject({ pending: 0, dead: 0, delivered: 1 })
  })

  it('is sent where nothing is to be redacted', async () => {
    await startRelay({ REDACT: 'none' }).post('feedback', conversation({ message: CARD }))
    expect(sent()[0]).toContain(CARD)
  })
})
