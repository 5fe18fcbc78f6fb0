/** AEP refuses everything: the setting is wrong, not the events. Nothing dies of it, and all of it arrives once it is right. */
import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import { QUIET_MS } from '../../src/worker/limits.ts'
import { seeded } from './oracle.ts'
import { alarmAt } from './outbox-support.ts'
import {
  type Clock,
  conversation,
  drainAll,
  drainOnce,
  eachTest,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock
let logs: string[]

eachTest((world) => {
  ;({ logs, clock, aep, relay } = world)
})

const post = (fields = {}, by = relay) => by.post('feedback', conversation(fields))
const lines = (event: string) =>
  logs.map((line) => JSON.parse(line)).filter((line) => line.event === event)
const REFUSAL = { type: 'status', status: 400 } as const

/** Posts so many events, each a second after the other. */
async function postMany(count: number, fields = {}): Promise<string[]> {
  const outcomes: string[] = []
  for (let each = 0; each < count; each += 1) {
    clock.advance(1_000)
    outcomes.push(String((await post(fields)).body.status))
  }
  return outcomes
}

/** Lets the alarm fire whenever it is due, for so long. */
async function drainFor(ms: number): Promise<void> {
  const until = clock.now + ms
  for (let runs = 0; runs < 500; runs += 1) {
    const { nextAttemptAt } = await outbox().status()
    if (nextAttemptAt === null || nextAttemptAt > until) break
    await drainOnce(clock)
  }
  clock.set(until)
}

/** AEP has taken one, and then nothing for longer than a minute: what it refuses now, it refuses with everything. */
async function acceptedBefore(): Promise<void> {
  expect((await post()).body.status).toBe('forwarded')
  clock.advance(QUIET_MS + 1_000)
}

/** A deploy with these variables; what was there before is there again at the end of the test. */
async function deploy(variables: Record<string, string>): Promise<void> {
  Object.assign(env, variables)
  await evictDurableObject(outbox())
  relay = startRelay()
}

describe('when AEP refuses everything', () => {
  it('and has never taken anything under these settings, no event is dead, from the first on', async () => {
    aep.rule({ answer: REFUSAL })
    expect(await postMany(2)).toEqual(['buffered', 'buffered'])
    expect((await outbox().status()).hold).toBeNull()
    expect(await postMany(3)).toEqual(['buffered', 'buffered', 'buffered'])
    await drainFor(600_000)
    expect(await outbox().status()).toMatchObject({
      accepted: 5,
      pending: 5,
      dead: 0,
      hold: { reason: 'rejecting' },
    })
  })

  it('no event is dead from the third refusal on, and those before are pending again', async () => {
    await acceptedBefore()
    aep.rule({ answer: REFUSAL })
    expect(await postMany(5)).toEqual([
      'dead-lettered',
      'dead-lettered',
      'buffered',
      'buffered',
      'buffered',
    ])
    expect(await outbox().status()).toMatchObject({
      pending: 5,
      dead: 0,
      hold: { reason: 'rejecting' },
    })
  })

  it('for less than a minute it may be the events’ fault; the alarm looks again when the minute is over', async () => {
    await post()
    aep.rule({ answer: REFUSAL })
    expect(await postMany(5)).toEqual(Array(5).fill('dead-lettered'))
    expect(await outbox().status()).toMatchObject({ pending: 0, dead: 5, hold: null })
    const alarm = Number(await alarmAt())
    expect(alarm).toBeGreaterThan(clock.now)
    expect(alarm).toBeLessThanOrEqual(clock.now + QUIET_MS)
    clock.set(alarm)
    await runDurableObjectAlarm(outbox())
    expect(await outbox().status()).toMatchObject({
      pending: 5,
      dead: 0,
      hold: { reason: 'rejecting' },
    })
  })

  it('counts the refusal of the very millisecond of the last acceptance, and takes it back as well', async () => {
    expect((await post()).body.status).toBe('forwarded')
    aep.rule({ answer: REFUSAL })
    expect((await post()).body.status).toBe('dead-lettered')
    clock.advance(QUIET_MS)
    await postMany(2)
    expect(await outbox().status()).toMatchObject({ dead: 0, hold: { reason: 'rejecting' } })
  })

  it('takes back nothing that died under other settings', async () => {
    aep.rule({ containing: 'poison', answer: REFUSAL })
    for (let each = 0; each < 4; each += 1) {
      await post()
      await postMany(1, { message: 'poison' })
    }
    expect(await outbox().status()).toMatchObject({ dead: 4, hold: null })
    clock.advance(QUIET_MS)
    await deploy({ AEP_FLOW_ID: 'another-flow' })
    aep.rule({ answer: REFUSAL })
    await postMany(4)
    expect(await outbox().status()).toMatchObject({
      pending: 4,
      dead: 4,
      hold: { reason: 'rejecting' },
    })
  })

  it('and then is down, it is asked as seldom as any AEP that is down, however many webhooks come', async () => {
    aep.rule({ answer: REFUSAL })
    await postMany(3)
    for (const answer of [
      { type: 'status', status: 503 },
      { type: 'status', status: 429 },
      { type: 'status', status: 401 },
      { type: 'reset' },
    ] as const) {
      aep.clearRules()
      aep.rule({ answer })
      // Until the wait has grown.
      await drainFor(120_000)
      const before = aep.requests.length
      for (let each = 0; each < 120; each += 1) {
        clock.advance(500)
        await post()
        const { nextAttemptAt } = await outbox().status()
        if (nextAttemptAt !== null && nextAttemptAt <= clock.now) await drainOnce(clock)
      }
      expect(aep.requests.length - before).toBeLessThanOrEqual(23)
    }
  })

  it('kinds take turns at asking, so that one kind that is refused for good hides no other', async () => {
    aep.rule({ containing: 'bad', answer: REFUSAL })
    await postMany(3, { message: 'bad' })
    const { body } = await relay.post('unanswered', conversation({ message: 'good' }))
    clock.advance(1)
    for (let each = 0; each < 100; each += 1) await post({ message: 'bad' })
    expect((await outbox().status()).hold).toMatchObject({ reason: 'rejecting' })
    for (let probes = 0; probes < 2; probes += 1) {
      clock.advance(1_000)
      await drainOnce(clock)
    }
    expect(aep.lake.map(({ _id }) => _id)).toContain(body.id)
    expect((await outbox().status()).hold).toBeNull()
  })

  it('says so in /health, in status, and in the log with AEP’s code', async () => {
    aep.rule({ answer: { type: 'status', status: 422 } })
    await postMany(3)
    expect((await relay.health()).body.reasons).toContain('rejecting')
    expect((await relay.get('/status')).body.hold).toMatchObject({ reason: 'rejecting' })
    expect(lines('hold')).toMatchObject([
      { reason: 'rejecting', code: 'rejected', upstreamStatus: 422 },
    ])
  })

  it('none tries inside its request, and one probe at a time asks, at most one a second', async () => {
    aep.rule({ answer: REFUSAL })
    await postMany(3)
    const before = aep.requests.length
    for (let each = 0; each < 20; each += 1) await post()
    expect(aep.requests.length).toBe(before)
    await drainFor(10_000)
    expect(aep.requests.length - before).toBeLessThanOrEqual(11)
    expect(aep.peak).toBe(1)
  })

  it('everything is delivered by itself once AEP takes events again, though no webhook comes', async () => {
    aep.rule({ answer: REFUSAL })
    await postMany(6)
    await drainFor(300_000)
    aep.clearRules()
    await drainAll(clock)
    expect(await outbox().status()).toMatchObject({ delivered: 6, pending: 0, dead: 0, hold: null })
    expect(lines('hold').at(-1)).toMatchObject({ reason: null, lifted: 'rejecting' })
  })

  it('a good event that arrives in the hold is the next probe, and ends it', async () => {
    aep.rule({ containing: 'poison', answer: REFUSAL })
    await postMany(10, { message: 'poison' })
    await drainFor(600_000)
    const { body } = await post({ message: 'good' })
    expect(body.status).toBe('buffered')
    const { nextAttemptAt } = await outbox().status()
    expect(nextAttemptAt).toBeLessThanOrEqual(clock.now + 1_000)
    await drainOnce(clock)
    expect(aep.lake.map(({ _id }) => _id)).toEqual([body.id])
    await drainAll(clock)
    // Refused once more, after AEP took another: each is its own fault now, and no second hold begins.
    expect(await outbox().status()).toMatchObject({
      delivered: 1,
      dead: 10,
      pending: 0,
      hold: null,
    })
  })

  it('with 413 is no wrong setting: each of those events is too large', async () => {
    aep.rule({ answer: { type: 'status', status: 413 } })
    expect(await postMany(5)).toEqual(Array(5).fill('dead-lettered'))
    expect((await outbox().status()).hold).toBeNull()
  })

  it('the same event again and again is one event', async () => {
    await acceptedBefore()
    aep.rule({ answer: REFUSAL })
    const body = conversation()
    for (let each = 0; each < 5; each += 1) await relay.post('feedback', body)
    expect(await outbox().status()).toMatchObject({ dead: 1, hold: null })
  })

  it('ends when nothing is pending any more', async () => {
    aep.rule({ answer: REFUSAL })
    await postMany(3)
    const { body } = await relay.get('/events?state=pending')
    for (const { id } of body.events as { id: string }[]) await relay.erase(id)
    await relay.scheduled()
    expect((await outbox().status()).hold).toBeNull()
  })

  it('a resume ends it, and the next refusal begins it again', async () => {
    aep.rule({ answer: REFUSAL })
    await postMany(3)
    expect((await relay.command('/resume')).body.hold).toBeNull()
    await postMany(3)
    await drainFor(10_000)
    expect(await outbox().status()).toMatchObject({ hold: { reason: 'rejecting' }, dead: 0 })
  })

  it('is known to every isolate with its next exchange', async () => {
    const other = startRelay()
    await other.report()
    aep.rule({ answer: REFUSAL })
    await postMany(3)
    await other.report()
    const before = aep.requests.length
    expect((await post({}, other)).body.status).toBe('buffered')
    expect(aep.requests.length).toBe(before)
  })
})

describe('among accepted events', () => {
  it('a refused one is dead at once, and holds up nothing', async () => {
    await post()
    aep.rule({ containing: 'poison', answer: REFUSAL })
    for (let each = 0; each < 6; each += 1) {
      clock.advance(1_000)
      expect((await post({ message: 'poison' })).body.status).toBe('dead-lettered')
      expect((await post({ message: 'good' })).body.status).toBe('forwarded')
    }
    expect(await outbox().status()).toMatchObject({ dead: 6, pending: 0, hold: null })
  })

  it.each([0.2, 0.6, 0.9])(
    'one kind refused for good at %d of five a second begins no hold, and no good event waits',
    async (share) => {
      const random = seeded(7)
      const isolates = [startRelay(), startRelay()]
      for (const each of isolates) await post({}, each)
      aep.rule({ containing: 'poison', answer: REFUSAL })
      for (let each = 0; each < 150; each += 1) {
        clock.advance(200)
        const message = random() < share ? 'poison' : 'good'
        const { body } = await post({ message }, isolates[each % 2])
        expect(body.status).toBe(message === 'good' ? 'forwarded' : 'dead-lettered')
      }
      expect(lines('hold')).toEqual([])
      expect(await outbox().status()).toMatchObject({ pending: 0, hold: null })
    },
  )

  it('nothing that is good is ever dead, whatever comes in which order', async () => {
    const step = fc.constantFrom('good', 'poison', 'drain', 'wrong', 'right')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        aep.clearRules()
        const good = new Set<unknown>()
        aep.rule({ containing: 'poison', answer: REFUSAL })
        for (const each of steps) {
          clock.advance(1_500)
          if (each === 'wrong') {
            // For more than a minute, and three refusals: so long it takes to tell a wrong setting from a wrong event.
            aep.rule({ answer: REFUSAL })
            for (let more = 0; more < 6; more += 1) {
              clock.advance(QUIET_MS / 5)
              good.add((await post({ message: 'good' })).body.id)
            }
            await drainFor(QUIET_MS)
          } else if (each === 'right') {
            aep.clearRules()
            aep.rule({ containing: 'poison', answer: REFUSAL })
          } else if (each === 'drain') await runDurableObjectAlarm(outbox())
          else {
            const { body } = await post({ message: each })
            if (each === 'good') good.add(body.id)
          }
        }
        aep.clearRules()
        aep.rule({ containing: 'poison', answer: REFUSAL })
        // Each good event shows that the setting is right; bad ones alone may begin the next hold.
        for (let more = 0; more < 3; more += 1) {
          good.add((await post({ message: 'good' })).body.id)
          await drainFor(120_000)
        }
        const delivered = new Set(aep.lake.map(({ _id }) => _id))
        expect([...good].filter((id) => !delivered.has(id as string))).toEqual([])
      }),
      { numRuns: 15 },
    )
  })
})
