/**
 * Alerts against what an observer knows: which must be firing and which must not after a run of the cron trigger, that each
 * is raised once, repeated every four hours while it lasts, and resolved once.
 */
import { noticeFault } from '../promises.ts'
import type { Oracle } from './oracle.ts'

const SECOND = 1_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** What makes alerts come late, or an isolate's knowledge of one go. */
const HINDER = ['rpc', 'object', 'storage', 'clock', 'deploy', 'isolate'] as const
const LASTING = ['hold', 'queue-age', 'storage', 'not-landed']

/** `isKept`: the outbox could write it down; otherwise the isolate that sent it alone knows. */
type Noticed = {
  state: 'firing' | 'still' | 'resolved'
  at: number
  raisedAt: number
  isKept: boolean
}

export class AboutAlerts {
  readonly #oracle: Oracle
  readonly #noticed = new Map<string, Noticed>()
  /** Runs of the cron trigger in a row that found an event too old. */
  #agedRuns = 0
  /** In a row that found none: an event may have gone in the moment after the first of them looked. */
  #freshRuns = 0
  #holdWas: string | null = null
  #holdChangedAt = 0
  /** By isolate: it alone knows, until it has reported. */
  readonly #unavailable: { by: string; reportedAt: number | null }[] = []
  readonly #unauthorized: number[] = []
  #parkedAt: number | null = null

  constructor(oracle: Oracle) {
    this.#oracle = oracle
  }

  isFiring(name: string): boolean {
    const noticed = this.#noticed.get(name)
    return noticed !== undefined && noticed.state !== 'resolved'
  }

  raisedAt(name: string): number | null {
    return this.#noticed.get(name)?.raisedAt ?? null
  }

  /** A webhook under a key that was good was answered 401. */
  unauthorized(): void {
    this.#unauthorized.push(this.#oracle.world.now)
  }

  /** A webhook of a good key was answered, 503 for one: what its isolate knows it reports within ten seconds, if it can. */
  answered(by: string, status: number): void {
    const { now } = this.#oracle.world
    const canReport = !this.#oracle.has(MINUTE, ...HINDER)
    for (const lost of canReport ? this.#unavailable : []) {
      if (lost.by === by) lost.reportedAt ??= now + 10 * SECOND
    }
    if (status === 503) this.#unavailable.push({ by, reportedAt: null })
  }

  parked(): void {
    this.#parkedAt ??= this.#oracle.world.now
  }

