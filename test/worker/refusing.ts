/**
 * Properties of "AEP refuses everything" over sequences of events, with several isolates: `rejecting.test.ts` has the cases.
 * fast-check prints seed and path of what fails; `fc.assert(…, { seed, path })` repeats it.
 */
import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LocalAdobe, LocalAdobeOptions } from '../../src/local-adobe/app.ts'
import type { Settings } from '../../src/local-adobe/settings.ts'
import { QUIET_MS } from '../../src/worker/limits.ts'
import { type Agreed, Fleet, type FleetSize, type Step } from './fleet.ts'
import { type Clock, eachTest, outbox } from './support.ts'

const RUNS = 8
const isolate = fc.nat(2)
const size: fc.Arbitrary<FleetSize> = fc.record({
  isolates: fc.integer({ min: 2, max: 3 }),
  seed: fc.nat(),
})
const event = fc.record({
  do: fc.constant('event' as const),
  isolate,
  is: fc.constantFrom('good' as const, 'good' as const, 'bad' as const),
})
const other: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('refresh' as const), isolate }),
  fc.record({ do: fc.constant('cron' as const), isolate }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 500, 3_000, 20_000) }),
  fc.constant({ do: 'restart' as const }),
)
const steps = (maxLength: number) =>
  fc.array(fc.oneof({ weight: 3, arbitrary: event }, { weight: 2, arbitrary: other }), {
    maxLength,
  })
/** Which side makes it wrong, or right. */
const side = fc.constantFrom('deploy' as const, 'adobe' as const)

