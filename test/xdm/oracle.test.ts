import { reset } from 'cloudflare:test'
import { afterEach, expect, it, vi } from 'vitest'
import type { Answer } from '../../src/local-adobe/answer.ts'
import { oracle } from '../worker/oracle.ts'
import { captureLogs, startAep, startClock } from '../worker/support.ts'

afterEach(async () => {
  vi.useRealTimers()
  await reset()
})

const DIALECTS = ['A', 'B', 'C'] as const

/** Partial failures of a batch in every dialect, and answers of the wrong length. */
const faults: Answer[] = [
  ...DIALECTS.flatMap((dialect): Answer[] => [
    { type: 'items', items: [null, 503, null, 429], dialect },
    { type: 'items', items: [500, null, 401, null, null, 404], dialect },
    { type: 'items', items: [null, null, 408], dialect },
  ]),
  { type: 'miscount' },
  { type: 'miscount', by: 2 },
]

it.each([4, 5])(
  'every 2xx is in AEP in the end, with partial failures mixed in (seed %i)',
  async (seed) => {
    captureLogs()
    const clock = startClock()
    const aep = startAep({ mode: 'xdm', auth: true })
    await oracle({
      aep,
      clock,
      seed,
      rounds: 60,
      faults,
      messageOf: (record) => /"(message \d+)"/.exec(JSON.stringify(record))?.[1],
    })
    expect(aep.requests.some(({ path }) => path.includes('/batch/'))).toBe(true)
  },
)
