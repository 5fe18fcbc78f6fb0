/**
 * What an isolate reports to the outbox after it has answered (counts, receipts, uses of webhook keys, drift), and what it
 * learns in return: what is known of AEP, and who is suppressed.
 *
 * Promises: while an isolate is in use, nothing is asked of the outbox before a webhook is answered; it exchanges at most
 * once in ten seconds, unless there is much to report. A webhook that leaves something to report keeps its request until
 * it is reported, so a quiet relay loses nothing. A report that was not taken is sent again as it is, ten seconds later, at most
 * three times in all: it counts once.
 * Addresses and ids leave the isolate as keyed hashes only. Memory is bounded, whatever comes: receipts beyond the limit are
 * left out, counts never are (while nobody takes them, they are of hours).
 * No webhook is relayed on information older than `INFORMED_MS`: the first one of an isolate, and the first after such a
 * silence, wait for an exchange, a second at most.
 * Accepts: an isolate that ends loses what it has not reported, so these figures are a lower bound.
 */
import type { Redacted } from './aep/record/redact.ts'
import type { EventKind, StoredKind } from './chatlio/kind.ts'
import type { Subject } from './chatlio/person.ts'
import type { DriftReport } from './drift/detector.ts'
import { within } from './lib/bounded.ts'
import type { Rim } from './lib/rim.ts'
import {
  EXCHANGE_LOST_MS,
  EXCHANGE_TIMEOUT_MS,
  INFORMED_MS,
  MAX_BUFFERED_COUNTS,
  MAX_BUFFERED_RECEIPTS,
  MAX_STRANGERS,
  REFRESH_INTERVAL_MS,
  REPORT_AT_RECEIPTS,
  REPORT_TRIES,
} from './limits.ts'
import { logLine, nameOf } from './log.ts'
import type { Aep } from './outbox/aep.ts'
import type { Outcome } from './outbox/event.ts'
import { addRow, type CountSums, counted, STEP_MS } from './outbox/records/activity.ts'
import { type Hashes, LookupHash, unpackHashes } from './outbox/records/lookup.ts'
import type { Receipt } from './outbox/records/packed.ts'
import { type Exchanged, nothing, type Report, type Sums } from './outbox/records/reports.ts'

/** A receipt whose person is not hashed yet: never outside the isolate. */
type BufferedReceipt = Pick<Receipt, 'id' | 'receivedAt' | 'settledAt' | 'bytes'> & {
  kind: EventKind
  subject: Subject
}

/** One webhook that has been answered. `at`: epoch milliseconds. `key`: fingerprint; `source`: its name. */
export type Answered = {
  at: number
  ms: number
  kind: StoredKind
  outcome: Outcome
  key: string | null
  source: string | null
  /** Fingerprint of a key that the relay does not know; `null`: it came with a known key, or with none. */
  stranger: string | null
  /** It was handled before the outbox could say what is paused, on hold or suppressed (`ready`). */
  uninformed: boolean
  /** Of an event that went to AEP without the outbox. */
  receipt: BufferedReceipt | null
  /** What was replaced in it, where it went to AEP without the outbox. */
  redacted: Redacted
}

/** What has been answered since the last report. */
export class ReportBuffer {
  #sums = nothing()
  readonly #counts: CountSums = new Map()
  /** By id: a webhook that comes again leaves no second one. */
  readonly #receipts = new Map<string, BufferedReceipt & { source: string | null }>()

  record({ at, ms, key, stranger, uninformed, receipt, ...answered }: Answered): void {
    const { kind, outcome, source, redacted } = answered
    const row = counted({ minute: at, kind, outcome, source, redacted }, ms)
    // What the outbox sent while its request waited, it counts itself.
    if (outcome === 'forwarded') row.records = receipt ? 1 : 0
    const isFull = this.#counts.size >= MAX_BUFFERED_COUNTS
    addRow(this.#counts, row, isFull ? STEP_MS.hour : STEP_MS.minute)
    const { keys, strangers } = this.#sums
    if (key !== null) keys[key] = Math.max(at, keys[key] ?? 0)
    if (stranger !== null) {
      const refused = strangers[stranger] ?? 0
      const isKnown = refused > 0 || Object.keys(strangers).length < MAX_STRANGERS
      if (isKnown) strangers[stranger] = refused + 1
    }
    if (!receipt) return
    this.#sums.forwarded += 1
    if (uninformed) this.#sums.uninformed += 1
    if (this.#receipts.size < MAX_BUFFERED_RECEIPTS) {
      this.#receipts.set(receipt.id, { ...receipt, source })
    }
  }

