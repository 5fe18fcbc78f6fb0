/** What AEP gets of a card number as xdm, by whatever way it comes there, and what is stored of it. */
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import {
  type Clock,
  conversation,
  drainAll,
  eachTest,
  outbox,
  type Relay,
} from '../worker/support.ts'

const CARD = '4111 1111 1111 1111'

let aep: LocalAdobe
let relay: Relay
let clock: Clock

eachTest(
  (world) => {
    ;({ aep, relay, clock } = world)
  },
  { mode: 'xdm', auth: true },
)

const sent = () => aep.lake.map(({ record }) => JSON.stringify(record))

describe('a card number that a visitor writes', () => {
  it('is not sent in the request, from the outbox or in a redrive, and stays in the stored bytes', async () => {
    await relay.post('feedback', conversation({ message: `in the request ${CARD}` }))
    aep.rule({ containing: 'refused', answer: { type: 'status', status: 400 } })
    const body = JSON.stringify(conversation({ message: `refused ${CARD}`, note: { more: CARD } }))
    const { id, status } = (await relay.post('feedback', body)).body
    expect(status).toBe('dead-lettered')
    expect(await (await relay.get(`/events/${id}/body`)).response.text()).toBe(body)
    aep.clearRules()
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', conversation({ message: `later ${CARD}` }))
    aep.clearRules()
    expect((await relay.command('/redrive', { state: 'dead' })).body).toMatchObject({ redriven: 1 })
    clock.advance(90_000)
    await drainAll(clock)
    expect(sent()).toHaveLength(3)
    for (const text of ['in the request [card]', 'refused [card]', 'later [card]']) {
      expect(sent().join('\n')).toContain(text)
    }
    expect(sent().join('\n')).not.toContain('1111')
  })

  it('is in no part of a split event', async () => {
    await relay.post(
      'feedback',
      conversation({ message: `${'x'.repeat(90)} ${CARD} `.repeat(500) }),
    )
    await drainAll(clock)
    expect(aep.lake.length).toBeGreaterThan(1)
    for (const text of sent()) expect(text).not.toMatch(/\d[ ]?1111/)
    expect(await outbox().status()).toMatchObject({ pending: 0, dead: 0, delivered: 1 })
  })
})
