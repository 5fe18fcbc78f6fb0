/**
 * What the relay says of records after AEP has accepted them, against AEP's own books: events that were refused afterwards
 * are named within 45 minutes and found as `failed`, what was lost is an alert within four hours, a clean hour resolves it,
 * hours are those of AEP; and of conversations without a transcript as many as there are.
 */
import type { Batch } from './landed.ts'
import type { Oracle } from './oracle.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** After AEP has refused it. */
const NAMED_MS = 45 * MINUTE
const COUNTED_MS = 4 * HOUR
/** What keeps the relay from reading, or from noting what it has read. */
const HINDER = ['rpc', 'object', 'storage', 'clock', 'deploy', 'isolate', 'aep'] as const

type Chat = { begunAt: number; isBegun: boolean; transcript: boolean }

export class AboutLanded {
  readonly #oracle: Oracle
  readonly #failedAt: number[] = []
  readonly #chats = new Map<number, Chat>()
  #incompleteSince: number | null = null
  #completeSince: number | null = null

  constructor(oracle: Oracle) {
    this.#oracle = oracle
  }

  /** Nothing else has happened that reading depends on, for so long. */
  #isReadable(ms: number): boolean {
    const oracle = this.#oracle
    if (oracle.has(ms, ...HINDER)) return false
    return !oracle.world
      .faults(ms)
      .some((each) => each.what === 'landed' && each.how !== 'fails' && each.how !== 'lost')
  }

  /** A batch has failed, and can be read. */
  failed(batch: Batch): void {
    const { world } = this.#oracle
    world.note(`aep refused ${batch.rows.length} later`)
    world.reach('a record refused after it was accepted')
    this.#failedAt.push(world.now)
    world.queue.after(NAMED_MS, () => this.#named(batch))
  }

  #named(batch: Batch): void {
    const oracle = this.#oracle
    if (!this.#isReadable(NAMED_MS + 20 * MINUTE)) return
    if (batch.flow !== oracle.world.settings.flow) return
    oracle.world.reach('a failed batch that must be named')
    if (!oracle.alerts.isFiring('not-landed')) {
      oracle.breach(
        'not-landed',
        `is not firing, and AEP refused ${batch.rows.length} 45 minutes ago`,
      )
    }
    const [first] = batch.rows
    if (first) void this.#find(first.id, batch.id)
  }

  async #find(id: string, batch: string): Promise<void> {
    const oracle = this.#oracle
    const event = id.slice(0, 64)
    const { status, json } = await oracle.world.admin('/find', { id: event })
    if (status !== 200) return
    const [found] = (json.events ?? []) as { state: string; batch?: string; code?: string }[]
    // The receipt of one that an isolate forwarded is gone with the isolate, or with its person.
    if (!found) {
      oracle.world.reach('a failed event without a receipt')
      return
    }
    if (found.state === 'failed') oracle.world.reach('a receipt called failed')
    // A part of it was refused, the rest is on its way.
    const isUnderWay = ['pending', 'dead', 'recovered'].includes(found.state)
    if (found.state !== 'failed' && !isUnderWay) {
      oracle.breach('not-landed', `find says ${found.state} of one that AEP refused in ${batch}`)
    }
  }

  /** The cron trigger has run. */
  ran(): void {
    const oracle = this.#oracle
    const { now, aep } = oracle.world
    const isFiring = oracle.alerts.isFiring('not-landed')
    const lately = this.#failedAt.some((at) => at > now - HOUR - NAMED_MS - HOUR)
    const lost = aep.later.lost(now - 9 * HOUR, now)
    if (isFiring && !lately && lost === 0 && this.#isReadable(90 * MINUTE)) {
      oracle.breach('not-landed', 'is firing, and for hours AEP has kept all that it accepted')
    }
    this.#missing()
    this.#incomplete()
  }

  /** Of an hour four hours ago AEP has lost some, and the relay knew all that was acknowledged. */
  #missing(): void {
    const oracle = this.#oracle
    const { now, aep, settings } = oracle.world
    if (!this.#isReadable(COUNTED_MS + 2 * HOUR)) return
    const hour = Math.floor((now - COUNTED_MS) / HOUR) * HOUR
    if (now - hour > COUNTED_MS + 6 * MINUTE) return
    const lost = aep.later.lost(hour - 2 * HOUR, hour)
    if (lost === 0) return
    oracle.world.reach('records that AEP lost')
    const raised = oracle.alerts.raisedAt('not-landed')
    if (raised === null || raised < hour - 2 * HOUR) {
      oracle.breach('not-landed', `is not raised, and AEP lost ${lost} of ${settings.flow}`)
    }
  }

  /** A webhook has been taken: what it says of its conversation. */
  taken(conversation: number, kind: string): void {
    const { now } = this.#oracle.world
    const chat = this.#chats.get(conversation) ?? {
      begunAt: now,
      isBegun: false,
      transcript: false,
    }
    this.#chats.set(conversation, chat)
    if (kind === 'transcript') chat.transcript = true
    if (kind === 'new-conversation' || kind === 'unanswered') chat.isBegun = true
  }

  #incomplete(): void {
    const oracle = this.#oracle
    const { now, plan, settings } = oracle.world
    const overdueAt = now - settings.completeHours * HOUR
    const due = [...this.#chats.values()].filter(
      ({ isBegun, begunAt }) => isBegun && begunAt <= overdueAt && begunAt > overdueAt - 24 * HOUR,
    )
    const missing = due.filter(({ transcript }) => !transcript).length
    const share = due.length === 0 ? 0 : missing / due.length
    const isFiring = oracle.alerts.isFiring('incomplete')
    const isLow = due.length < 7 || share < 0.12
    this.#completeSince = isLow ? (this.#completeSince ?? now) : null
    // It is looked at once an hour, and again at the next run where that could not be asked.
    const isLowLong = this.#completeSince !== null && now - this.#completeSince > 70 * MINUTE
    const isHindered =
      oracle.has(3 * HOUR, 'clock', 'deploy') || oracle.has(20 * MINUTE, 'rpc', 'object', 'storage')
    if (isFiring && isLowLong && !isHindered) {
      const text = `is firing, and ${missing} of ${due.length} chats have no transcript`
      oracle.breach('incomplete', text)
    }
    // The relay looks once an hour, at a fifth; near that it may have seen either side.
    const isClear = due.length >= 10 && share > 0.28
    this.#incompleteSince = isClear ? (this.#incompleteSince ?? now) : null
    const isCertain = plan.faults.every(
      ({ what }) => what === 'landed' || what === 'chatlio' || what === 'aep',
    )
    // It is looked at once an hour.
    if (isCertain && this.#incompleteSince !== null && now - this.#incompleteSince > 70 * MINUTE) {
      oracle.world.reach('an alert that transcripts are missing')
      if (!isFiring && plan.ms <= 24 * HOUR) {
        const text = `is not firing, and ${missing} of ${due.length} chats have no transcript`
        oracle.breach('incomplete', text)
      }
    }
  }

  /** Hours that AEP will not change any more are those of AEP. */
  compared(json: Record<string, unknown>): void {
    const oracle = this.#oracle
    const { aep, settings, plan } = oracle.world
    if (plan.faults.some(({ what }) => what === 'clock')) return
    const hours = (json.hours ?? []) as {
      at: string
      received: number
      ingested: number
      failed: number
      settled: boolean
    }[]
    for (const hour of hours.filter(({ settled }) => settled)) {
      const { received, ingested, failed } = aep.later.hour(Date.parse(hour.at), settings.flow)
      oracle.world.reach('an hour compared with that of AEP')
      if (hour.received === received && hour.ingested === ingested && hour.failed === failed)
        continue
      const said = `${hour.received} received, ${hour.ingested} ingested, ${hour.failed} failed`
      oracle.breach('compared', `${said}; in AEP ${received}, ${ingested}, ${failed}`)
    }
  }
}
