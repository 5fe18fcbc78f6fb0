/**
 * Faults that only XDM can meet: batches that AEP accepts in part or answers with a wrong count, and failing token
 * requests of an authenticated inlet.
 */
import type { Fault } from './faults.ts'

/**
 * Statuses by position; messages beyond the end are accepted. None rejects an event, and less than half of a batch fails,
 * so that no event may become a dead letter.
 */
const ITEMS: readonly (readonly (number | null)[])[] = [
  [null, 503, null, 429],
  [null, 500, null, 408],
  [503, null, null],
  [null, null, 401, null, 403],
  [null, 404, null, null, 503],
]
const DIALECTS = ['A', 'B', 'C'] as const

/** Every dialect, but not with every list: a drill meets each fault only a few times. */
const partial: Fault[] = ITEMS.flatMap((items, index) =>
  [false, true].map((recorded) => {
    const dialect = DIALECTS[(index + Number(recorded)) % DIALECTS.length] ?? 'A'
    return {
      name: `207 ${items.map((status) => status ?? 'ok').join(' ')}, ${dialect}${recorded ? ', recorded' : ''}`,
      partial: true,
      // Without `recorded` AEP has exactly the messages it says it has.
      answer: { type: 'items', items: [...items], dialect, ...(recorded && { recorded }) },
    }
  }),
)

const miscount = (by: number, recorded: boolean): Fault => ({
  name: `207 miscount ${by}${recorded ? ', recorded' : ''}`,
  answer: { type: 'miscount', by, recorded },
  partial: true,
})
const miscounts = [
  ...[-1, -2, -100].map((by) => miscount(by, false)),
  ...[-1, 1, 100].map((by) => miscount(by, true)),
]

/** Revokes the current token first, since otherwise the Worker would not ask for another. */
const token = (name: string, answer: Fault['answer']): Fault => ({
  name: `token ${name}`,
  answer,
  on: 'token',
  revokes: true,
})

const tokens: Fault[] = [
  { ...token('revoked', { type: 'normal' }), partial: true },
  { ...token('slow', { type: 'normal', delayMs: 600 }), partial: true },
  token('503', { type: 'status', status: 503 }),
  token('429', { type: 'status', status: 429, retryAfter: 1 }),
  token('401', { type: 'status', status: 401 }),
  token('html', { type: 'garbage', garbage: 'html' }),
  token('truncated', { type: 'garbage', garbage: 'truncated' }),
  token('reset', { type: 'reset' }),
  token('reset in the body', { type: 'reset', where: 'body' }),
]

export const XDM_FAULTS: readonly Fault[] = [...partial, ...miscounts, ...tokens]
