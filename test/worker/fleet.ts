/**
 * Several isolates and the outbox under one local AEP, for tests of what no single isolate can know: which settings AEP
 * takes, and whose fault a refusal is.
 *
 * Time passes as it does in production: the alarm fires when it is due, and the cron trigger every five minutes. A deploy
 * changes the settings of isolates and outbox, and begins all of them anew.
 */
import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import type { Settings } from '../../src/local-adobe/settings.ts'
import { seeded } from './oracle.ts'
import { alarmAt } from './outbox-support.ts'
import { type Clock, conversation, outbox, type Relay, startRelay } from './support.ts'

const CRON_MS = 300_000

/** One setting that AEP and the relay must agree on: the variable here, the setting there, and a value of neither. */
export type Agreed = { variable: string; setting: keyof Settings; ours: string; other: string }

type Is = 'good' | 'bad'

export type Step =
  | { do: 'event'; isolate: number; is: Is }
  | { do: 'refresh'; isolate: number }
  | { do: 'cron'; isolate: number }
  | { do: 'pass'; ms: number }
  | { do: 'restart' }

/** `seed`: of everything that the relay itself leaves to chance. */
export type FleetSize = { isolates: number; seed: number }

export class Fleet {
  readonly good: string[] = []
  readonly bad: string[] = []
  readonly #aep: LocalAdobe
  readonly #clock: Clock
  readonly #size: FleetSize
  #relays: Relay[] = []
  #cronAt: number

  static async start(aep: LocalAdobe, clock: Clock, size: FleetSize): Promise<Fleet> {
    const fleet = new Fleet(aep, clock, size)
    vi.spyOn(Math, 'random').mockImplementation(seeded(size.seed))
    aep.reset()
    aep.rule({ containing: 'poison', answer: { type: 'status', status: 400 } })
    await fleet.deploy({})
    return fleet
  }

  private constructor(aep: LocalAdobe, clock: Clock, size: FleetSize) {
    this.#aep = aep
    this.#clock = clock
    this.#size = size
    this.#cronAt = clock.now + CRON_MS
  }

  async deploy(variables: Record<string, string>): Promise<void> {
    Object.assign(env, variables)
    await this.#restart()
    this.#relays = Array.from({ length: this.#size.isolates }, () => startRelay())
  }

  async step(step: Step): Promise<void> {
    if (step.do === 'event') await this.post(step.is, step.isolate)
    else if (step.do === 'refresh') await this.relay(step.isolate).report()
    else if (step.do === 'cron') await this.cron(step.isolate)
    else if (step.do === 'pass') await this.pass(step.ms)
    else await this.#restart()
  }

  async post(is: Is, isolate: number): Promise<{ id: string; status: unknown }> {
    // Events of one millisecond are not rare.
    this.#clock.advance(this[is].length % 2)
    const message = is === 'bad' ? 'poison' : 'water'
    const { body } = await this.relay(isolate).post('feedback', conversation({ message }))
    const id = String(body.id)
    this[is].push(id)
    return { id, status: body.status }
  }

  async cron(isolate = 0): Promise<void> {
    await this.relay(isolate).scheduled()
  }

  /** Every alarm and every cron run of this time, in order. */
  async pass(ms: number): Promise<void> {
    const until = this.#clock.now + ms
    for (let runs = 0; runs < 5_000; runs += 1) {
      const alarmAt = (await this.#alarmAt()) ?? Number.POSITIVE_INFINITY
      if (Math.min(alarmAt, this.#cronAt) > until) return this.#clock.set(until)
      if (this.#cronAt <= alarmAt) {
        this.#clock.set(this.#cronAt)
        this.#cronAt += CRON_MS
        await this.cron()
      } else {
        this.#clock.set(alarmAt)
        await runDurableObjectAlarm(outbox())
      }
    }
    throw new Error('the alarm never rests')
  }

  /** The alarms until AEP has been asked something, for so long at most. */
  async probe(ms: number): Promise<void> {
    const until = this.#clock.now + ms
    const { length } = this.#aep.requests
    while (this.#aep.requests.length === length) {
      const at = await this.#alarmAt()
      if (at === null || at > until) return
      this.#clock.set(at)
      await runDurableObjectAlarm(outbox())
    }
  }

  /** All know what any of them knows. */
  async refreshAll(): Promise<void> {
    for (const relay of [...this.#relays, ...this.#relays]) await relay.report()
  }

  relay(isolate: number): Relay {
    return this.#relays[isolate % this.#relays.length] as Relay
  }

  async dead(): Promise<number> {
    return (await outbox().status()).dead
  }

  async hold(): Promise<string | undefined> {
    return (await outbox().status()).hold?.reason
  }

  /** Ids in AEP. */
  get delivered(): Set<string> {
    return new Set(this.#aep.lake.map(({ _id }) => String(_id)))
  }

  #alarmAt(): Promise<number | null> {
    return alarmAt()
  }

  /** An object that does not run has nothing to lose. */
  async #restart(): Promise<void> {
    await evictDurableObject(outbox()).catch(() => undefined)
  }
}
