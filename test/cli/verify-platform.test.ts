/** What `npm run verify` says of Adobe's side, from what the Platform API counts. */
import { describe, expect, it } from 'vitest'
import { platform } from '../../src/cli/verify/platform.ts'
import type { Row } from '../../src/cli/verify/row.ts'

type Summary = { outputRecordCount?: number; failedRecordCount?: number }

/** Each answer is given once, the last one from then on. */
function rows(answers: readonly (readonly Summary[])[], relayed = 5): Promise<readonly Row[]> {
  const left = [...answers]
  const asked = platform({
    flowId: 'flow',
    waitMs: 0,
    mapping: async () => ({ check: 'mapping', ok: true, text: 'as it should be' }),
    get: async (path) => {
      expect(path).toContain('/data/foundation/flowservice/runs?property=flowId%3D%3Dflow')
      const summaries = (left.length > 1 ? left.shift() : left[0]) ?? []
      return { items: summaries.map((recordSummary) => ({ metrics: { recordSummary } })) }
    },
  })
  return asked.begin().then((ended) => ended(relayed))
}

const old = { outputRecordCount: 40, failedRecordCount: 2 }

describe('the dataset', () => {
  it.each<[string, Summary, boolean | null, string]>([
    [
      'is good when the flow ingested as many records more',
      { outputRecordCount: 5 },
      true,
      'got the 5 records',
    ],
    [
      'is bad when one failed after it was accepted',
      { outputRecordCount: 4, failedRecordCount: 1 },
      false,
      'failed 1',
    ],
    ['is open while they are not counted yet', { outputRecordCount: 3 }, null, '3 of 5'],
  ])('%s', async (_, added, ok, words) => {
    const [mapping, dataset] = await rows([[old], [added, old]])
    expect(mapping?.ok).toBe(true)
    expect(dataset).toEqual({ check: 'dataset', ok, text: expect.stringContaining(words) })
  })

  it('is open when AEP has accepted nothing', async () => {
    const [, dataset] = await rows([[old]], 0)
    expect(dataset?.ok).toBeNull()
  })

  it('is bad when AEP does not let its runs be read', async () => {
    const refused = async () => {
      throw new Error('403 for this credential')
    }
    const asked = platform({ flowId: 'flow', waitMs: 0, get: refused, mapping: refused })
    const both = await (await asked.begin())(5)
    expect(both.map(({ ok }) => ok)).toEqual([false, false])
    expect(both[1]?.text).toContain('403 for this credential')
  })
})
