/**
 * Isolates, the outbox and AEP under a clock of their own, in steps of 50 ms, with nothing of the real ones but what
 * decides: `aep.ts`, `blame.ts`, `known.ts` and `breaker.ts`.
 */
import type { Ending, ErrorCode } from '../../../src/worker/aep/client/verdict.ts'
import { Breaker, type UnderWay } from '../../../src/worker/breaker.ts'
import {
  type Aep,
  after,
  afterAttempt,
  type Happened,
  INITIAL_AEP,
} from '../../../src/worker/outbox/aep.ts'
import {
  type Attempt,
  type History,
  NO_HISTORY,
  type Policy,
} from '../../../src/worker/outbox/blame.ts'
import { known } from '../../../src/worker/outbox/known.ts'

export const SETTINGS = 'these settings'
const STEP_MS = 50
const EXCHANGE_MS = 10_000
const CONCURRENCY = 48
const ISOLATES = 4

type ModelEvent = {
  id: string
  kind: string
  arrivedAt: number
  history: History
  nextAt: number
  state: 'inline' | 'pending' | 'dead' | 'delivered'
  refusedAt: number | null
  endedAt: number | null
}

type World = {
  /** How AEP answers, and how long it takes. */
  answer: (event: ModelEvent, now: number) => { ending: Ending; afterMs: number }
  random: () => number
  backoff?: Policy['backoff']
}

type InFlight = {
  event: ModelEvent
  beganAt: number
  endsAt: number
  ending: Ending
  inline: { isolate: Isolate; underWay: UnderWay } | null
}
type Isolate = { breaker: Breaker; exchangedAt: number }

export class Model {
  now = 1_000_000_000
  aep: Aep = INITIAL_AEP
  readonly events: ModelEvent[] = []
  /** When each request to AEP left. */
  readonly requests: number[] = []
  holds = 0
  readonly #pending = new Set<ModelEvent>()
  readonly #world: World
  readonly #policy: Policy
  readonly #isolates: Isolate[]
  #inFlight: InFlight[] = []
  #kindsProbed = new Map<string, number>()

