/** A visitor who opted out on the page: nothing of the webhook is relayed, stored or logged, and it is counted. */
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { allStored, conversation, eachTest, type Relay, startRelay } from './support.ts'

let aep: LocalAdobe
let logs: string[]
let relay: Relay

eachTest((world) => {
  ;({ aep, logs } = world)
  relay = startRelay({ OPT_OUT_TRAIT: 'consent.chat=no' })
})

const traits = { consent: { chat: 'no' }, canary: 'canary@example.com' }

describe('a webhook of a visitor who has opted out', () => {
  it.each([
    [
      'feedback',
      conversation({ visitor: { UUID: 'canary', identTraits: JSON.stringify(traits) } }),
    ],
    ['new-conversation', conversation({ visitor: { UUID: 'canary', identTraits: traits } })],
    ['transcript', { messages: [{ text: 'canary' }], visitorTraits: traits }],
    ['transcript', { messages: [{ text: 'canary' }], visitorTraits: JSON.stringify(traits) }],
    ['auto', { visitorTraits: traits, messages: 'canary' }],
    ['feedback', [{ visitor: { identTraits: traits, UUID: 'canary' } }]],
  ])('of %s is answered as suppressed, and leaves a count', async (kind, body) => {
    const { status, body: answer } = await relay.post(kind, body)
    expect([status, answer]).toEqual([202, { status: 'suppressed', id: expect.any(String) }])
    await relay.report()
    expect(aep.requests).toHaveLength(0)
    expect((await relay.get('/status')).body).toMatchObject({ accepted: 0, suppressed: 0 })
    const { points } = (await relay.get('/activity')).body
    expect(points).toMatchObject([{ outcome: 'opted-out', count: 1 }])
    const left = (await allStored()) + logs.join('\n')
    expect(left).not.toContain('canary')
    expect(left).not.toContain(answer.id)
  })

  it('of another value is relayed as ever', async () => {
    const body = conversation({ visitor: { UUID: 'v', identTraits: '{"consent":{"chat":"yes"}}' } })
    expect((await relay.post('feedback', body)).status).toBe(200)
  })

  it('goes to quarantine where the setting is not set', async () => {
    expect(
      (await startRelay().post('feedback', [{ visitor: { identTraits: traits } }])).status,
    ).toBe(422)
  })
})