  get isEmpty(): boolean {
    return this.#counts.size + this.#receipts.size === 0
  }

  /** How many receipts are buffered. */
  get size(): number {
    return this.#receipts.size
  }

  takeCounts(): Sums {
    const taken = { ...this.#sums, counts: [...this.#counts.values()] }
    this.#sums = nothing()
    this.#counts.clear()
    return taken
  }

  takeReceipts(): (BufferedReceipt & { source: string | null })[] {
    const taken = [...this.#receipts.values()]
    this.#receipts.clear()
    return taken
  }
}

type ReporterDeps = {
  exchange: (report: Report | null, version: string | null) => Promise<Exchanged>
  /** `askedAt`: when the outbox was asked. */
  learned: (aep: Aep, askedAt: number) => void
  /** Takes what there is to report of drift; the next call starts from nothing. */
  drift: (now: number) => DriftReport[]
  now: () => number
  rim: Pick<Rim, 'timers' | 'hmac'>
  /** Resolves after so many milliseconds; rejects where a request must not go on for that long. */
  wait: (ms: number) => Promise<void>
  /** A name that no other isolate has. */
  isolate: string
}

export class Reporter {
  readonly #deps: ReporterDeps
  readonly #buffer = new ReportBuffer()
  /** The latest report, until the outbox has confirmed it. */
  #sent: Report | null = null
  #sequence = 0
  #exchangedAt = 0
  /** When the outbox was asked what this isolate knows of it, and by which of its questions; `null`: never. */
  #informedAt: number | null = null
  #informedBy = 0
  #asked = 0
  #reportingSince: number | null = null
  /** Since when a request has been waiting to report what is buffered. */
  #waitingSince: number | null = null
  #hash: LookupHash | null = null
  #version: string | null = null
  /** Who is suppressed, as a hash, and until when. */
  #suppressed: ReadonlyMap<string, number> = new Map()

  constructor(deps: ReporterDeps) {
    this.#deps = deps
  }

  record(answered: Answered): void {
    this.#buffer.record(answered)
  }

  /** Whether anybody is suppressed: only then are events compared. */
  get suppresses(): boolean {
    return this.#suppressed.size > 0
  }

  async isSuppressed(subject: Subject): Promise<boolean> {
    const now = this.#deps.now()
    const hashes = unpackHashes(await this.hashesOf(subject))
    return hashes.some(({ hash }) => (this.#suppressed.get(hash) ?? 0) > now)
  }

  /** `null` while this isolate does not know the key. */
  async hashesOf(subject: Subject): Promise<Hashes | null> {
    return this.#hash ? this.#hash.ofSubject(subject) : null
  }

  /**
   * Before a webhook is relayed: whether this isolate knows of pauses, holds and suppressions, after asking if it must.
   * One that restarts is asked twice, and again a second later; one that does not answer, after ten seconds: until then
   * nobody waits for it.
   */
  async ready(): Promise<boolean> {
    const now = this.#deps.now()
    if (isWithin(this.#informedAt, INFORMED_MS, now)) return true
    const hasFailed = this.#exchangedAt > (this.#informedAt ?? 0)
    if (hasFailed && isWithin(this.#exchangedAt, REFRESH_INTERVAL_MS, now)) return false
    try {
      // Each request asks by itself: a promise of one does not wake another.
      const exchange = () => this.#exchange(null)
      await within(EXCHANGE_TIMEOUT_MS, exchange().catch(exchange), this.#deps.rim.timers)
      return true
    } catch (thrown) {
      const isSilent = this.#deps.now() - now >= EXCHANGE_TIMEOUT_MS
      this.#exchangedAt = isSilent ? now : now - REFRESH_INTERVAL_MS + EXCHANGE_TIMEOUT_MS
      logLine('warn', { event: 'exchange-failed', name: nameOf(thrown) })
      return false
    }
  }

  /** `keep`: keeps the request alive that has just been answered (`waitUntil`). */
  afterAnswer(now: number, keep: (work: Promise<void>) => void): void {
    const isRecent = isWithin(this.#exchangedAt, REFRESH_INTERVAL_MS, now)
    const dueInMs = isRecent ? this.#exchangedAt + REFRESH_INTERVAL_MS - now : 0
    if (dueInMs === 0 || (this.#buffer.size >= REPORT_AT_RECEIPTS && !this.#isReporting())) {
      keep(this.#reportUntilTaken(REPORT_TRIES))
    } else if (this.#hasSomething && !this.#isWaiting()) {
      keep(this.#later(dueInMs, REPORT_TRIES - 1))
    }
  }

  /**
   * No other webhook may come to a quiet relay, so what was not taken is sent again as long as a request may go on, and then
   * what has come since.
   */
  async #reportUntilTaken(tries: number): Promise<void> {
    await this.report()
    if (tries > 1 && this.#hasSomething && !this.#isWaiting()) {
      await this.#later(REFRESH_INTERVAL_MS, tries - 1)
    }
  }

  /** Exchanges now. Never throws. */
  async report(): Promise<void> {
    this.#exchangedAt = this.#deps.now()
    const isReporting = this.#isReporting()
    if (!isReporting) this.#reportingSince = this.#exchangedAt
    try {
      const hadKey = this.#hash !== null
      await this.#exchange(isReporting ? null : await this.#load())
      // What could not be hashed before.
      if (!isReporting && !hadKey && this.#hasSomething) await this.#exchange(await this.#load())
    } catch (thrown) {
      logLine('warn', { event: 'exchange-failed', name: nameOf(thrown) })
    } finally {
      if (!isReporting) this.#reportingSince = null
    }
  }

  get #hasSomething(): boolean {
    return !this.#buffer.isEmpty || this.#sent !== null
  }

  #isReporting(): boolean {
    return isWithin(this.#reportingSince, EXCHANGE_LOST_MS, this.#deps.now())
  }

  async #exchange(report: Report | null): Promise<void> {
    const { exchange, learned, now } = this.#deps
    const askedAt = now()
    this.#asked += 1
    const asked = this.#asked
    const { aep, taken, lookup } = await exchange(report, this.#version)
    if (report && taken && this.#sent === report) this.#sent = null
    this.#exchangedAt = now()
    learned(aep, askedAt)
    // An exchange that began later has ended already: what it brought is newer.
    if (asked < this.#informedBy) return
    this.#informedBy = asked
    this.#informedAt = askedAt
    // It changes where the suppressions of another outbox have been taken over.
    if (this.#hash?.raw.toHex() !== lookup.key.toHex()) {
      this.#hash = new LookupHash(lookup.key, this.#deps.rim.hmac)
    }
    if (lookup.suppressions) {
      this.#suppressed = new Map(lookup.suppressions.map(({ hash, until }) => [hash, until]))
    }
    this.#version = lookup.version
  }

  /** The report to send: the one that was not taken, before anything newer. */
  async #load(): Promise<Report | null> {
    if (this.#sent || this.#buffer.isEmpty) return this.#sent
    const { isolate, drift, now } = this.#deps
    const counts = this.#buffer.takeCounts()
    const buffered = this.#hash ? this.#buffer.takeReceipts() : []
    const receipts = await Promise.all(
      buffered.map(async ({ subject, ...receipt }): Promise<Receipt> => {
        const hashes = (await this.hashesOf(subject)) ?? ''
        return { ...receipt, via: 'forwarded', attempts: 1, hashes }
      }),
    )
    if (counts.counts.length + receipts.length === 0) return null
    this.#sequence += 1
    const sequence = this.#sequence
    this.#sent = { isolate, sequence, ...counts, receipts, drift: drift(now()) }
    return this.#sent
  }

  async #later(ms: number, tries: number): Promise<void> {
    this.#waitingSince = this.#deps.now()
    try {
      await this.#deps.wait(ms)
    } catch {
      return
    } finally {
      this.#waitingSince = null
    }
    if (this.#hasSomething) await this.#reportUntilTaken(tries)
  }

  /** A request may end while it waits; another then takes its place. */
  #isWaiting(): boolean {
    return isWithin(this.#waitingSince, 2 * REFRESH_INTERVAL_MS, this.#deps.now())
  }
}

/** False after the clock was set back, so that nothing is put off. */
function isWithin(since: number | null, ms: number, now: number): boolean {
  return since !== null && now >= since && now - since < ms
}