  constructor(world: World) {
    this.#world = world
    const backoff = world.backoff ?? { baseMs: 1_000, capMs: 60_000 }
    this.#policy = { backoff, random: world.random }
    this.#isolates = Array.from({ length: ISOLATES }, () => ({
      breaker: new Breaker({ settings: SETTINGS, windowMs: 3_000 }),
      exchangedAt: 0,
    }))
    this.happens({ what: 'start', settings: SETTINGS, usable: true, deployment: 'first' })
  }

  get known() {
    return known(this.aep, this.now, this.#policy)
  }

  happens(happened: Happened): void {
    this.#set(after(this.aep, happened, this.now, this.#policy))
  }

  arrives(kind: string): ModelEvent {
    const event: ModelEvent = {
      id: `${kind}-${this.events.length}`,
      kind,
      arrivedAt: this.now,
      history: NO_HISTORY,
      nextAt: this.now,
      state: 'inline',
      refusedAt: null,
      endedAt: null,
    }
    this.events.push(event)
    const isolate = this.#isolates[
      Math.floor(this.#world.random() * ISOLATES) % ISOLATES
    ] as Isolate
    if (isolate.breaker.reasonToStore(this.now) === null) {
      const underWay = isolate.breaker.began(this.now)
      this.#send(event, { isolate, underWay })
    } else this.#store(event, isolate, null)
    return event
  }

  /** Lets so many milliseconds pass; `each` is called at each step. */
  run(ms: number, each: (now: number) => void = () => undefined): void {
    const until = this.now + ms
    while (this.now < until) {
      each(this.now)
      this.#deliver()
      this.now += STEP_MS
      const ended = this.#inFlight.filter(({ endsAt }) => endsAt <= this.now)
      this.#inFlight = this.#inFlight.filter(({ endsAt }) => endsAt > this.now)
      for (const each of ended) this.#ended(each)
      this.happens({ what: 'time' })
      if (this.#pending.size === 0) this.happens({ what: 'nothing-pending' })
      for (const isolate of this.#isolates) {
        if (this.now - isolate.exchangedAt >= EXCHANGE_MS) this.#exchange(isolate)
      }
    }
  }

  count(state: ModelEvent['state'], kind?: string): number {
    return this.events.filter((each) => each.state === state && (!kind || each.kind === kind))
      .length
  }

  /** The most requests within any minute since a moment. */
  busiestMinute(since: number): number {
    let first = this.requests.findIndex((at) => at >= since)
    let most = 0
    for (const [index, at] of this.requests.entries()) {
      if (at < since) continue
      while (at - (this.requests[first] ?? at) >= 60_000) first += 1
      most = Math.max(most, index - first + 1)
    }
    return most
  }

  /** How long each delivered event of a kind took. */
  ages(kind: string): number[] {
    return this.events
      .filter((each) => each.kind === kind && each.endedAt !== null)
      .map(({ endedAt, arrivedAt }) => (endedAt ?? 0) - arrivedAt)
  }

  #deliver(): void {
    const { gate, rejecting } = this.known
    if (gate === 'closed') return
    const own = this.#inFlight.filter(({ inline }) => !inline)
    if (gate === 'probe') {
      if (own.length > 0) return
      const event = this.#nextProbe(rejecting)
      if (!event) return
      this.happens({ what: 'probe' })
      this.#kindsProbed.set(event.kind, this.now)
      this.#send(event, null)
      return
    }
    const sending = new Set(this.#inFlight.map(({ event }) => event))
    const due = [...this.#pending].filter((each) => each.nextAt <= this.now && !sending.has(each))
    for (const event of due.slice(0, CONCURRENCY - own.length)) this.#send(event, null)
  }

  /** Kinds in turn, untried ones first; then that which was tried the longest ago. */
  #nextProbe(newest: boolean): ModelEvent | null {
    const waiting = [...this.#pending]
    const turn = ({ kind }: ModelEvent) => this.#kindsProbed.get(kind) ?? 0
    const tried = ({ history }: ModelEvent) => history.triedAt ?? 0
    const order = (a: ModelEvent, b: ModelEvent) =>
      Number(tried(a) > 0) - Number(tried(b) > 0) ||
      turn(a) - turn(b) ||
      tried(a) - tried(b) ||
      (newest ? b.arrivedAt - a.arrivedAt : a.arrivedAt - b.arrivedAt)
    return waiting.sort(order)[0] ?? null
  }

  #send(event: ModelEvent, inline: InFlight['inline']): void {
    this.requests.push(this.now)
    const { ending, afterMs } = this.#world.answer(event, this.now)
    this.#inFlight.push({ event, beganAt: this.now, endsAt: this.now + afterMs, ending, inline })
  }

  #ended({ event, beganAt, ending, inline }: InFlight): void {
    const attempt: Attempt = {
      id: event.id,
      beganAt,
      endedAt: this.now,
      settings: SETTINGS,
      history: event.history,
      isPart: false,
      ending,
    }
    if (!inline) {
      this.#judge(event, attempt)
      return
    }
    const { isolate, underWay } = inline
    isolate.breaker.ended(underWay, ending, this.now)
    if (ending.verdict === 'accepted') this.#delivered(event)
    else this.#store(event, isolate, attempt)
  }

  #store(event: ModelEvent, isolate: Isolate, attempt: Attempt | null): void {
    this.#become(event, 'pending')
    this.#report(isolate)
    if (attempt) this.#judge(event, attempt)
    if (event.state === 'pending') this.happens({ what: 'arrival' })
    isolate.breaker.update(this.aep, this.now)
  }

  #exchange(isolate: Isolate): void {
    isolate.exchangedAt = this.now
    this.#report(isolate)
    isolate.breaker.update(this.aep, this.now)
  }

  #report({ breaker: { accepted } }: Isolate): void {
    if (accepted) this.happens({ what: 'report', accepted, settings: SETTINGS })
  }

  #judge(event: ModelEvent, attempt: Attempt): void {
    const { aep, outcome } = afterAttempt(this.aep, attempt, this.now, this.#policy)
    if (outcome.end === 'accepted') this.#delivered(event)
    else {
      event.history = outcome.recorded
      event.nextAt = outcome.recorded.nextAt ?? 0
      this.#become(event, outcome.end === 'dead' ? 'dead' : 'pending')
      event.refusedAt = attempt.ending.verdict === 'rejected' ? this.now : event.refusedAt
    }
    this.#set(aep)
  }

  #delivered(event: ModelEvent): void {
    this.#become(event, 'delivered')
    event.endedAt = this.now
  }

  #become(event: ModelEvent, state: ModelEvent['state']): void {
    event.state = state
    if (state === 'pending') this.#pending.add(event)
    else this.#pending.delete(event)
  }

  #set(next: Aep): void {
    const began = this.aep.refusals.hold === null && next.refusals.hold !== null
    this.aep = next
    if (!began) return
    this.holds += 1
    const from = this.known.refusedFrom ?? 0
    for (const event of this.events) {
      if (event.state !== 'dead' || event.refusedAt === null || event.refusedAt < from) continue
      this.#become(event, 'pending')
      event.nextAt = this.now
      event.history = { ...event.history, refused: true }
    }
  }
}

export const ACCEPTED: Ending = { verdict: 'accepted', status: 200 }
const failed = (code: ErrorCode, status: number | null) => ({
  error: { code, status, message: '' },
  answer: null,
  retryAfterMs: null,
})
export const REFUSED: Ending = { verdict: 'rejected', ...failed('rejected', 400) }
export const TOO_LARGE: Ending = { verdict: 'rejected', ...failed('rejected', 413) }
export const UNAVAILABLE: Ending = { verdict: 'deferred', ...failed('unavailable', 503) }
export const THROTTLED: Ending = { verdict: 'deferred', ...failed('throttled', 429) }
export const UNAUTHORIZED: Ending = {
  verdict: 'held',
  reason: 'credentials',
  ...failed('credentials', 401),
}
export const ABORTED: Ending = { verdict: 'aborted', ...failed('internal', null) }

/** Random numbers from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
