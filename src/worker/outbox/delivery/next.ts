/**
 * Which event is sent next, and when the outbox has to be awake for it.
 *
 * Promises: oldest first; an event is never under way twice; tried events take at most half of the pool while untried ones
 * wait, so that those whose requests hang cannot fill it; a probe is never the same event twice while another waits. While
 * events are pending there is always a next moment, and the alarm is set for it.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import { PROBE_LOOK, READ_AHEAD } from '../../limits.ts'
import { fullJitterMs, type Policy } from '../blame.ts'
import type { Located } from '../event.ts'
import type { Events } from '../events.ts'
import type { Known } from '../known.ts'

export type Selected = Located & { as: 'tried' | 'untried' }

export class Next {
  readonly #events: Events
  /** Positions under way, and whether each had been tried before. */
  readonly #underWay = new Map<number, Selected['as']>()
  #triedUnderWay = 0
  /** Untried events up to here have been read. */
  #cursor = -1
  #untried: Located[] = []
  #lastProbe: Located | null = null

  constructor(events: Events) {
    this.#events = events
  }

  /**
   * An event was stored, or came back, at this position: look there again. Events do not arrive in the order of their
   * receipt, so what has been read ahead of it stays.
   */
  added(position: number): void {
    if (position > this.#cursor) return
    this.#cursor = position - 1
    this.#untried = this.#untried.filter((each) => each.position < position)
  }

  /** Forgets what it has read: nothing is under way, and everything that is stored is found again. */
  restart(): void {
    this.#underWay.clear()
    this.#triedUnderWay = 0
    this.#cursor = -1
    this.#untried = []
  }

  /** Any event whose time has come. `slots`: how many may be under way. */
  take(now: number, slots: number): Selected | null {
    const due = this.#firstDue(now)
    if (due && this.#triedUnderWay < slots / 2) return this.#markUnderWay(due, 'tried')
    return this.takeUntried() ?? (due && this.#markUnderWay(due, 'tried'))
  }

  /** One that may share a request with others that were never tried. */
  takeUntried(): Selected | null {
    if (this.#untried.length === 0) this.#readAhead(READ_AHEAD)
    const first = this.#untried.shift()
    return first ? this.#markUnderWay(first, 'untried') : null
  }

  /**
   * One to ask AEP with whether it works again, whether its own wait is over or not. `rejecting`: AEP refuses everything, so
   * kinds take turns, and the newest goes first: one that was not there when that began is the most likely to be accepted.
   */
  takeProbe(rejecting: boolean): Selected | null {
    const untried = rejecting ? this.#takeNewest() : this.takeUntried()
    const probe = untried ?? this.#takeWaiting()
    this.#lastProbe = probe ?? this.#lastProbe
    return probe
  }

  #takeNewest(): Selected | null {
    const newest = this.#inTurn(this.#events.newestUntried(PROBE_LOOK + this.#underWay.size))
    if (!newest) return null
    this.#untried = this.#untried.filter(({ position }) => position !== newest.position)
    return this.#markUnderWay(newest, 'untried')
  }

  #takeWaiting(): Selected | null {
    const waiting = this.#inTurn(this.#events.waiting(PROBE_LOOK + this.#underWay.size))
    return waiting && this.#markUnderWay(waiting, 'tried')
  }

  /** Selected, and not sent after all: it is next again. */
  giveBack({ as, ...located }: Selected): void {
    this.done(located.position)
    if (as === 'untried') this.#untried.unshift(located)
  }

  done(position: number): void {
    if (this.#underWay.get(position) === 'tried') this.#triedUnderWay -= 1
    this.#underWay.delete(position)
  }

  /** When the own wait of the next event ends (epoch ms): now if it was never tried; `null` if there is no event. */
  dueAt(now: number): number | null {
    if (this.#untried.length === 0) this.#readAhead(1)
    return this.#untried.length > 0 ? now : this.#events.nextDueAt()
  }

  #markUnderWay(located: Located, as: Selected['as']): Selected {
    this.#underWay.set(located.position, as)
    if (as === 'tried') this.#triedUnderWay += 1
    return { ...located, as }
  }

  #firstDue(now: number): Located | null {
    return this.#free(this.#events.due(now, this.#underWay.size + 1))[0] ?? null
  }

  /** The kind that comes after that of the last probe; never the last probe itself while there is another. */
  #inTurn(candidates: readonly Located[]): Located | null {
    const free = this.#free(candidates)
    const last = this.#lastProbe
    const others = free.filter(({ position }) => position !== last?.position)
    if (!last || others.length === 0) return free[0] ?? null
    const after = (kind: StoredKind) => (kind > last.kind ? 0 : 1)
    const [next] = [...new Set(others.map(({ kind }) => kind))].sort(
      (a, b) => after(a) - after(b) || (a < b ? -1 : 1),
    )
    return others.find(({ kind }) => kind === next) ?? null
  }

  #readAhead(limit: number): void {
    const read = this.#events.untried(this.#cursor, limit + this.#underWay.size)
    this.#untried = this.#free(read)
    // Nothing behind the cursor: the next look begins behind all that is stored.
    this.#cursor = read.at(-1)?.position ?? this.#events.newestPending() ?? this.#cursor
  }

  #free(located: readonly Located[]): Located[] {
    return located.filter(({ position }) => !this.#underWay.has(position))
  }
}

