/** What AEP says of accepted events, whatever it answers: what is asked of it, and what is read from each form of an answer. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFailedRow } from '../../../src/worker/aep/failed-row.ts'
import {
  type LandedCursor,
  landedSince,
  readBatch,
  readLanded,
} from '../../../src/worker/aep/landed.ts'
import type { PlatformGet } from '../../../src/worker/aep/platform-get.ts'

const NOON = Date.parse('2026-11-24T12:00:00Z')
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const ID = 'ab'.repeat(32)
const FLOW = { datasetId: 'dataset', flowId: 'ours' }

type Answers = {
  runs?: unknown
  batches?: unknown
  files?: unknown
  rows?: readonly unknown[]
}

/** An AEP that gives these answers, to a first list of runs and batches; the lists after them are empty. */
function answering({ runs = {}, batches = {}, files, rows = [] }: Answers) {
  const asked: { path: string; query: URLSearchParams }[] = []
  const get: PlatformGet = async (url) => {
    const [path = '', search = ''] = url.split('?')
    const query = new URLSearchParams(search)
    const isFirst = asked.every((before) => before.path !== path)
    asked.push({ path, query })
    if (path.endsWith('/runs')) return Response.json(isFirst ? runs : {})
    if (path.endsWith('/batches')) return Response.json(isFirst ? batches : {})
    if (!query.has('path')) return Response.json(files ?? { data: [{ name: 'part-0.json' }] })
    return new Response(rows.map((row) => JSON.stringify(row)).join('\n'))
  }
  const read = (cursor: Partial<LandedCursor> = {}, now = NOON) =>
    readLanded({ get, flow: FLOW, now, cursor: { ...landedSince(NOON - HOUR), ...cursor } })
  return { asked, get, read }
}

const run = (own: object, metrics: object = {}) => ({
  flowId: 'ours',
  ...own,
  metrics: {
    durationSummary: { startedAtUTC: NOON - MINUTE },
    recordSummary: { inputRecordCount: 5, outputRecordCount: 4, failedRecordCount: 1 },
    ...metrics,
  },
})
const batch = (own: object = {}) => ({
  ...{ status: 'failed', created: NOON - MINUTE, updated: NOON, tags: { flowId: ['ours'] } },
  ...own,
})
const row = (own: object = {}) => ({
  body: { _id: ID, eventType: 'chatlio.feedback', receivedAt: 'x', ...own },
  _errors: [{ code: 'DCVS-1', pointerToViolation: '#/timestamp' }],
})

describe('AEP is asked', () => {
  it('for the runs that began in the hours, and for failed batches of the dataset, the oldest first', async () => {
    const aep = answering({})
    await aep.read()
    expect(aep.asked.map(({ path, query }) => [path, [...query]])).toEqual([
      [
        '/data/foundation/flowservice/runs',
        [
          ['property', 'flowId==ours'],
          ['property', `metrics.durationSummary.startedAtUTC>${NOON - HOUR - 1}`],
          ['property', `metrics.durationSummary.startedAtUTC<${NOON + HOUR}`],
          ['limit', '50'],
          ['orderby', 'createdAt'],
        ],
      ],
      [
        '/data/foundation/catalog/batches',
        [
          ['status', 'failed'],
          ['dataSet', 'dataset'],
          ['createdAfter', String(NOON - HOUR - 15 * MINUTE)],
          ['limit', '100'],
          ['start', '0'],
          ['orderBy', 'asc:created'],
        ],
      ],
    ])
  })

  it.each([
    ['https://x/runs?continuationToken=a%2Fb&limit=1', 'a/b'],
    ['/runs?limit=1&continuationToken=a', 'a'],
    ['continuationToken=%', '%'],
    ['/runs?notcontinuationToken=a', null],
    ['/runs?continuationToken=', null],
    [7, null],
  ])('for the next page of runs as its answer says: %s', async (href, token) => {
    const aep = answering({ runs: { items: [], _links: { next: { href } } } })
    await aep.read()
    const pages = aep.asked.filter(({ path }) => path.endsWith('/runs')).map(({ query }) => query)
    expect(pages.slice(1).map((query) => [...query])).toEqual(
      token === null ? [] : [[['continuationToken', token]]],
    )
  })

  it('for no more than three pages of runs, and an hour whose runs may be on the next is not taken', async () => {
    const asked: string[] = []
    const get: PlatformGet = async (url) => {
      asked.push(url)
      if (!url.includes('/runs')) return Response.json({})
      const page = asked.length
      const items = [run({}, { durationSummary: { startedAtUTC: NOON + page * HOUR } })]
      return Response.json({ items, _links: { next: { href: `?continuationToken=${page}` } } })
    }
    const cursor = landedSince(NOON)
    const landed = await readLanded({ get, flow: FLOW, now: NOON + DAY, cursor })
    expect(asked.filter((url) => url.includes('/runs'))).toHaveLength(3)
    expect(landed.hours.map(({ at }) => (at - NOON) / HOUR)).toEqual([0, 1, 2])
    expect(landed).toMatchObject({ more: true, cursor: { hours: NOON + 3 * HOUR } })
  })
})

