/**
 * Plan: decides which answer a request gets: the next one of the script, else that of the first rule that
 * applies, else the documented one.
 *
 * A rule that names an event (`id`, `containing`) gives a `status` to that event's item of a batch and
 * leaves the other items alone (`failLater` and `lose` likewise). Answers without a per-item form (stall, reset, garbage), and all answers
 * of a rule with `whole`, go to the whole request that carries the event.
 * Chance is seeded per rule, so the same requests in the same order get the same answers.
 */
import * as v from 'valibot'
import { type Answer, AnswerSchema } from './answer.ts'

/** `token` is the token endpoint, `ingest` everything under `/collection/`, `platform` under `/data/`. */
const EndpointSchema = v.picklist(['ingest', 'token', 'platform'])
export type Endpoint = v.InferOutput<typeof EndpointSchema>

export const RuleSchema = v.strictObject({
  answer: AnswerSchema,
  on: v.optional(EndpointSchema),
  /** Only for the event with this `_id`. */
  id: v.optional(v.string()),
  /** Only for events whose JSON has this text. */
  containing: v.optional(v.pipe(v.string(), v.nonEmpty())),
  whole: v.optional(v.boolean()),
  /** Platform APIs: only for this method. */
  method: v.optional(v.picklist(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])),
  /** Platform APIs: only for paths that begin with this. */
  path: v.optional(v.pipe(v.string(), v.startsWith('/data'))),
  /** Does not apply to the first N matching requests. */
  skip: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  /** Applies to every Nth matching request, the Nth first. */
  every: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  /** Expires this long after it was made. */
  forMs: v.optional(v.pipe(v.number(), v.minValue(0))),
  /** Expires after it has applied this often. */
  times: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  probability: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  seed: v.optional(v.pipe(v.number(), v.integer())),
})
export type Rule = v.InferOutput<typeof RuleSchema>

export const ScriptSchema = v.strictObject({
  answers: v.array(AnswerSchema),
  on: v.optional(EndpointSchema),
})

/** One event of a request, as far as rules look at it. */
export type Target = { readonly id: string | null; readonly text: string }

export type Decision = { readonly request: Answer; readonly items: ReadonlyMap<number, Answer> }

type Armed = {
  rule: Rule
  expiresAt: number
  left: number
  skip: number
  met: number
  chance: () => number
}

const PER_ITEM: readonly Answer['type'][] = ['status', 'normal', 'failLater', 'lose']
const NORMAL: Answer = { type: 'normal' }
const NO_ITEMS: ReadonlyMap<number, Answer> = new Map()

export class Plan {
  readonly #now: () => number
  #rules: Armed[] = []
  readonly #scripts: Record<Endpoint, Answer[]> = { ingest: [], token: [], platform: [] }

  constructor(now: () => number) {
    this.#now = now
  }

  script(answers: readonly Answer[], on: Endpoint = 'ingest'): void {
    this.#scripts[on].push(...answers)
  }

  rule(rule: Rule): void {
    this.#rules.push({
      rule,
      expiresAt: rule.forMs === undefined ? Infinity : this.#now() + rule.forMs,
      left: rule.times ?? Infinity,
      skip: rule.skip ?? 0,
      met: 0,
      chance: mulberry32(rule.seed ?? 1),
    })
  }

  clearRules(): void {
    this.#rules = []
  }

  clearScripts(): void {
    for (const script of Object.values(this.#scripts)) script.length = 0
  }

  /** How many answers of the scripts are still to be given, and the rules that can still apply. */
  pending(): { script: Record<Endpoint, number>; rules: Rule[] } {
    const { ingest, token, platform } = this.#scripts
    return {
      script: { ingest: ingest.length, token: token.length, platform: platform.length },
      rules: this.#active().map((armed) => armed.rule),
    }
  }

  decide(on: Endpoint, targets: readonly Target[], batch: boolean): Decision {
    const scripted = this.#scripts[on].shift()
    if (scripted) return { request: scripted, items: NO_ITEMS }
    const rules = this.#active().filter((armed) => (armed.rule.on ?? 'ingest') === on)
    const perItem = (rule: Rule) =>
      batch && !rule.whole && namesEvent(rule) && PER_ITEM.includes(rule.answer.type)
    for (const armed of rules) {
      const { rule } = armed
      if (perItem(rule)) continue
      if (namesEvent(rule) && !targets.some((target) => matches(rule, target))) continue
      if (fires(armed)) return { request: rule.answer, items: NO_ITEMS }
    }
    const items = new Map<number, Answer>()
    for (const armed of rules.filter(({ rule }) => perItem(rule))) {
      for (const [index, target] of targets.entries()) {
        if (!items.has(index) && matches(armed.rule, target) && fires(armed)) {
          items.set(index, armed.rule.answer)
        }
      }
    }
    return { request: NORMAL, items }
  }

  /** For a request to a Platform API, whose path has no slash at its end. */
  decideCall(method: string, path: string): Answer {
    const scripted = this.#scripts.platform.shift()
    if (scripted) return scripted
    const applies = ({ rule }: Armed) =>
      rule.on === 'platform' &&
      (rule.method === undefined || rule.method === method) &&
      (rule.path === undefined || path.startsWith(rule.path))
    for (const armed of this.#active()) {
      if (applies(armed) && fires(armed)) return armed.rule.answer
    }
    return NORMAL
  }

  #active(): Armed[] {
    const now = this.#now()
    this.#rules = this.#rules.filter((armed) => armed.left > 0 && now < armed.expiresAt)
    return this.#rules
  }
}

const namesEvent = (rule: Rule) => rule.id !== undefined || rule.containing !== undefined

function matches(rule: Rule, target: Target): boolean {
  if (rule.id !== undefined && rule.id !== target.id) return false
  return rule.containing === undefined || target.text.includes(rule.containing)
}

function fires(armed: Armed): boolean {
  if (armed.left <= 0) return false
  if (armed.skip > 0) {
    armed.skip -= 1
    return false
  }
  const { probability, every = 1 } = armed.rule
  armed.met += 1
  if (armed.met % every !== 0) return false
  if (probability !== undefined && armed.chance() >= probability) return false
  armed.left -= 1
  return true
}

/** A small seeded generator of numbers in [0, 1), good enough to spread faults. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