export function refusingProperties(agreed: readonly Agreed[], options: LocalAdobeOptions): void {
  let aep: LocalAdobe
  let clock: Clock
  let own: Record<string, unknown>
  const settings: Partial<Settings> = Object.fromEntries(
    agreed.map(({ setting, ours }) => [setting, ours]),
  )

  eachTest(
    (world) => {
      ;({ aep, clock } = world)
      own = { ...env }
    },
    { ...options, ...settings },
  )

  async function begin(of: FleetSize): Promise<Fleet> {
    await reset()
    clock.advance(3_600_000)
    Object.assign(env, own)
    aep.set(settings)
    return Fleet.start(aep, clock, of)
  }

  /** The relay and AEP agree on a setting, or do not, by what one of them does. */
  async function agree(fleet: Fleet, on: Agreed, right: boolean, by: 'deploy' | 'adobe') {
    const { variable, setting } = on
    const [mine, theirs] = [Reflect.get(env, variable), aep.settings[setting]]
    const differing = (value: unknown) => (value === on.ours ? on.other : on.ours)
    if (by === 'deploy') {
      await fleet.deploy({ [variable]: String(right ? theirs : differing(theirs)) })
    } else aep.set({ [setting]: right ? mine : differing(mine) })
  }

  /**
   * Bad events alone cannot show that the settings are right, so some may wait in a hold. With the next good ones each is
   * dead: an event is taken for a sign of a wrong setting once only.
   */
  async function expectOnlyBadLeft(fleet: Fleet): Promise<void> {
    for (let more = 0; more < 3; more += 1) {
      await fleet.refreshAll()
      await fleet.post('good', more)
      await fleet.pass(310_000)
    }
    expect((await fleet.relay(0).get('/status')).body).toMatchObject({
      pending: 0,
      dead: fleet.bad.length,
      hold: null,
    })
    expect(fleet.delivered).toEqual(new Set(fleet.good))
  }

  it('with a wrong setting nothing is dead, once three refusals and a minute have shown it', async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        fc.constantFrom(...agreed),
        side,
        steps(8),
        steps(30),
        async (of, setting, by, before, during) => {
          const fleet = await begin(of)
          for (const step of before) await fleet.step(step)
          await fleet.post('good', 0)
          await fleet.pass(600_000)
          const own = await fleet.dead()
          await fleet.post('good', 1)
          await agree(fleet, setting, false, by)
          for (const step of during) {
            await fleet.step(step)
            // After a deploy the settings are new, and AEP has not accepted anything under them.
            if (by === 'deploy' || (await fleet.hold()) === 'rejecting') {
              expect(await fleet.dead()).toBeLessThanOrEqual(own)
            }
          }
          for (let more = 0; more < 3; more += 1) await fleet.post('good', more)
          await fleet.pass(600_000)
          expect(await fleet.dead()).toBeLessThanOrEqual(own)
          expect(await fleet.hold()).toBe('rejecting')
          expect((await fleet.relay(0).health()).body.reasons).toContain('rejecting')
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('once it is right, everything is delivered with nobody touching it, and no new webhook', async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        fc.array(fc.tuple(fc.constantFrom(...agreed), side, side, steps(15), fc.boolean()), {
          minLength: 1,
          maxLength: 3,
        }),
        async (of, periods) => {
          const fleet = await begin(of)
          for (const [setting, by, rightBy, during, long] of periods) {
            await agree(fleet, setting, false, by)
            for (const step of during) await fleet.step(step)
            for (let more = 0; more < 3; more += 1) await fleet.post('good', more)
            // Long enough to tell a wrong setting from wrong events; or until every event has been refused.
            await fleet.pass(long ? 600_000 : QUIET_MS + 1)
            await agree(fleet, setting, true, rightBy)
          }
          await fleet.pass(900_000)
          const { delivered } = fleet
          expect(fleet.good.filter((id) => !delivered.has(id))).toEqual([])
          await expectOnlyBadLeft(fleet)
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('among accepted events a bad one is dead at once, and holds up nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        fc.array(fc.tuple(event, fc.constantFrom(1_000, 6_000)), { maxLength: 30 }),
        async (of, events) => {
          const fleet = await begin(of)
          await fleet.post('good', 0)
          // Until the outbox has heard that AEP takes events, a refusal kills none.
          await fleet.refreshAll()
          let badInARow = 0
          for (const [{ isolate: at, is }, ms] of events) {
            await fleet.pass(ms)
            // AEP takes one within a minute: then nothing is wrong with the setting, however many it refuses.
            const asked = badInARow === 8 ? 'good' : is
            badInARow = asked === 'bad' ? badInARow + 1 : 0
            const { status } = await fleet.post(asked, at)
            expect(status).toBe(asked === 'bad' ? 'dead-lettered' : 'forwarded')
          }
          expect(await fleet.hold()).toBeUndefined()
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('a good event that arrives in the hold is the next probe, within a second', async () => {
    await fc.assert(
      fc.asyncProperty(size, isolate, steps(20), async (of, at, before) => {
        const fleet = await begin(of)
        for (let each = 0; each < 3; each += 1) await fleet.post('bad', 0)
        for (const step of before) {
          await fleet.step(step.do === 'event' ? { ...step, is: 'bad' } : step)
        }
        await fleet.cron()
        expect(await fleet.hold()).toBe('rejecting')
        await fleet.refreshAll()
        const { id, status } = await fleet.post('good', at)
        expect(status).toBe('buffered')
        const { nextAttemptAt } = await outbox().status()
        expect(nextAttemptAt).toBeLessThanOrEqual(clock.now + 1_000)
        const { length } = aep.requests
        await fleet.probe(1_000)
        expect(aep.requests[length]?.ids).toEqual([id])
        expect(fleet.delivered).toContain(id)
      }),
      { numRuns: RUNS },
    )
  })

  it('a good event that comes after any number of bad ones waits for one probe at most', async () => {
    await fc.assert(
      fc.asyncProperty(size, isolate, steps(25), async (of, at, before) => {
        const fleet = await begin(of)
        for (const step of before) {
          await fleet.step(step.do === 'event' ? { ...step, is: 'bad' } : step)
        }
        const { id, status } = await fleet.post('good', at)
        if (status !== 'forwarded') {
          const { length } = aep.requests
          await fleet.probe(1_000)
          expect(aep.requests.slice(length, length + 2).flatMap(({ ids }) => ids)).toContain(id)
        }
        expect(fleet.delivered).toContain(id)
        await expectOnlyBadLeft(fleet)
      }),
      { numRuns: RUNS },
    )
  })
}
