/**
 * Figures against what an observer has counted: status, activity, summary, find, and what is written and held for it. Of what
 * isolates report they are a lower bound, and exact where no isolate has ended.
 */
import type { Known, Oracle } from './oracle.ts'

const MINUTE = 60_000
const ACTIVITY = '/activity?step=day&from=2027-01-01T00:00:00Z'

/** An isolate reports within ten seconds, and what it reports is then written. */
const SETTLED_MS = 20_000

type Json = Record<string, unknown>
type Answered = { at: number; by: string }

export class AboutFigures {
  readonly #oracle: Oracle
  /** When webhooks got each answer, and from which isolate. */
  readonly #outcomes = new Map<string, Answered[]>()
  /** When each isolate answered. */
  readonly #answeredAt = new Map<string, number[]>()
  #answers = new Map<string, { status: number; json: Json }>()
  readonly #found = new Map<Known, Json[]>()
  /** Rows written for each unit of work, at most. */
  mostRows = 0
  mostHeld = 0

  constructor(oracle: Oracle) {
    this.#oracle = oracle
  }

  answered(status: number, outcome: string, by: string): void {
    const named = NAMED[status] ?? outcome
    const at = this.#oracle.world.now
    this.#outcomes.getOrInsert(named, []).push({ at, by })
    this.#answeredAt.getOrInsert(by, []).push(at)
  }

