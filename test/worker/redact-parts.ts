/** What AEP gets of a card number in a split event, whose parts were stored before the settings changed, or AEP refused one. */
import { evictDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { LocalAdobe, LocalAdobeOptions } from '../../src/local-adobe/app.ts'
import { Envelope } from '../../src/worker/aep/client/client.ts'
import {
  allStored,
  type Clock,
  conversation,
  drainAll,
  drainOnce,
  eachTest,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

const CARD = '4111 1111 1111 1111'
const IBAN = 'NL91 ABNA 0417 1643 00'

export function redactedParts(options: LocalAdobeOptions): void {
  let aep: LocalAdobe
  let relay: Relay
  let clock: Clock
  let body: string
  let id: string

  eachTest((world) => {
    ;({ aep, relay, clock } = world)
  }, options)

  beforeEach(() => {
    // Each part takes a request of its own.
    vi.spyOn(Envelope.prototype, 'batchLength').mockReturnValue(1)
    Object.assign(env, { MAX_EVENT_BYTES: '3000' })
  })

  async function deploy(REDACT: string): Promise<void> {
    Object.assign(env, { REDACT })
    await outbox().status()
    await evictDurableObject(outbox())
    relay = startRelay()
  }

  /** AEP has two parts, and answered the third so. */
  async function storeParts(REDACT: string, status: 400 | 503): Promise<void> {
    await deploy(REDACT)
    const text = `${'x'.repeat(60)} ${CARD} ${IBAN} `.repeat(60)
    body = JSON.stringify(conversation({ message: text, note: { more: text } }))
    // A refusal is the event's own once AEP has taken others.
    await relay.post('feedback', conversation())
    aep.rule({ containing: '"index":2,', answer: { type: 'status', status } })
    id = String((await relay.post('feedback', body)).body.id)
    await drainOnce(clock)
    expect(parts().map(({ _id }) => _id)).toEqual([`${id}-0`, `${id}-1`])
    aep.clearRules()
  }

  const parts = () => aep.lake.filter(({ _id }) => _id?.startsWith(`${id}-`))
  const text = () =>
    parts()
      .map(({ record }) => JSON.stringify(record))
      .join('\n')
  /** What arrived, byte for byte; a part that waits is made of it, and may be redacted already. */
  const expectStored = async () => {
    const { response } = await relay.get(`/events/${id}/body`)
    expect(new TextDecoder().decode(await response.bytes())).toBe(body)
  }
  const stateOf = async () => (await relay.get(`/events/${id}`)).body

  describe('parts that were stored', () => {
    it('and refused are redriven as they were redacted, and the bytes stay as they came', async () => {
      await storeParts('card', 400)
      expect(await stateOf()).toMatchObject({ state: 'dead' })
      await expectStored()
      expect((await relay.command('/redrive', { state: 'dead' })).body).toMatchObject({
        redriven: 1,
      })
      await expectStored()
      await drainAll(clock)
      expect(
        parts()
          .map(({ _id }) => _id)
          .toSorted(),
      ).toEqual(Array.from({ length: parts().length }, (_, index) => `${id}-${index}`).toSorted())
      expect(text()).toContain('[card]')
      expect(text()).not.toContain('1111')
      expect(text()).toContain(IBAN)
      expect(await outbox().status()).toMatchObject({ delivered: 1, pending: 0, dead: 0 })
      expect(await allStored()).not.toContain('1111')
    })

    it.each([400, 503] as const)(
      'in clear, one of them answered %i, are not sent once redaction is on: split anew by a redrive',
      async (status) => {
        await storeParts('none', status)
        const before = parts().length
        await deploy('card')
        await expectStored()
        if (status === 400) await relay.command('/redrive', { state: 'dead' })
        await drainAll(clock)
        expect(parts()).toHaveLength(before)
        expect(await stateOf()).toMatchObject({
          state: 'dead',
          lastError: { code: 'settings-changed' },
        })
        await expectStored()
        expect((await relay.command('/redrive', { state: 'dead' })).body).toMatchObject({
          redriven: 1,
        })
        await drainAll(clock)
        const anew = parts().slice(before)
        expect(anew.length).toBeGreaterThan(1)
        for (const { _id, record } of anew) {
          expect(_id).toMatch(`${id}-r1-`)
          expect(JSON.stringify(record)).not.toContain('1111')
          expect(JSON.stringify(record)).toContain('[card]')
        }
        expect(await outbox().status()).toMatchObject({ delivered: 1, pending: 0, dead: 0 })
      },
    )

    it.each([
      ['none', 'card,iban'],
      ['card', 'card,iban'],
      ['card', 'none'],
    ])('for %s, none of them at AEP, are split anew for %s', async (before, after) => {
      await deploy(before)
      const message = `${'x'.repeat(60)} ${CARD} ${IBAN} `.repeat(60)
      body = JSON.stringify(conversation({ message }))
      aep.rule({ answer: { type: 'status', status: 503 } })
      id = String((await relay.post('feedback', body)).body.id)
      await drainOnce(clock)
      await deploy(after)
      await expectStored()
      aep.clearRules()
      await drainAll(clock)
      for (const [rule, digits] of [
        ['card', '1111'],
        ['iban', '0417'],
      ] as const) {
        expect([rule, text().includes(digits)]).toEqual([rule, !after.includes(rule)])
        expect([rule, text().includes(`[${rule}]`)]).toEqual([rule, after.includes(rule)])
      }
      expect(parts().every(({ _id }) => _id?.startsWith(`${id}-r1-`))).toBe(true)
      expect(await outbox().status()).toMatchObject({ delivered: 1, pending: 0, dead: 0 })
    })
  })
}
