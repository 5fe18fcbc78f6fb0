import { reset } from 'cloudflare:test'
import { afterEach, expect, it, vi } from 'vitest'
import { oracle } from './oracle.ts'
import { captureLogs, startAep, startClock } from './support.ts'

afterEach(async () => {
  vi.useRealTimers()
  await reset()
})

it.each([1, 2, 3])(
  'every 2xx is in AEP in the end, whatever happens to whom (seed %i)',
  async (seed) => {
    captureLogs()
    const clock = startClock()
    const aep = startAep()
    await oracle({
      aep,
      clock,
      seed,
      rounds: 60,
      faults: [],
      messageOf: (record) => (record as { message?: string }).message,
    })
    expect(aep.peak).toBeGreaterThan(1)
  },
)
