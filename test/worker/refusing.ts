/**
 * Properties of "AEP refuses everything" over seeded sequences, with several isolates and shards: `rejecting.test.ts` has
 * the cases. fast-check prints seed and path of what fails; `fc.assert(…, { seed, path })` repeats it.
 */
import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { beforeEach, expect, it } from 'vitest'
import type { LocalAdobe, LocalAdobeOptions } from '../../src/local-adobe/app.ts'
import type { Settings } from '../../src/local-adobe/settings.ts'
import { type Agreed, Fleet, type FleetSize, type Step } from './fleet.ts'
import { type Clock, eachTest, outbox } from './support.ts'

const RUNS = 8
/** Some seconds each; a failure is made smaller before it is shown. */
const TIMEOUT_MS = 120_000
const isolate = fc.nat(2)
const size: fc.Arbitrary<FleetSize> = fc.record({
  shards: fc.integer({ min: 2, max: 4 }),
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
  fc.record({ do: fc.constant('restart' as const), shard: fc.nat(3) }),
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
  const own = { ...env } as Record<string, unknown>
  const settings: Partial<Settings> = Object.fromEntries(
    agreed.map(({ setting, ours }) => [setting, ours]),
  )

  eachTest(
    (world) => {
      ;({ aep, clock } = world)
    },
    { ...options, ...settings },
  )
  beforeEach(() => void Object.assign(env, own))

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

  const refusedSince = (seq: number) =>
    new Set(aep.requests.slice(seq).flatMap(({ ids }) => ids)).size

  it(
    'with a wrong setting nothing is dead from the third refusal on',
    async () => {
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
            const since = aep.requests.length
            let known = false
            for (const step of during) {
              await fleet.step(step)
              const dead = await fleet.dead()
              // What a shard cannot know of the others yet; the cron trigger tells it.
              for (const [index, count] of dead.entries()) {
                expect(count - (own[index] as number)).toBeLessThanOrEqual(2)
              }
              const isThird = refusedSince(since) >= 3
              if (step.do === 'cron' && isThird) known = true
              if (known)
                for (const [index, n] of dead.entries())
                  expect(n).toBeLessThanOrEqual(own[index] as number)
            }
            for (let more = 0; more < 3; more += 1) await fleet.post('good', more)
            await fleet.pass(600_000)
            for (const [index, n] of (await fleet.dead()).entries())
              expect(n).toBeLessThanOrEqual(own[index] as number)
            expect(new Set(await fleet.holds())).toEqual(new Set(['rejecting']))
            expect((await fleet.relay(0).health()).body.reasons).toContain('rejecting')
          },
        ),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )

  it(
    'once it is right, everything is delivered with nobody touching it, and no new webhook',
    async () => {
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
              // After a while every event has been refused, and none is left that AEP has not been asked about.
              if (long) await fleet.pass(600_000)
              else await fleet.cron()
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
    },
    TIMEOUT_MS,
  )

  it(
    'among accepted events a bad one is dead at once, and holds up nothing',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          size,
          fc.array(fc.tuple(event, fc.constantFrom(10_000, 30_000)), { maxLength: 30 }),
          async (of, events) => {
            const fleet = await begin(of)
            await fleet.post('good', 0)
            let badInARow = 0
            for (const [{ isolate: at, is }, ms] of events) {
              await fleet.pass(ms)
              const asked = badInARow === 1 ? 'good' : is
              badInARow = asked === 'bad' ? badInARow + 1 : 0
              const { status } = await fleet.post(asked, at)
              expect(status).toBe(asked === 'bad' ? 'dead-lettered' : 'forwarded')
            }
            expect(new Set(await fleet.holds())).toEqual(new Set([undefined]))
          },
        ),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )

  it(
    'a good event that arrives in the hold is the next probe, within a second',
    async () => {
      await fc.assert(
        fc.asyncProperty(size, isolate, steps(20), async (of, at, before) => {
          const fleet = await begin(of)
          for (let each = 0; each < 3; each += 1) await fleet.post('bad', 0)
          for (const step of before) {
            await fleet.step(step.do === 'event' ? { ...step, is: 'bad' } : step)
          }
          await fleet.cron()
          expect(new Set(await fleet.holds())).toEqual(new Set(['rejecting']))
          await fleet.refreshAll()
          const { id, status } = await fleet.post('good', at)
          expect(status).toBe('buffered')
          const index = fleet.shardOf(id)
          const { nextAttemptAt } = await shard(index).status()
          expect(nextAttemptAt).toBeLessThanOrEqual(clock.now + 1_000)
          const { length } = aep.requests
          await fleet.probe(index, 1_000)
          expect(aep.requests[length]?.ids).toEqual([id])
          expect(fleet.delivered).toContain(id)
        }),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )

  it(
    'a good event that comes after any number of bad ones waits for one probe at most',
    async () => {
      await fc.assert(
        fc.asyncProperty(size, isolate, steps(25), async (of, at, before) => {
          const fleet = await begin(of)
          for (const step of before) {
            await fleet.step(step.do === 'event' ? { ...step, is: 'bad' } : step)
          }
          const { id, status } = await fleet.post('good', at)
          if (status !== 'forwarded') {
            const index = fleet.shardOf(id)
            const { length } = aep.requests
            await fleet.probe(index, 1_000)
            expect(aep.requests.slice(length, length + 2).flatMap(({ ids }) => ids)).toContain(id)
          }
          expect(fleet.delivered).toContain(id)
          await expectOnlyBadLeft(fleet)
        }),
        { numRuns: RUNS },
      )
    },
    TIMEOUT_MS,
  )
}