  #of(outcome: string): readonly Answered[] {
    return this.#outcomes.get(outcome) ?? []
  }

  /** Asks as an operator would, once all is over. */
  async ask(): Promise<void> {
    const { world } = this.#oracle
    for (const path of ['/status', ACTIVITY, '/summary?days=7', '/compared']) {
      this.#answers.set(path, await world.admin(path, null, 'GET'))
    }
    const all = [...this.#oracle.all()].filter(({ takenAt }) => takenAt !== null)
    const step = Math.max(1, Math.floor(all.length / 12))
    for (let index = 0; index < all.length; index += step) {
      const known = all[index] as Known
      const { status, json } = await world.admin('/find', { id: known.webhook.id })
      if (status === 200) this.#found.set(known, (json.events ?? []) as Json[])
    }
  }

  /** Nothing that an isolate was to report has gone with it. */
  get #isExact(): boolean {
    return this.#oracle.world.plan.faults.every(
      ({ what }) => what !== 'isolate' && what !== 'deploy' && what !== 'clock',
    )
  }

  #is(name: string, said: number, answered: readonly Answered[], isExact = this.#isExact): void {
    const counted = answered.length
    // A webhook whose sender got no answer may have been counted.
    const most = counted + this.#oracle.unanswered
    const least = isExact ? answered.filter((each) => this.#isReported(each)).length : 0
    if (said >= least && said <= most) return
    this.#oracle.breach('figures', `${name} says ${said}, and ${counted} were`)
  }

  /** Whether an isolate surely had the time to report it: then, or after a later webhook, if the outbox could not take it. */
  #isReported({ at, by }: Answered): boolean {
    const answeredAt = this.#answeredAt.get(by) ?? []
    const calm = answeredAt.find((moment) => moment >= at && !this.#hinderedAfter(moment))
    return calm !== undefined && !this.#diedSoonAfter(at, calm)
  }

  #hinderedAfter(at: number): boolean {
    const faults = this.#oracle.world.faults(SETTLED_MS, at + SETTLED_MS)
    return faults.some(({ what }) => what === 'rpc' || what === 'storage' || what === 'object')
  }

  /** What is reported is written within a second: an outbox that dies then loses it. */
  #diedSoonAfter(at: number, until = at): boolean {
    const faults = this.#oracle.world.faults(until + SETTLED_MS - at, until + SETTLED_MS)
    return faults.some(({ what }) => what === 'object')
  }

  atEnd(): void {
    this.#status()
    this.#activity()
    this.#find()
    this.#rows()
    const compared = this.#answers.get('/compared')
    if (compared?.status === 200) this.#oracle.landed.compared(compared.json)
  }

  #status(): void {
    const oracle = this.#oracle
    const answer = this.#answers.get('/status')
    if (answer?.status !== 200) {
      oracle.breach('figures', `status answered ${answer?.status ?? 'nothing'} in the calm`)
      return
    }
    const { json } = answer
    const states = new Map<string, number>()
    for (const { state } of oracle.rows()) states.set(state, (states.get(state) ?? 0) + 1)
    for (const state of ['pending', 'dead', 'quarantined']) {
      const stored = states.get(state) ?? 0
      if (json[state] !== stored)
        oracle.breach('figures', `status says ${json[state]} ${state}, and ${stored} are stored`)
    }
    this.#is('status: suppressed', Number(json.suppressed), this.#of('suppressed'))
    this.#is('status: unavailable', Number(json.unavailable), this.#of('unavailable'))
    this.#is('status: forwarded', Number(json.forwarded), this.#of('forwarded'), false)
    const hold = (json.hold as Json | null)?.reason ?? null
    if (hold !== null && !oracle.isPoisoned) oracle.breach('figures', `status says hold ${hold}`)
  }

  /** Sums of a day, and what `summary` makes of them. */
  #activity(): void {
    const json = this.#answers.get(ACTIVITY)?.json ?? {}
    const points = (json.points ?? []) as { outcome: string; count: number }[]
    const sums = new Map<string, number>()
    for (const { outcome, count } of points) sums.set(outcome, (sums.get(outcome) ?? 0) + count)
    for (const outcome of ['forwarded', 'buffered', 'dead-lettered', 'quarantined', 'suppressed']) {
      this.#is(`activity: ${outcome}`, sums.get(outcome) ?? 0, this.#of(outcome))
    }
    this.#is('activity: unavailable', sums.get('unavailable') ?? 0, this.#of('unavailable'))
    this.#is('activity: unauthorized', sums.get('unauthorized') ?? 0, this.#of('unauthorized'))
    const days = (this.#answers.get('/summary?days=7')?.json.days ?? []) as { received: number }[]
    const received = days.reduce((sum, day) => sum + day.received, 0)
    const known = [...this.#outcomes].filter(([outcome]) => outcome !== 'unauthorized')
    this.#is(
      'summary: received',
      received,
      known.flatMap(([, times]) => times),
    )
  }

  #find(): void {
    const oracle = this.#oracle
    const states = new Map(oracle.rows().map(({ id, state }) => [id, state]))
    for (const [known, found] of this.#found) {
      const { webhook, landedAt } = known
      const stored = states.get(webhook.id)
      const said = found.map(({ state }) => state).join(' ') || 'nothing'
      const isStored = stored !== undefined && said.includes(stored)
      const isDelivered = landedAt !== null && /delivered|failed/.test(said)
      // AEP may answer late, and a receipt is written with what is answered next.
      const died = this.#diedSoonAfter(landedAt ?? 0, (landedAt ?? 0) + SETTLED_MS)
      const mayBeNothing =
        stored === undefined &&
        (oracle.mayBeEnded(known) || !this.#isExact || known.forwarded || died)
      if (isStored || isDelivered || (said === 'nothing' && mayBeNothing)) continue
      const is = stored ?? (landedAt === null ? 'nowhere' : 'in AEP')
      oracle.breach('figures', `find says ${said} of webhook ${webhook.serial}, which is ${is}`)
    }
    if (this.#found.size > 0) oracle.world.reach('an event found')
  }

  /** Rows written for what there was to do. Indexes are not counted. */
  #rows(): void {
    const oracle = this.#oracle
    const { object, aep } = oracle.world
    const { calls, storage } = object
    const hours = (oracle.world.now - oracle.world.began) / (60 * MINUTE)
    const stores = (calls.get('store') ?? 0) + (calls.get('storeAndWait') ?? 0)
    const units = 50 + stores * 2 + aep.asked.length + (calls.get('exchange') ?? 0) + hours * 12
    this.mostRows = storage.changes / units
    if (this.mostRows > MOST_ROWS) {
      const text = `${storage.changes} rows written: ${stores} stores, ${aep.asked.length} records asked`
      oracle.breach('rows', text)
    }
  }

  /** What an isolate holds: timers and requests that it keeps alive. */
  held(count: number, webhooksLately: number): void {
    this.mostHeld = Math.max(this.mostHeld, count)
    if (count > 60 + 8 * webhooksLately) {
      const text = `an isolate holds ${count} timers and requests, after ${webhooksLately} webhooks`
      this.#oracle.breach('memory', text)
    }
  }
}

const MOST_ROWS = 4

/** Problems, as figures call them. */
const NAMED: Readonly<Record<number, string>> = {
  401: 'unauthorized',
  422: 'quarantined',
  503: 'unavailable',
}
