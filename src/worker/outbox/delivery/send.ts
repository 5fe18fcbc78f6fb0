/**
 * Sends events: chooses what shares a request, turns it into records, and sends it request by request.
 *
 * What is stored is what arrived, so an event is read, normalized and encoded anew for every attempt: a fix in the
 * normalizer or in a setting applies to everything that waits. The exception is a split event, whose parts are decided once
 * and stored before the first is sent.
 *
 * Promises: never throws for a fault that one event brings out: one that cannot be read any more goes to quarantine, one
 * that our own code fails on waits, and neither stops the others. Only events that were never tried share a request; a batch
 * that AEP refuses as a whole is halved until the culprit stands alone. The answer to each request is written down before
 * the next one of its events leaves, and before each AEP may still be asked and the event is still there.
 */
import type { AepClient } from '../../aep/client/client.ts'
import type { Ending } from '../../aep/client/verdict.ts'
import { encode, withDelay } from '../../aep/record/encode.ts'
import { type Redacted, redactEvent } from '../../aep/record/redact.ts'
import { readEvent } from '../../chatlio/event.ts'
import type { Destination, RedactRule } from '../../config/config.ts'
import { parseJson } from '../../lib/json.ts'
import { LARGE_BODY_BYTES, MAX_UNFINISHED, MAX_UNSENDABLE_PER_TURN } from '../../limits.ts'
import { logLine, nameOf } from '../../log.ts'
import { NO_HISTORY } from '../blame.ts'
import { quarantineError, type StoredEvent } from '../event.ts'
import type { DeliveryDeps } from './delivery.ts'
import type { Next, Selected } from './next.ts'
import type { Ended, Outcomes } from './outcome.ts'

/** `part` is `null` when the event is one record. */
type OutgoingRecord = { part: number | null; record: string }

/** `records`: JSON texts without their envelope, those that AEP has not accepted yet. */
export type Prepared = {
  selected: Selected
  event: StoredEvent
  records: readonly OutgoingRecord[]
  redacted: Redacted
}

/** What goes into one slot of a run. */
export type Job =
  | { kind: 'prepared'; events: readonly Prepared[]; bytes: number }
  /** Prepared only once it is on record that it begins. `alone`: processing it has ended the isolate before, perhaps. */
  | { kind: 'large'; selected: Selected; alone: boolean; bytes: number }

type Turn = {
  /** AEP fails, and one event is to ask whether it still does. */
  probe: boolean
  /** AEP refuses everything. */
  rejecting: boolean
  /** Several events may share a request. */
  batches: boolean
  /** How many requests may be under way. */
  slots: number
  /** Bytes of bodies that may be under way beside what is; `null` when nothing is, and anything may. */
  roomBytes: number | null
  now: number
}

type SendDeps = {
  next: Next
  outcomes: Outcomes
  client: AepClient
  destination: Destination
} & Pick<DeliveryDeps, 'config' | 'events' | 'now' | 'storage'>

type MaySend = () => boolean

export class Send {
  readonly #deps: SendDeps
  readonly #maxRecordBytes: number
  readonly #madeFor: string
  /** `#madeFor` as the last layout wrote it, which knew no redaction: parts that it made were sent unredacted. */
  readonly #madeForBefore: string

  constructor(deps: SendDeps) {
    const { client, destination } = deps
    const { maxEventBytes, redact } = deps.config
    this.#deps = deps
    this.#maxRecordBytes = client.envelope.maxRecordBytes(maxEventBytes)
    this.#madeFor = madeFor(destination, redact)
    this.#madeForBefore = `${madeFor(destination, [])} *`
  }

  /** `wait`: the next event waits until others have ended. `null`: nothing is due that can be sent. */
  nextJob(turn: Turn): Job | 'wait' | null {
    const { next, events } = this.#deps
    const looked = new Set<number>()
    while (looked.size < MAX_UNSENDABLE_PER_TURN) {
      const selected = turn.probe ? next.takeProbe(turn.rejecting) : next.take(turn.now, turn.slots)
      if (!selected) return null
      const { position, bytes } = selected
      if (looked.has(position)) {
        next.done(position)
        return null
      }
      looked.add(position)
      const isLarge = bytes > LARGE_BODY_BYTES
      const alone = isLarge && events.begun(position) >= MAX_UNFINISHED
      if (turn.roomBytes !== null && (alone || bytes > turn.roomBytes)) {
        next.giveBack(selected)
        return 'wait'
      }
      if (isLarge) return { kind: 'large', selected, alone, bytes }
      const prepared = this.#prepare(selected)
      if (prepared) return this.#fill(prepared, turn)
    }
    return null
  }

