/**
 * What the relay says of AEP, against what AEP has done: holds, outages, `/health`, and how often an AEP that fails is asked.
 */
import { type AepAnswer, askedInVain, contradiction, holdFault } from '../promises.ts'
import type { Oracle } from './oracle.ts'

const SECOND = 1_000
const MINUTE = 60_000
/** Most requests in a minute to an AEP that fails: those of the outbox, once a second, and of each isolate. */
const MOST_ASKED = 65
/** And where it has failed the same events before. */
const MOST_PROBES = 40

/** Of a fault; 0: no answer that can be read. */
const statusOf = (answer: string) =>
  answer === 'accepted' ? 200 : Number(/^\d+/.exec(answer)?.[0] ?? 0)

/** What an isolate surely waits for AEP. */
const HEARD_MS = 900
/** An isolate reports within ten seconds that AEP has accepted. */
const HOLD_TIMES = { foundedMs: 5 * MINUTE, heardMs: 13 * SECOND, quietMs: 45 * SECOND }
const OUTAGE_TIMES = { ...HOLD_TIMES, foundedMs: 3 * MINUTE }

export class AboutAep {
  readonly #oracle: Oracle
  /** Pauses and resumes as operators were answered; whether the last was answered well, and had nobody beside it. */
  paused = false
  pauseIsKnown = true
  #pausing = 0
  #isContested = false
  /** The hold that the log says, other than a pause: under one it goes on. */
  hold: string | null = null
  /** When the relay last said that AEP works again. */
  #recoveredAt = 0
  /** The most requests in a minute to an AEP that failed. */
  mostProbes = 0

  constructor(oracle: Oracle) {
    this.#oracle = oracle
  }

  logged({ event, reason, status, code }: Record<string, unknown>): void {
    if (event === 'upstream') this.#outage(String(status), String(code))
    if (event !== 'hold') return
    this.#oracle.world.reach(reason === null ? 'a hold lifted' : `hold ${String(reason)}`)
    if (reason !== 'paused') this.hold = reason === null ? null : String(reason)
    this.#heldFor(reason)
  }

  /** An operator pauses or resumes. Of two at once nobody but the outbox knows which was the last. */
  pausing(): void {
    this.#isContested ||= this.#pausing > 0
    this.#pausing += 1
    this.pauseIsKnown = false
  }

  pausingAnswered(name: 'pause' | 'resume', isDone: boolean): void {
    this.#pausing -= 1
    this.paused = name === 'pause'
    this.pauseIsKnown = isDone && !this.#isContested
    if (this.#pausing === 0) this.#isContested = false
  }

  /** A hold has a reason that whoever sees AEP agrees with. */
  #heldFor(reason: unknown): void {
    const oracle = this.#oracle
    const { now } = oracle.world
    if (oracle.has(2 * MINUTE, 'rpc', 'clock', 'object', 'isolate', 'storage', 'deploy')) return
    const imsFails = oracle.world.faults(MINUTE).some((each) => each.what === 'aep' && each.ims)
    if (reason === null || (reason === 'credentials' && imsFails)) return
    const fault = holdFault({ reason: String(reason), at: now }, this.#answers(), HOLD_TIMES)
    if (fault) oracle.breach('hold', fault)
  }

  /**
   * Of a record that AEP has accepted, when it has said so; parts and those whose answer never came say less. An isolate
   * does not hear what comes after its time is over.
   */
  #answers(): AepAnswer[] {
    return this.#oracle
      .askedWithin(HOLD_TIMES.foundedMs)
      .reverse()
      .flatMap(({ id, event, at, by, answer, answeredAt }) => {
        if (answer !== 'accepted') return { at, status: statusOf(answer) }
        const isUnheard = by.startsWith('isolate') && (answeredAt ?? at) - at > HEARD_MS
        if (isUnheard) return { at, status: 0 }
        return id === event && answeredAt !== null ? { at: answeredAt, status: 200 } : []
      })
  }

  /** The relay says that AEP is down, or works again. */
  #outage(status: string, code: string): void {
    const oracle = this.#oracle
    oracle.world.reach(`outage ${status}`)
    if (status === 'recovered') this.#recoveredAt = oracle.world.now
    if (status !== 'failing' || code === 'token') return
    // The time of a request includes that of its token, which the outbox keeps.
    if (code === 'timeout' && oracle.has(MINUTE, 'storage')) return
    const outage = { reason: 'upstream', at: oracle.world.now }
    const fault = holdFault(outage, this.#answers(), OUTAGE_TIMES)
    if (fault) oracle.breach('outage', `${fault} for three minutes (${code})`)
  }

