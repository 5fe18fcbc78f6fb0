/**
 * Faults: how the local AEP misbehaves, in phases of a second or so, by the seed. Every kind of fault comes once
 * before any comes again.
 *
 * Nothing here refuses an event for good, and no phase that takes any events fails most of them, save by saying that
 * there is too much load: what the relay has promised must therefore arrive, and nothing may end as a dead letter.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Answer } from '../../src/local-adobe/answer.ts'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import type { Endpoint, Rule } from '../../src/local-adobe/plan.ts'
import { Deck, type Random } from './random.ts'

type Faults = readonly [Fault, ...Fault[]]
export type Fault = {
  readonly name: string
  readonly answer: Answer
  /** Which of AEP's endpoints has it; the inlet unless said. */
  readonly on?: Endpoint
  /** Its phase begins with every access token revoked. */
  readonly revokes?: boolean
  /** Takes some events all the same: no backlog grows behind it. */
  readonly partial?: boolean
}

/** Each with AEP having the event all the same, and without. */
const hidden = (name: string, answer: Answer): Fault[] => [
  { name, answer: { ...answer, recorded: false } as Answer },
  { name: `${name}, recorded`, answer: { ...answer, recorded: true } as Answer },
]
const status = (
  name: string,
  code: number,
  more: { retryAfter?: number | string } = {},
): Fault => ({
  name,
  answer: { type: 'status', status: code, ...more },
})
const garbage = (['empty', 'text', 'html', 'array', 'null', 'truncated'] as const).flatMap((kind) =>
  hidden(`200 ${kind}`, { type: 'garbage', garbage: kind }),
)

const LOAD: Faults = [
  status('429', 429),
  status('429 Retry-After 0', 429, { retryAfter: 0 }),
  status('429 Retry-After 1', 429, { retryAfter: 1 }),
  {
    name: '429 Retry-After date',
    answer: { type: 'status', status: 429, retryAfter: 1, retryAfterForm: 'date' },
  },
  status('503 Retry-After 1', 503, { retryAfter: 1 }),
  status('408', 408),
]

const FAULTS: Faults = [
  ...LOAD,
  ...hidden('reset', { type: 'reset' }),
  ...hidden('reset in the body', { type: 'reset', where: 'body' }),
  ...hidden('stall', { type: 'stall' }),
  ...hidden('stall in the body', { type: 'stall', where: 'body' }),
  ...hidden('500', { type: 'status', status: 500 }),
  ...hidden('502', { type: 'status', status: 502 }),
  ...hidden('503', { type: 'status', status: 503 }),
  ...hidden('504', { type: 'status', status: 504 }),
  status('401', 401),
  status('403', 403),
  status('404', 404),
  status('302', 302),
  ...garbage,
]

/** Around the time that a request works on AEP itself, so that some are recorded and not waited for. */
const SLOW_MS = [20, 290, 310, 600] as const
/** Half of all faults take their time, so that kills and senders who leave find something under way. */
const MAX_DELAY_MS = 250
/** Of a flaky phase: together they fail less than half of all requests. */
const FLAKY_FAULTS = 6
const FLAKY_SHARE = 0.09
/** Of the requests that one fault of this kind meets beside whatever else there is. */
const PARTIAL_SHARE = 0.4
const PARTIAL_MS = 400

type Kind = 'good' | 'down' | 'flaky' | 'slow' | 'throttled'
const KINDS = [
  'good',
  'good',
  'down',
  'down',
  'flaky',
  'flaky',
  'flaky',
  'slow',
  'throttled',
] as const

/** One phase after the other, until told to stop; the last one stays. */
export class FaultScript {
  readonly #adobe: LocalAdobe
  readonly #random: Random
  readonly #kinds: Deck<Kind>
  readonly #faults: Deck<Fault>
  readonly #load: Deck<Fault>
  readonly #outages: Deck<Fault>
  readonly #partial: Deck<Fault> | null
  /** How many there have been. */
  phases = 0
  /** Names of the faults that were in one of them. */
  readonly met = new Set<string>()

  constructor(adobe: LocalAdobe, random: Random, more: readonly Fault[]) {
    this.#adobe = adobe
    this.#random = random
    this.#kinds = new Deck(KINDS, random)
    this.#faults = new Deck([...FAULTS, ...more], random)
    this.#load = new Deck(LOAD, random)
    const [first, ...others] = more.filter(({ partial }) => partial)
    this.#partial = first ? new Deck([first, ...others], random) : null
    this.#outages = new Deck([...FAULTS, ...more.filter(({ partial }) => !partial)], random)
  }

  async run(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      const kind = this.#kinds.draw()
      const partial = kind === 'down' ? [] : this.#partialRules(1)
      this.#begin([...this.#rulesOf(kind), ...partial])
      const ms = this.#random.int(200, 1_500)
      await delay(ms, undefined, { signal: until }).catch(() => undefined)
    }
  }

  /** Down, and nothing after it: lets a backlog grow. */
  stayDown(): void {
    this.#begin([this.#rule(this.#outages.draw(), 1)])
  }

  /** No faults any more, or soon: the large batches, which can be taken in part, come right after an outage. */
  clear(): void {
    this.#adobe.clearRules()
    for (const rule of this.#partialRules(2)) this.#adobe.rule({ ...rule, forMs: PARTIAL_MS })
  }

  #partialRules(count: number): Rule[] {
    const deck = this.#partial
    return deck ? Array.from({ length: count }, () => this.#rule(deck.draw(), PARTIAL_SHARE)) : []
  }

  #begin(rules: readonly Rule[]): void {
    this.#adobe.clearRules()
    for (const rule of rules) this.#adobe.rule(rule)
    this.phases += 1
  }

  #rulesOf(kind: Kind): Rule[] {
    switch (kind) {
      case 'good':
        return []
      case 'down':
        return [this.#rule(this.#faults.draw(), 1)]
      case 'flaky':
        return Array.from({ length: FLAKY_FAULTS }, () =>
          this.#rule(this.#faults.draw(), FLAKY_SHARE),
        )
      case 'slow':
        return SLOW_MS.map((delayMs) =>
          this.#rule({ name: 'slow', answer: { type: 'normal', delayMs } }, 0.3),
        )
      case 'throttled':
        return [this.#rule(this.#load.draw(), 0.6)]
    }
  }

  #rule({ name, answer, on = 'ingest', revokes }: Fault, probability: number): Rule {
    this.met.add(name)
    if (revokes) this.#adobe.revoke()
    const delayMs = this.#random.chance(0.5) ? this.#random.int(1, MAX_DELAY_MS) : 0
    return { answer: { delayMs, ...answer }, on, probability, seed: this.#random.int(0, 1_000_000) }
  }
}