describe('a run', () => {
  const hourOf = async (one: unknown) => {
    const { hours } = await answering({ runs: { items: [one] } }).read()
    return hours[0]
  }
  const COUNTED = { at: NOON - HOUR, received: 5, ingested: 4, failed: 1, settled: false }
  const NOTHING = { ...COUNTED, received: 0, ingested: 0, failed: 0 }

  it.each([
    ['began, as it says', run({})],
    ['was created, where it does not say', run({ createdAt: NOON - 1 }, { durationSummary: {} })],
    [
      'was created, where that is no moment',
      run({ createdAt: NOON - 1 }, { durationSummary: { startedAtUTC: '1' } }),
    ],
  ])('counts in the hour in which it %s', async (_, one) => {
    expect(await hourOf(one)).toEqual(COUNTED)
  })

  it.each([
    ['is of another flow', run({ flowId: 'theirs' })],
    ['names no flow', run({ flowId: undefined })],
    ['has no metrics', { flowId: 'ours', createdAt: NOON - 1 }],
    ['has no time', run({}, { durationSummary: null })],
    [
      'has a time that is none',
      run({ createdAt: 1e300 }, { durationSummary: { startedAtUTC: -1 } }),
    ],
    ['has no counts', run({}, { recordSummary: [] })],
    ['is a text', 'run'],
    ['is null', null],
  ])('counts for nothing if it %s', async (_, one) => {
    expect(await hourOf(one)).toEqual(NOTHING)
  })

  it.each([
    [{ inputRecordCount: 0, outputRecordCount: 4, failedRecordCount: 1 }, [5, 4, 1]],
    [{ outputRecordCount: 4 }, [4, 4, 0]],
    [{ inputRecordCount: '9', outputRecordCount: true, failedRecordCount: [3] }, [0, 0, 0]],
    [{ inputRecordCount: -9, outputRecordCount: 1e300, failedRecordCount: 1.5 }, [0, 0, 0]],
  ])('is counted by what is a count: %j', async (recordSummary, [received, ingested, failed]) => {
    expect(await hourOf(run({}, { recordSummary }))).toEqual({
      ...COUNTED,
      received,
      ingested,
      failed,
    })
  })

  it('ahead of the hours that were asked for adds none, though its list goes on', async () => {
    const items = [run({}, { durationSummary: { startedAtUTC: NOON + 1_000 * DAY } })]
    const get: PlatformGet = async (url) =>
      Response.json(
        url.includes('/runs') ? { items, _links: { next: { href: '?continuationToken=x' } } } : {},
      )
    const cursor = landedSince(NOON - HOUR)
    const { hours } = await readLanded({ get, flow: FLOW, now: NOON, cursor })
    expect(hours).toHaveLength(2)
  })

  it('settles with its hour two hours after that, to the millisecond', async () => {
    const at = async (now: number) => (await answering({}).read({}, now)).hours[0]?.settled
    expect([await at(NOON + 2 * HOUR - 1), await at(NOON + 2 * HOUR)]).toEqual([false, true])
  })
})