  holdChanged(reason: string | null): void {
    if (reason === this.#holdWas) return
    this.#holdWas = reason
    this.#holdChangedAt = this.#oracle.world.now
  }

  /** The log names an alert. */
  logged(name: string, state: Noticed['state']): void {
    const oracle = this.#oracle
    const { now, plan } = oracle.world
    const before = this.#noticed.get(name)
    const isNew = before === undefined || before.state === 'resolved'
    const raisedAt = isNew && state !== 'resolved' ? now : (before?.raisedAt ?? now)
    const isKept = !oracle.has(MINUTE, 'storage', 'rpc')
    this.#noticed.set(name, { state, at: now, raisedAt, isKept })
    oracle.world.reach(`alert ${name} ${state}`)
    const knew = plan.faults.every(({ what }) =>
      ['aep', 'storage', 'landed', 'chatlio'].includes(what),
    )
    const isOtherHold = name === 'hold' && this.#holdChangedAt > (before?.at ?? 0)
    // What could not be landed has as many reasons as AEP gives.
    const once = LASTING.includes(name) && name !== 'not-landed'
    const last = before && { ...before, name }
    const wrong = noticeFault(last, { name, state, at: now }, 4 * HOUR - MINUTE)
    if (wrong === null) return
    // The cron trigger that was to note it has ended with its isolate, or was not heard.
    if (wrong === 'resolved, and was not raised') {
      if (!oracle.has(12 * MINUTE, ...HINDER)) oracle.breach('alert', `${name} ${wrong}`)
    } else if (knew && (wrong === 'repeated too soon' || (once && !isOtherHold))) {
      oracle.breach('alert', `${name} ${wrong}`)
    }
  }

  /** The cron trigger has run, since `began`. */
  ran(began: number): void {
    const oracle = this.#oracle
    const { now } = oracle.world
    const oldest = oracle.oldestPendingAt()
    const age = oldest === null ? 0 : began - oldest
    const isHeld = this.#holdWas !== null
    // A hold says it in its place.
    const isFree = !isHeld && now - this.#holdChangedAt > 6 * MINUTE
    this.#agedRuns = age > 15 * MINUTE + 5 * SECOND && isFree ? this.#agedRuns + 1 : 0
    this.#freshRuns = age < 7 * MINUTE ? this.#freshRuns + 1 : 0
    this.#full()
    this.#counted(began)
    if (oracle.has(12 * MINUTE, ...HINDER)) return
    const must = (name: string, firing: boolean, why: string) => {
      if (this.isFiring(name) === firing) return
      oracle.breach('alert', `${name} is ${firing ? 'not ' : ''}firing, ${why}`)
    }
    const isSteady = now - this.#holdChangedAt > now - began + 2 * SECOND
    if (isSteady && !oracle.aboutAep.paused && now - oracle.lastChange > 12 * MINUTE) {
      must('hold', isHeld, `and AEP has been on hold (${this.#holdWas}) for a while`)
    }
    if (this.#agedRuns >= 2) must('queue-age', true, 'and an event has waited for 20 minutes')
    if (this.#freshRuns >= 2) must('queue-age', false, `and the oldest event came ${age} ms ago`)
    for (const name of ['expiring', 'silence']) must(name, false, 'and there is no such thing')
    for (const name of LASTING) {
      const noticed = this.#noticed.get(name)
      if (!noticed || noticed.state === 'resolved' || !this.isOver(name)) continue
      if (now - noticed.at > 4 * HOUR + 16 * MINUTE) {
        oracle.breach('alert', `${name} has not been repeated for four hours`)
      }
    }
  }

  /** Whether it is certain that what the alert says goes on. */
  isOver(name: string): boolean {
    return name === 'hold' ? this.#holdWas !== null : name === 'queue-age' && this.#agedRuns > 50
  }

  /** Alone of what hinders: storage is what it is about. */
  #full(): void {
    const oracle = this.#oracle
    const { now } = oracle.world
    const others = ['rpc', 'object', 'clock', 'deploy', 'isolate'] as const
    if (oracle.has(12 * MINUTE, ...others)) return
    const isFull = oracle.isFull(now) && oracle.isFull(now - 2 * MINUTE)
    if (isFull && !this.isFiring('storage')) {
      oracle.breach('alert', 'storage is not firing, and the disk is full')
    }
    // What could not be kept an isolate knew that has ended since.
    const sinceMs = now - (this.raisedAt('storage') ?? now) + MINUTE
    if (oracle.has(sinceMs, 'isolate', 'deploy')) return
    if (!oracle.has(12 * MINUTE, 'storage') && this.isFiring('storage')) {
      oracle.breach('alert', 'storage is firing, and storage is well')
    }
  }

  /** Those that count: `lost`, `refused`, `rejected`. */
  #counted(began: number): void {
    const oracle = this.#oracle
    const lost = this.#unavailable
    if (lost.length === 0 && this.raisedAt('lost') !== null) {
      oracle.breach('alert', 'lost was raised, and no webhook got 503')
    }
    const knew = oracle.world.plan.faults.every(
      ({ what }) => what !== 'isolate' && what !== 'deploy' && what !== 'clock',
    )
    const isQuiet = !oracle.has(20 * MINUTE, ...HINDER)
    const reportedAt = Math.min(...lost.map((each) => each.reportedAt ?? began))
    if (knew && isQuiet && reportedAt < began - 20 * MINUTE) {
      if (this.raisedAt('lost') === null) {
        oracle.breach('alert', 'lost was not raised, and a webhook got 503')
      }
    }
    const refused = this.#unauthorized.filter(
      (at) => at > began - 50 * MINUTE && at < began - MINUTE,
    )
    const most = mostWithin(this.#unauthorized, HOUR + 10 * MINUTE)
    if (most < 10 && this.raisedAt('refused') !== null) {
      oracle.breach('alert', `refused was raised, and at most ${most} webhooks were within an hour`)
    }
    const others = ['rpc', 'object', 'storage', 'clock', 'isolate'] as const
    if (refused.length >= 10 && !oracle.has(HOUR, ...others) && !this.isFiring('refused')) {
      oracle.breach('alert', `refused is not firing, and ${refused.length} were`)
    }
    if (this.#parkedAt === null && this.raisedAt('rejected') !== null) {
      oracle.breach('alert', 'rejected was raised, and nothing was parked')
    }
    if (
      isQuiet &&
      oracle.parkedNow() > 0 &&
      this.#parkedAt !== null &&
      this.#parkedAt < began - 20 * MINUTE &&
      this.raisedAt('rejected') === null
    ) {
      oracle.breach('alert', 'rejected was not raised, and events are parked')
    }
  }

  atEnd(): void {
    const oracle = this.#oracle
    const { plan } = oracle.world
    for (const name of ['hold', 'queue-age', 'storage']) {
      // What could not be stored was known to an isolate that ended.
      const isForgotten =
        (name === 'storage' || this.#noticed.get(name)?.isKept === false) &&
        plan.faults.some(({ what }) => what === 'isolate' || what === 'deploy')
      if (this.isFiring(name) && !oracle.isPoisoned && !isForgotten) {
        oracle.breach('alert', `${name} is still ${this.#noticed.get(name)?.state} at the end`)
      }
    }
  }
}

/** Of moments in order: how many there are at most within a time. */
function mostWithin(moments: readonly number[], ms: number): number {
  let most = 0
  let from = 0
  for (const [index, at] of moments.entries()) {
    while (at - (moments[from] as number) > ms) from += 1
    most = Math.max(most, index - from + 1)
  }
  return most
}