  /** Where AEP takes batches, as many events as fit into one request. */
  #fill(first: Prepared, { batches, probe }: Turn): Job {
    const { next, client } = this.#deps
    const events = [first]
    const fits = client.envelope.filling()
    for (const { record } of first.records) fits(record)
    let { bytes } = first.selected
    const isShared = batches && !probe && first.records.length === 1 && !first.event.history
    for (let looked = 0; isShared && looked < MAX_UNSENDABLE_PER_TURN; looked += 1) {
      if (events.length >= client.envelope.mostRecords) break
      const selected = next.takeUntried()
      if (!selected) break
      if (selected.bytes > LARGE_BODY_BYTES) {
        next.giveBack(selected)
        break
      }
      const more = this.#prepare(selected)
      if (!more) continue
      const [only, ...others] = more.records
      if (!only || others.length > 0 || !fits(only.record)) {
        next.giveBack(selected)
        break
      }
      events.push(more)
      bytes += selected.bytes
    }
    return { kind: 'prepared', events, bytes }
  }

  /**
   * Sends a job. Resolves to `refused-only-together` when AEP refused several events as a batch and then accepted each by
   * itself. `mayContinue`: asked before each further request; `probe`: one record a request, so that each answer says
   * something.
   */
  async send(
    job: Job,
    probe: boolean,
    mayContinue: MaySend,
  ): Promise<'as-usual' | 'refused-only-together'> {
    const events = job.kind === 'large' ? await this.#prepareLarge(job.selected) : job.events
    const [first] = events
    if (!first) return 'as-usual'
    if (events.length === 1) {
      await this.#sendOne(first, probe, mayContinue)
      return 'as-usual'
    }
    const { refused, accepted } = await this.#sendHalves(events, mayContinue)
    return refused && accepted === events.length ? 'refused-only-together' : 'as-usual'
  }

  async #sendOne(prepared: Prepared, probe: boolean, mayContinue: MaySend): Promise<void> {
    const { client, outcomes, events, next, now, config } = this.#deps
    let left = prepared.records
    let most = probe ? 1 : Number.POSITIVE_INFINITY
    for (;;) {
      const fitting = client.envelope.batchLength(left.map(({ record }) => record))
      const group = left.slice(0, Math.min(fitting, most))
      const beganAt = now()
      const endings = await client.deliverBatch(
        group.map(({ record }) => record),
        config.drainTimeoutMs,
        () => this.#areThere([prepared]),
      )
      if (endings === 'bisect') most = Math.ceil(group.length / 2)
      else {
        left = left.slice(group.length)
        const failed = worstOf(endings)
        const ending = failed ?? (left.length === 0 ? endings[0] : undefined)
        // The last ones leave with their event.
        if (ending?.verdict !== 'accepted') {
          for (const [index, each] of endings.entries()) {
            const part = group[index]?.part ?? null
            if (part === null || each.verdict !== 'accepted') continue
            outcomes.partAccepted(prepared.event, part, each, beganAt)
          }
        }
        if (ending) return outcomes.ended([{ prepared, ending }], beganAt)
      }
      if (!mayContinue()) return next.giveBack(prepared.selected)
      // An operator may have erased it, or its age: nothing more of it leaves.
      if (events.stillPending([prepared.event]).length === 0) {
        return next.done(prepared.event.position)
      }
    }
  }

  async #sendHalves(
    all: readonly Prepared[],
    mayContinue: MaySend,
  ): Promise<{ refused: boolean; accepted: number }> {
    const { client, outcomes, now, config } = this.#deps
    const beganAt = now()
    const texts = all.flatMap(({ records: [only] }) => only?.record ?? [])
    const mayLeave = () => this.#areThere(all)
    const endings = await client.deliverBatch(texts, config.drainTimeoutMs, mayLeave)
    if (endings !== 'bisect') {
      const ended: Ended[] = all.flatMap((prepared, index) => {
        const ending = endings[index]
        return ending ? { prepared, ending } : []
      })
      await outcomes.ended(ended, beganAt)
      const isAccepted = ({ verdict }: Ending) => verdict === 'accepted'
      return { refused: false, accepted: endings.filter(isAccepted).length }
    }
    let accepted = 0
    const middle = Math.ceil(all.length / 2)
    for (const half of [all.slice(0, middle), all.slice(middle)]) {
      const there = this.#stillThere(half)
      if (there.length === 0) continue
      if (!mayContinue()) {
        for (const { selected } of there) this.#deps.next.giveBack(selected)
        continue
      }
      accepted += (await this.#sendHalves(there, mayContinue)).accepted
    }
    return { refused: true, accepted }
  }

  /** False where storage cannot be read: then nothing leaves, and the fault is thrown when the rest is to be sent. */
  #areThere(prepared: readonly Prepared[]): boolean {
    try {
      const events = prepared.map(({ event }) => event)
      return this.#deps.events.stillPending(events).length === events.length
    } catch {
      return false
    }
  }

  #stillThere(prepared: readonly Prepared[]): Prepared[] {
    const { events, next } = this.#deps
    const there = new Set(events.stillPending(prepared.map(({ event }) => event)))
    for (const { event } of prepared) if (!there.has(event)) next.done(event.position)
    return prepared.filter(({ event }) => there.has(event))
  }

  /**
   * Processing a large event might end the isolate, and must not do so for ever: that it begins is on disk before it does,
   * and that it ended before the request leaves, since waiting for AEP is not processing.
   */
  async #prepareLarge(selected: Selected): Promise<readonly Prepared[]> {
    const { events, next, storage } = this.#deps
    const { position } = selected
    const unfinished = events.begun(position)
    if (unfinished > MAX_UNFINISHED) {
      const event = events.read(position)
      const message = `processing it never ended, ${unfinished} times`
      if (event)
        this.#deps.outcomes.quarantined(event, { code: 'processing-failed', status: null, message })
      next.done(position)
      return []
    }
    events.begin(position)
    await storage.sync()
    const prepared = this.#prepare(selected)
    events.end(position)
    return prepared ? [prepared] : []
  }

  /** `null`: it is gone, or parked, or waits; or that it waits cannot be written, and it stays under way until the run ends. */
  #prepare(selected: Selected): Prepared | null {
    const { events, next } = this.#deps
    const { position } = selected
    const event = events.read(position)
    try {
      const encoded = event && this.#encoded(event)
      if (encoded) return { selected, event, ...encoded }
    } catch (thrown) {
      if (event && !this.#notEncoded(event, thrown)) return null
    }
    next.done(position)
    return null
  }

  #encoded(event: StoredEvent): Pick<Prepared, 'records' | 'redacted'> | null {
    const { events, destination, now, config } = this.#deps
    const { redact } = config
    const { position, source, receivedAt } = event
    const at = now()
    const split = events.parts.splitOf(position)
    let generation = 0
    if (split) {
      const parts = events.parts.left(position)
      generation = split.generation
      const isCurrent = [this.#madeFor, this.#madeForBefore].includes(split.madeFor)
      if (parts.length > 0 && isCurrent) {
        const records = parts.map(({ part, record }) => {
          return { part, record: withDelay(record, receivedAt, at) }
        })
        return { records, redacted: split.madeFor === this.#madeFor ? this.#redacted(event) : {} }
      }
      if (parts.length > 0 && parts.length < split.parts) {
        // AEP has some of them, in a form that the others cannot have any more.
        const message = `${split.parts - parts.length} of ${split.parts} parts are in AEP`
        this.#deps.outcomes.gaveUp(event, { code: 'settings-changed', status: null, message })
        return null
      }
      // AEP may have one whose acceptance could not be written: no id stands for two contents.
      if (parts.length > 0) generation += 1
    }
    const reading = readEvent(event, parseJson(event.body))
    if (reading.outcome !== 'valid') {
      this.#deps.outcomes.quarantined(event, quarantineError(reading))
      return null
    }
    const sending = { now: at, source, redact, generation }
    const encoded = encode(reading.event, destination, this.#maxRecordBytes, sending)
    if (!encoded.split) {
      if (split) events.parts.unsplit(position)
      return { records: [{ part: null, record: encoded.record }], redacted: encoded.redacted }
    }
    events.parts.split(position, encoded.parts, this.#madeFor, generation)
    const records = encoded.parts.map((record, part) => ({ part, record }))
    return { records, redacted: encoded.redacted }
  }

  /** What was replaced in an event whose parts were made by an earlier attempt. */
  #redacted(event: StoredEvent): Redacted {
    const { redact } = this.#deps.config
    if (redact.length === 0) return {}
    const reading = readEvent(event, parseJson(event.body))
    return reading.outcome === 'valid' ? redactEvent(reading.event, redact).redacted : {}
  }

  /** Makes an event wait that our own code fails on; `false` where even that could not be written. */
  #notEncoded(event: StoredEvent, thrown: unknown): boolean {
    const name = nameOf(thrown)
    const { id, kind, position, history } = event
    const { events, outcomes, now, config } = this.#deps
    logLine('error', { event: 'not-encoded', id, kind, name })
    try {
      events.failed(position, {
        ...(history ?? NO_HISTORY),
        nextAt: now() + config.retryCapMs,
        askedToWait: false,
        error: { code: 'internal', status: null, message: name },
        answer: null,
      })
      return true
    } catch (unwritten) {
      outcomes.unwritten ??= { thrown: unwritten }
      return false
    }
  }
}

/** What decides how an event is split: parts made for other settings do not fit together with new ones. */
export function madeFor(destination: Destination, redact: readonly RedactRule[]): string {
  const { format } = destination
  const own = destination.format === 'xdm' ? `${format} ${destination.tenant}` : format
  return [own, ...redact.toSorted()].join(' ')
}

/** An event is dead when one of its parts is refused for good, and waits when one failed otherwise. */
function worstOf(endings: readonly Ending[]): Ending | undefined {
  return (
    endings.find(({ verdict }) => verdict === 'rejected') ??
    endings.find(({ verdict }) => verdict !== 'accepted')
  )
}