describe('a failed batch', () => {
  const failuresOf = async (batches: unknown, more: Answers = {}) => {
    const { failures } = await answering({ batches, rows: [row()], ...more }).read()
    return failures
  }

  it('is named with its event, its cause and its times', async () => {
    expect(await failuresOf({ b1: batch() })).toEqual([
      {
        ...{ id: ID, code: 'DCVS-1', pointer: '/timestamp', kind: 'feedback', source: null },
        ...{ batch: 'b1', acceptedAt: NOON - MINUTE, at: NOON },
      },
    ])
    const [begun] = await failuresOf({ b1: batch({ updated: '2026' }) })
    expect(begun?.at).toBe(NOON - MINUTE)
  })

  it.each([
    ['of another flow', { b1: batch({ tags: { flowId: ['theirs'] } }) }],
    ['of no flow', { b1: batch({ tags: null }) }],
    ['of a flow that is no list', { b1: batch({ tags: { flowId: 'ours' } }) }],
    ['that did not fail', { b1: batch({ status: 'success' }) }],
    ['without a time', { b1: batch({ created: undefined }) }],
    ['at a time that is none', { b1: batch({ created: 1e300 }) }],
    ['whose id is a path', { '../x': batch(), 'b1/../../x': batch() }],
    ['whose id is empty, or too long', { '': batch(), [`b${'1'.repeat(64)}`]: batch() }],
    ['that is a list', { b1: [batch()] }],
    ['that is null', { b1: null }],
  ])('is not read, and nothing with it, if it is one %s', async (_, batches) => {
    const aep = answering({ batches })
    expect(await aep.read()).toMatchObject({ failures: [], unnamed: [], gone: 0, problem: null })
    expect(aep.asked.some(({ path }) => path.includes('/export/'))).toBe(false)
  })

  it('is read before the younger ones, whatever their order', async () => {
    const batches = {
      b2: batch({ created: NOON - 2 }),
      b1: batch({ created: NOON - 3 }),
      b3: batch({ created: NOON - 1 }),
    }
    const found = await failuresOf(batches)
    expect(found.map((one) => one.batch)).toEqual(['b1', 'b2', 'b3'])
  })

  it.each([
    ['no list', { data: { name: 'x' } }],
    ['no names', { data: [null, 'x', {}, { name: 7 }, { name: '' }, { name: '_SUCCESS' }] }],
  ])('with %s of files has been read', async (_, files) => {
    const aep = answering({ batches: { b1: batch() }, files })
    const { failures, problem, cursor } = await aep.read()
    expect({ failures, problem, done: cursor.done }).toEqual({
      ...{ failures: [], problem: null, done: { b1: NOON - MINUTE } },
    })
  })

  it('that fails hours later is found within a day, and what is older than seven days is forgotten', async () => {
    const done = { old: NOON - 7 * DAY, kept: NOON - 7 * DAY + 1 }
    const { read } = answering({})
    const daily = await read({ lookedBackAt: NOON - DAY, done })
    expect(daily.cursor).toMatchObject({ batches: NOON - 7 * DAY, lookedBackAt: NOON })
    expect(daily.cursor.done).toEqual({ kept: NOON - 7 * DAY + 1 })
    const next = await read({ lookedBackAt: NOON - DAY + 1 })
    expect(next.cursor).toMatchObject({ batches: NOON - 3 * HOUR, lookedBackAt: NOON - DAY + 1 })
    // By a clock that was set back it is not put off.
    const ahead = await read({ lookedBackAt: NOON + DAY })
    expect(ahead.cursor).toMatchObject({ batches: NOON - 7 * DAY, lookedBackAt: NOON })
  })

  it('is read to its end by whoever wants its rows', async () => {
    const found: unknown[] = []
    const { get } = answering({ rows: [row(), row({ _id: 'x' })] })
    const all = await readBatch(get, 'b1', ({ id }, line) => found.push([id, JSON.parse(line)]))
    expect(all.end).toBeNull()
    expect(found).toEqual([
      [ID, row()],
      [null, row({ _id: 'x' })],
    ])
    const refusing = (status: number) => async () => new Response('', { status })
    expect((await readBatch(refusing(404), 'b1', () => {})).end).toBe('gone')
    expect((await readBatch(refusing(403), 'b1', () => {})).end).toEqual({
      ...{ what: 'files', reason: 'permission', status: 403 },
    })
  })
})

