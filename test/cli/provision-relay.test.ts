/** The Worker, configured by `provision` alone, relays every sample, and the lake has every field of every kind. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { varsOf } from '../../src/cli/lib/wrangler-toml.ts'
import { postSample, SAMPLES } from '../../src/cli/start/samples.ts'
import { Bench } from './provision-support.ts'
import { startRelayProcess } from './relay-process.ts'

const KEY = 'test-webhook-key-for-provision'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.start({ keepBodies: true })
})
afterEach(() => bench.stop())

describe.each([
  ['raw', []],
  ['xdm, authenticated', ['--format', 'xdm', '--authenticated']],
])('%s', (_, args) => {
  it('every sample reaches the dataset, with every field', async () => {
    expect((await bench.run(args)).code).toBe(0)
    const { AEP_CLIENT_ID = '', AEP_CLIENT_SECRET = '' } = bench.env
    const isAuthenticated = args.length > 0
    const worker = await startRelayProcess({
      ...varsOf(bench.toml),
      WEBHOOK_KEYS: KEY,
      AEP_CLIENT_ID: isAuthenticated ? AEP_CLIENT_ID : '',
      AEP_CLIENT_SECRET: isAuthenticated ? AEP_CLIENT_SECRET : '',
    })
    const quit = new AbortController().signal
    try {
      for (const sample of SAMPLES) {
        const posted = await postSample(sample, worker.url, KEY, bench.adobe.adobe, quit)
        expect([sample.path, posted.outcome]).toEqual([sample.path, 'forwarded'])
        const [record] = posted.received
        expect(record?._id).toBe(posted.id)
        expect(record?.warnings ?? []).toEqual([])
        expect(typeof record?.source).toBe(args.includes('xdm') ? 'undefined' : 'object')
        expect([sample.path, missing(record?.source, record?.record)]).toEqual([sample.path, []])
      }
    } finally {
      await worker.stop()
    }
  })
})

/** Values of the raw record that the event in the lake lacks. An xdm record is what was sent: none. */
function missing(source: unknown, record: unknown): readonly string[] {
  const held = new Set(leaves(record).map(String))
  return leaves(source ?? record)
    .map(String)
    .filter((value) => !held.has(value))
}

/** All that is no object; what only repeats `identTraits` is left out. */
function leaves(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value]
  return Object.entries(value).flatMap(([key, held]) =>
    key === 'identTraitsParsed' ? [] : leaves(held),
  )
}
