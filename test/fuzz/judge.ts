/**
 * Judge: sends one request and says what is wrong with its answer, with what AEP has of it, and with what was printed
 * meanwhile. Keeps account of what must be in AEP or in the outbox.
 */
import type { Connection, Reply, Sent } from './connection.ts'
import { contentFaults, isSplit, isWhole, type Whose } from './contents.ts'
import { type Expected, expectedOf } from './model.ts'
import { TENANT } from './receiver.ts'
import type { Target } from './target.ts'
import { CANARY } from './written.ts'

/** `check`: which promise. */
export type Breach = { readonly check: Check; readonly text: string }
type Check = '5xx' | 'answer' | 'custody' | 'content' | 'log' | 'ledger' | 'stranger'

type Owed = { readonly whose: Whose; readonly sent: Sent; readonly number: number }

/** Room for a clock that is read before or after. */
const SLACK_MS = 2_000

export class Judge {
  readonly #target: Target
  /** Answered 202, and not in AEP yet. */
  readonly owed = new Map<string, Owed>()
  /** Ids that are in quarantine. */
  readonly quarantined = new Set<string>()
  /** Ids that went through the outbox. */
  readonly stored = new Set<string>()
  /** The first digits of ids that have been compared: AEP may get them twice. */
  readonly #settled = new Set<number>()
  /** Of an event that came later than its answer. */
  onLate: (breach: Breach, owed: Owed) => void = () => undefined
  readonly statuses: Record<string, number> = {}
  compared = 0

  constructor(target: Target) {
    this.#target = target
    target.receiver.onEvent = (id) => {
      const owed = this.owed.get(id)
      if (owed) this.#settleLate(id, owed)
      else if (this.#settled.has(short(id))) target.receiver.forget(id)
    }
  }

  /** What comes now is compared, though it may have been before. */
  anew(): void {
    this.#settled.clear()
  }

  /** `number`: for what is found later. */
  async judge(sent: Sent, connection: Connection, number: number): Promise<Breach[]> {
    const from = Date.now()
    let reply: Reply
    try {
      reply = await connection.send(sent)
    } catch (error) {
      return [{ check: 'answer', text: `none: ${(error as Error).message}` }]
    }
    const to = Date.now()
    const days = [from, to].map((ms) => new Date(ms).toISOString().slice(0, 10))
    const expected = expectedOf(sent, days, this.#target.variant === 'guarded')
    return this.#judged(sent, reply, expected, { from: from - SLACK_MS, to: to + SLACK_MS }, number)
  }

  #judged(
    sent: Sent,
    reply: Reply,
    expected: Expected,
    moments: { from: number; to: number },
    number: number,
  ): Breach[] {
    const { status } = reply
    const isWebhook = expected.answer !== 'open'
    const { outcome, id, repeats } = read(reply, sent)
    const shown = isWebhook ? `${status} ${outcome}` : `${status}, not of a webhook`
    this.statuses[shown] = (this.statuses[shown] ?? 0) + 1
    const answer = (why: string): Breach[] => [
      { check: 'answer', text: `${status} ${outcome}: ${why}` },
    ]
    if (status >= 500) return [{ check: '5xx', text: `${status} ${outcome}` }]
    if (status < 200 || Number.isNaN(status)) return answer('is no answer')
    if (isWebhook && repeats) return answer('repeats what was sent')
    switch (expected.answer) {
      case 'open':
        // Whatever it is taken for: what is called accepted must be somewhere.
        if (id === null) return []
        if (outcome === 'buffered' || this.#isSplit(id)) this.stored.add(id)
        if (status >= 400) this.quarantined.add(id)
        this.#forget(id)
        return []
      case 'refused':
        if (status !== expected.status || (outcome !== expected.code && sent.method !== 'HEAD')) {
          return answer(`must be ${expected.status} ${expected.code}`)
        }
        return id === null ? [] : answer('has an id')
      case 'suppressed':
        if (status !== 202 || outcome !== 'suppressed') return answer('must be 202 suppressed')
        return this.#isNamed(id, expected.ids) ? [] : answer('has another id')
      case 'quarantined':
        if (status !== expected.status || !expected.codes.includes(outcome)) {
          return answer(`must be ${expected.status} ${expected.codes.join(' or ')}`)
        }
        if (!this.#isNamed(id, expected.ids)) return answer('has another id')
        this.quarantined.add(String(id))
        return []
      case 'taken': {
        if (!this.#isNamed(id, expected.ids)) {
          return answer(id === null ? 'must be 200 or 202' : 'has another id')
        }
        const whose: Whose = {
          taken: expected.taken,
          id: String(id),
          format: this.#target.format,
          tenant: TENANT,
          masks: this.#target.variant === 'guarded',
          ...moments,
        }
        if (status === 202 && outcome === 'buffered') return this.#buffered({ whose, sent, number })
        if (status === 200 && outcome === 'forwarded') return this.#forwarded(whose)
        return answer('must be 200 forwarded or 202 buffered')
      }
    }
  }

  #isSplit(id: string): boolean {
    const records = this.#target.receiver.of(id)
    return records !== undefined && isSplit(records, id)
  }

  #isNamed(id: string | null, ids: readonly string[]): boolean {
    return id !== null && ids.includes(id)
  }

  #forwarded(whose: Whose): Breach[] {
    const records = this.#target.receiver.of(whose.id)
    if (!records && this.#settled.has(short(whose.id))) return []
    if (!records || !isWhole(records, whose)) {
      return [{ check: 'custody', text: 'was answered 200, and AEP does not have it' }]
    }
    if (this.#isSplit(whose.id)) this.stored.add(whose.id)
    return this.#compare(whose)
  }

  #buffered(owed: Owed): Breach[] {
    const { id } = owed.whose
    this.stored.add(id)
    if (this.#settled.has(short(id))) return []
    const records = this.#target.receiver.of(id)
    if (records && isWhole(records, owed.whose)) return this.#compare(owed.whose)
    this.owed.set(id, owed)
    return []
  }

  #settleLate(id: string, owed: Owed): void {
    const records = this.#target.receiver.of(id)
    if (!records || !isWhole(records, owed.whose)) return
    this.owed.delete(id)
    for (const breach of this.#compare(owed.whose)) this.onLate(breach, owed)
  }

  #compare(whose: Whose): Breach[] {
    const records = this.#target.receiver.of(whose.id)
    if (!records) return []
    const faults = contentFaults(records, whose)
    this.compared += 1
    this.#forget(whose.id)
    return faults.slice(0, 5).map((text) => ({ check: 'content', text }))
  }

  #forget(id: string): void {
    this.#target.receiver.forget(id)
    this.#settled.add(short(id))
  }
}

const short = (id: string) => Number.parseInt(id.slice(0, 12), 16)

function read({ body, headers }: Reply, sent: Sent) {
  const text = body.toString()
  // A problem says no more than the contract does.
  const repeats = text.includes(CANARY) || text.includes('fuzz-')
  if (!headers.get('content-type')?.includes('json'))
    return { outcome: text.slice(0, 20), id: null, repeats }
  try {
    const { status, code, id } = JSON.parse(text) as {
      status?: unknown
      code?: unknown
      id?: unknown
    }
    const outcome = typeof code === 'string' ? code : typeof status === 'string' ? status : ''
    return {
      outcome,
      id: typeof id === 'string' && sent.target.startsWith('/chatlio') ? id : null,
      repeats,
    }
  } catch {
    return { outcome: 'unreadable', id: null, repeats }
  }
}