describe('the source of a failed row', () => {
  const sourceOf = (body: object) => readFailedRow(JSON.stringify({ body }))?.source
  const own = { _id: ID, eventType: 'chatlio.feedback' }

  it('is what the relay wrote, in each form of a record', () => {
    expect(sourceOf({ ...own, receivedAt: 'x', source: 'shop-2' })).toBe('shop-2')
    expect(sourceOf({ ...own, _acme: { chatlio: { source: 'shop' } } })).toBe('shop')
    expect(sourceOf({ xdmEntity: { ...own, _acme: { chatlio: { source: 'shop' } } } })).toBe('shop')
  })

  it.each(['Ada Lovelace', 'ada@example.com', '', 'x'.repeat(33), 7, null, ['shop']])(
    'is none where it does not look like one: %j',
    (source) => {
      expect(sourceOf({ ...own, source })).toBeNull()
      expect(sourceOf({ ...own, _acme: { chatlio: { source } } })).toBeNull()
      expect(sourceOf({ ...own, acme: { chatlio: { source: 'shop' } }, _b: 'x' })).toBeNull()
    },
  )
})

describe('whatever AEP answers', () => {
  const CANARY = 'canary'
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(CANARY, 1e300, -1, 2 ** 53, '%', { href: '?continuationToken=%' }, 'ours'),
  )
  /** A sound answer in which some fields are replaced. */
  const spoilt = (sound: object) =>
    fc.record(
      Object.fromEntries(
        Object.entries(sound).map(([key, one]) => [
          key,
          fc.oneof({ weight: 3, arbitrary: fc.constant(one as unknown) }, value),
        ]),
      ),
      { requiredKeys: [] },
    )
  const links = spoilt({ next: { href: '?continuationToken=more' } })
  const answers = fc.record({
    runs: fc.oneof(
      value,
      fc.record({ items: fc.array(spoilt(run({}))), _links: fc.oneof(value, links) }),
    ),
    batches: fc.oneof(
      value,
      fc.dictionary(fc.constantFrom('b1', 'b2', CANARY, '../x'), spoilt(batch())),
    ),
    files: fc.oneof(value, fc.record({ data: fc.array(spoilt({ name: 'part' })), _links: value })),
    rows: fc.array(fc.oneof(value, spoilt(row()))),
  })

  it('reading ends, in counts and moments that are some, with none of its words but a batch’s id', async () => {
    await fc.assert(
      fc.asyncProperty(answers, async (given) => {
        const { asked, read } = answering(given)
        const landed = await read()
        expect(asked.length).toBeLessThanOrEqual(24)
        expect(landed.hours.length).toBeLessThanOrEqual(48)
        for (const { received, ingested, failed } of landed.hours) {
          expect(
            [received, ingested, failed].every((count) => count >= 0 && count < Infinity),
          ).toBe(true)
        }
        for (const { id, at, acceptedAt, pointer, code } of landed.failures) {
          expect(id).toBe(ID)
          expect(
            [new Date(at), new Date(acceptedAt)].every((one) => Number.isFinite(one.getTime())),
          ).toBe(true)
          expect(JSON.stringify([pointer, code])).not.toContain(CANARY)
        }
        expect(JSON.stringify([landed.hours, landed.unnamed, landed.problem])).not.toContain(CANARY)
        expect(JSON.parse(JSON.stringify(landed.cursor))).toEqual(landed.cursor)
      }),
      { numRuns: 300 },
    )
  })
})
