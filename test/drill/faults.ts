/**
 * Faults: how the local AEP misbehaves, in phases of about a second, chosen by the seed. Every fault occurs once before
 * any occurs again.
 *
 * No fault rejects an event, and a phase that accepts some events fails less than half of the others, except with 429 and
 * the like. So everything the relay has accepted must arrive, and nothing may become a dead letter.
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
  /** The endpoint that fails; the inlet by default. */
  readonly on?: Endpoint
  /** Revokes every access token when its phase begins. */
  readonly revokes?: boolean
  /** Accepts some of the events, so that no backlog builds up. */
  readonly partial?: boolean
}

/** Each answer twice: AEP has the event although the answer does not say so, or has it not. */
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

/** Around `FORWARD_TIMEOUT_MS`, so that AEP records some events after the request has given up on it. */
const SLOW_MS = [20, 290, 310, 600] as const
/** Half of all faults are delayed, so that kills and hang-ups hit requests in flight. */
const MAX_DELAY_MS = 250
/** Faults of a flaky phase; together they fail less than half of all requests. */
const FLAKY_FAULTS = 6
const FLAKY_SHARE = 0.09
/** Share of the requests that a partial fault meets, beside the other faults of its phase. */
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

/** Runs one phase after another until it is stopped; the last one stays in force. */
export class FaultScript {
  readonly #adobe: LocalAdobe
  readonly #random: Random
  readonly #kinds: Deck<Kind>
  readonly #faults: Deck<Fault>
  readonly #load: Deck<Fault>
  readonly #outages: Deck<Fault>
  readonly #partial: Deck<Fault> | null
  /** Number of phases so far. */
  phases = 0
  /** Names of the faults that have occurred. */
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

  /** AEP is down until `clear`, so that a backlog builds up. */
  stayDown(): void {
    this.#begin([this.#rule(this.#outages.draw(), 1)])
  }

  /** Ends all faults. Partial ones go on for a moment, since large batches come right after an outage. */
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