  /** What a monitor heard. */
  health(status: number, reasons: readonly string[]): void {
    const oracle = this.#oracle
    const { now, calmMs, wrongAt } = oracle.world
    this.#rate()
    const own = ['upstream', 'credentials', 'configuration', 'rejecting']
    const said = reasons.find((reason) => own.includes(reason))
    const wasRight = now - wrongAt > calmMs
    if (said && !oracle.isPoisoned && wasRight && !oracle.has(calmMs, 'aep', 'clock')) {
      const text = `says ${said}, and AEP has not failed for ${calmMs / MINUTE} minutes`
      oracle.breach('health', text)
    }
    if (
      reasons.includes('storage') &&
      !oracle.has(2 * MINUTE, 'rpc', 'object', 'storage', 'clock', 'deploy')
    ) {
      oracle.breach('health', 'says storage, and storage is well')
    }
    if (oracle.has(20 * SECOND, 'rpc', 'object', 'clock', 'deploy')) return
    if (!oracle.has(75 * SECOND, 'storage')) {
      const contradicts = contradiction({ status, reasons }, oracle.answersWithin(10 * SECOND))
      if (contradicts) oracle.breach('health', contradicts)
    }
    // An outbox that cannot be asked does not say whether it is paused.
    const isSaid = this.pauseIsKnown && !reasons.includes('storage')
    const isOther = reasons.includes('paused') !== this.paused && isSaid
    if (isOther && now - oracle.lastChange > 20 * SECOND) {
      oracle.breach('health', `says ${reasons.join(' ') || 'ok'}, and paused is ${this.paused}`)
    }
    if (oracle.isFull(now - 75 * SECOND) && oracle.isFull(now) && status !== 503) {
      oracle.breach('health', `says ${status} ${reasons.join(' ')}, and nothing can be stored`)
    }
    if (
      !said &&
      !this.paused &&
      this.#aepHasFailed(3 * MINUTE) &&
      !this.#isLateNews() &&
      !oracle.has(4 * MINUTE, 'storage', 'sender') &&
      // After a resume nothing is known of AEP until it is asked, and a lost alarm is found by the cron trigger.
      !oracle.has(6 * MINUTE, 'alarm-lost')
    ) {
      oracle.breach('health', `says ${reasons.join(' ') || 'ok'}, and AEP has failed for minutes`)
    }
  }

  /**
   * An isolate could not report AEP's last acceptance at once, and has done so now: it may show that what failed since was
   * the events' own fault, until they have failed again.
   */
  #isLateNews(): boolean {
    const { world, lastAccepted } = this.#oracle
    if (world.now - this.#recoveredAt > 45 * SECOND) return false
    const hindered = world.faults(15 * SECOND, lastAccepted + 15 * SECOND)
    return hindered.some(({ what }) => what === 'storage' || what === 'rpc' || what === 'object')
  }

  /** Everything that was asked for so long failed, some of it early and some of it late. */
  #aepHasFailed(ms: number): boolean {
    const { now, aep } = this.#oracle.world
    const requests = []
    for (let index = aep.requests.length - 1; index >= 0; index -= 1) {
      const request = aep.requests[index]
      if (!request || request.at < now - ms) break
      if (!request.failed) return false
      if (request.at < now - 20 * SECOND) requests.push(request)
    }
    if (requests.length < 3 || now - this.#oracle.lastAccepted < ms) return false
    const lately = aep.asked.slice(-requests.length)
    return lately.every(({ answer }) => answer !== '413' && answer !== '400')
  }

  /** Requests in the last minute, to an AEP that has failed for longer. */
  #rate(): void {
    const oracle = this.#oracle
    const { now, aep, plan } = oracle.world
    if (now - oracle.lastAccepted < 3 * MINUTE || now - oracle.lastChange < 3 * MINUTE) return
    const others = ['clock', 'isolate', 'deploy', 'rpc', 'object', 'sender', 'storage'] as const
    if (oracle.has(3 * MINUTE, ...others)) return
    const count = askedInVain(aep.requests, now, { windowMs: MINUTE, failingMs: 2 * MINUTE }) ?? 0
    this.mostProbes = Math.max(this.mostProbes, count)
    if (count > MOST_ASKED + plan.isolates * 5) {
      oracle.breach('rate', `${count} requests in a minute to an AEP that fails`)
    }
    const again = count - this.#firstSinceAccepted()
    if (again > MOST_PROBES + plan.isolates * 5) {
      oracle.breach('rate', `${again} requests in a minute to an AEP that fails, again and again`)
    }
  }

  /**
   * Of the last minute's: those of events that had failed before AEP last accepted one, asked for the first time since. Each
   * may be an event's own fault, once, and at most one a second is asked for. And those of new events that AEP refused while it
   * refused everything: each that arrives is the best probe there is.
   */
  #firstSinceAccepted(): number {
    const oracle = this.#oracle
    const { now } = oracle.world
    const seen = new Set<string>()
    let count = 0
    for (const { event, at, answer } of oracle.askedWithin(now - oracle.lastAccepted).reverse()) {
      const firstAt = oracle.firstAskedAt(event)
      const isProbe = this.hold === 'rejecting' && answer === '400' && firstAt === at
      const isFirst = !seen.has(event) && (firstAt < oracle.lastAccepted || isProbe)
      if (isFirst && at > now - MINUTE) count += 1
      seen.add(event)
    }
    return count
  }
}
