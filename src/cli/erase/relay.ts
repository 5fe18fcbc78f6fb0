/**
 * Relay: the relay's side of a privacy request.
 *
 * Promises: suppresses every identity first, then erases again and again until a round finds nothing, waiting each time
 * until every isolate knows. Neither the token nor what an event said is in what it returns.
 */

import type { Identity } from '../../worker/aep/privacy-request.ts'
import { MAX_ERASE_ROUNDS } from '../../worker/limits.ts'
import { adminAnswer, type Fields, type Operator } from '../lib/relay-reply.ts'
import type { Erase } from './options.ts'

type Sums = { matched: number; erased: number; receipts: number; mentioned: number }

export type Erased = {
  readonly sums: Sums
  readonly rounds: number
  /** The earliest end; `null` without a suppression. */
  readonly suppressedUntil: string | null
  /** Opaque. */
  readonly suppressions: readonly string[]
  readonly clean: boolean
}

/** `between`: called before each further round. The text says why it could not be done. */
export async function eraseAll(
  options: Erase,
  between: () => Promise<unknown>,
): Promise<Erased | string> {
  const { dryRun, identities } = options
  const sums: Sums = { matched: 0, erased: 0, receipts: 0, mentioned: 0 }
  for (let rounds = 1; ; rounds += 1) {
    let found = 0
    const mentioned: number[] = []
    const ends = new Set<string>()
    for (const identity of identities) {
      const answer = await eraseOnce(options, identity)
      if (typeof answer === 'string') return answer
      sums.matched += Number(answer.matched)
      sums.erased += Number(answer.erased)
      sums.receipts += Number(answer.receipts)
      mentioned.push(Number(answer.mentioned))
      found += Number(answer.matched) + Number(answer.receipts)
      if (typeof answer.suppressedUntil === 'string') ends.add(answer.suppressedUntil)
    }
    // An event may mention several identities of one person.
    sums.mentioned = Math.max(...mentioned)
    // The first round may have run before every isolate knew of the suppression.
    const clean = rounds > 1 && found === 0
    if (dryRun || clean || rounds === MAX_ERASE_ROUNDS) {
      const suppressedUntil = [...ends].sort()[0] ?? null
      const suppressions = ends.size > 0 ? await suppressionsUntil(options, ends) : []
      return { sums, rounds, suppressedUntil, suppressions, clean }
    }
    await between()
  }
}

async function eraseOnce(options: Erase, { kind, value }: Identity): Promise<Fields | string> {
  const { suppressDays, dryRun } = options
  const answer = await ask(options, 'erase', { [kind]: value, suppressDays, dryRun })
  return typeof answer === 'string'
    ? `${answer} Nothing is certain to be erased; run it again.`
    : answer
}

/**
 * The ids of the suppressions that end at one of these moments, as the relay has just given them. Empty if the relay lists
 * no suppressions: they cannot be extended then, and the command says so when it would have extended them.
 */
async function suppressionsUntil(
  relay: Operator,
  ends: ReadonlySet<string>,
): Promise<readonly string[]> {
  const rows = await listSuppressions(relay)
  if (typeof rows === 'string') return []
  return rows.filter(({ until }) => ends.has(until)).map(({ id }) => id)
}

export type Suppression = { readonly id: string; readonly until: string }

/** The text says why there is no list. */
export async function listSuppressions(relay: Operator): Promise<readonly Suppression[] | string> {
  const answer = await ask(relay, 'suppressions')
  if (typeof answer === 'string') return answer
  const rows: readonly unknown[] = Array.isArray(answer.rows) ? answer.rows : []
  return rows.flatMap((row) => {
    const { id, until } = row as Fields
    return typeof id === 'string' && typeof until === 'string' ? [{ id, until }] : []
  })
}

/** `null`: it lasts until then. The text says why it does not. */
export async function extendSuppression(relay: Operator, row: Suppression): Promise<string | null> {
  const answer = await ask(relay, 'suppressions', row)
  return typeof answer === 'string' ? answer : null
}

/** The text says why there is no answer. */
async function ask(...request: Parameters<typeof adminAnswer>): Promise<Fields | string> {
  const answer = await adminAnswer(...request)
  if ('wrong' in answer) return answer.wrong
  const { status, body } = answer
  if (status >= 200 && status < 300) return body
  if (status === 404) return 'The relay has no usable ADMIN_TOKEN, or is older than this command.'
  return `The relay answered ${status}: ${body.detail ?? body.code}.`
}