type Wake = {
  /** When the first pending event is due; `null` when nothing is pending. */
  dueAt: number | null
  /** When the oldest event of any state expires; `null` when nothing is stored. */
  expiresAt: number | null
  known: Known
  now: number
  /** How often to look whether a deployment has corrected a configuration that cannot be used. */
  recheckMs: number
}

/** When the next attempt is due, a past moment being now; `null`: not before something else happens. */
export function nextAttemptAt({ dueAt, known, now }: Omit<Wake, 'expiresAt' | 'recheckMs'>) {
  const { mayAskAt, gate, failing } = known
  if (dueAt === null || mayAskAt === null) return null
  // While AEP fails any event may ask, whether its own wait is over or not.
  const isProbe = gate === 'probe' || (failing && gate === 'closed')
  return Math.max(now, mayAskAt, isProbe ? 0 : dueAt)
}

/** When the alarm must fire; `null` lets the outbox sleep. */
export function nextWakeAt(wake: Wake): number | null {
  const { dueAt, expiresAt, known, now, recheckMs } = wake
  const isUnusable = known.hold?.reason === 'configuration' && known.mayAskAt === null
  const moments = [
    nextAttemptAt(wake),
    expiresAt,
    known.nextChangeAt,
    dueAt !== null && isUnusable ? now + recheckMs : null,
  ].filter((moment) => moment !== null)
  return moments.length === 0 ? null : Math.min(...moments)
}

/**
 * The one alarm of the object. Set no later than the moment asked for, and not written again when it is set already: each
 * time is a row. After a run that broke it waits, longer each time, and never for ever.
 */
export class Alarm {
  readonly #storage: DurableObjectStorage
  readonly #policy: Policy
  #at: number | null = null
  /** Consecutive runs that broke. */
  #broken = 0

  constructor(storage: DurableObjectStorage, policy: Policy) {
    this.#storage = storage
    this.#policy = policy
  }

  /** Epoch milliseconds it is set to; `null` when it is not set. */
  get at(): number | null {
    return this.#at
  }

  /** What it is really set to, should it have been lost. */
  async load(): Promise<void> {
    this.#at = await this.#storage.getAlarm()
  }

  /** It has gone off, so nothing is set any more. */
  fired(): void {
    this.#at = null
  }

  /** Returns how many runs in a row have broken now. */
  runEnded(outcome: 'well' | 'broken'): number {
    this.#broken = outcome === 'well' ? 0 : this.#broken + 1
    return this.#broken
  }

  async setFor(wanted: number, now: number): Promise<void> {
    const cooldownMs = this.#broken === 0 ? 0 : fullJitterMs(this.#broken, this.#policy)
    const at = Math.max(wanted, now + cooldownMs)
    if (this.#at !== null && this.#at <= at) return
    const before = this.#at
    // At once: those who ask meanwhile need not set it again.
    this.#at = at
    try {
      await this.#storage.setAlarm(at)
    } catch (thrown) {
      this.#at = before
      throw thrown
    }
  }
}
