/** What AEP says of accepted events, read from the local Adobe: hours, failures, and where reading goes on. */
import { describe, expect, it } from 'vitest'
import { createLocalAdobe, type LocalAdobe } from '../../../src/local-adobe/app.ts'
import { readFailedRow } from '../../../src/worker/aep/failed-row.ts'
import {
  type Landed,
  type LandedCursor,
  landedSince,
  missingIn,
  notAhead,
  readLanded,
} from '../../../src/worker/aep/landed.ts'
import { type PlatformGet, platformGet } from '../../../src/worker/aep/platform-get.ts'

const BASE = 'http://aep.local'
const NOON = Date.parse('2026-11-24T12:00:00Z')
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const CANARY = 'canary@example.com'
const FLOW = { datasetId: 'local-dataset', flowId: 'ours' }

const idOf = (each: number) => each.toString(16).padStart(64, '0')

class Aep {
  readonly adobe: LocalAdobe
  requests: string[] = []
  #token: string | null = null

  constructor(options: Parameters<typeof createLocalAdobe>[0] = {}) {
    this.adobe = createLocalAdobe({ now: () => NOON, ...options })
  }

  async post(each: number, flow = 'ours', more: object = {}): Promise<void> {
    const response = await this.adobe.fetch(`${BASE}/collection/local-inlet`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-adobe-flow-id': flow },
      body: JSON.stringify({
        _id: idOf(each),
        eventType: 'chatlio.transcript',
        receivedAt: '2026-11-24T12:00:00.000Z',
        visitor: { UUID: `v${each}`, email: CANARY },
        ...more,
      }),
    })
    expect(response.status).toBe(200)
  }

  async posts(from: number, to: number, flow?: string): Promise<void> {
    for (let each = from; each <= to; each += 1) await this.post(each, flow)
  }

  failing(more: object = {}): this {
    const message = `[${CANARY}] is not a valid date-time`
    this.adobe.rule({ answer: { type: 'failLater', pointer: '/timestamp', message }, ...more })
    return this
  }

  get get(): PlatformGet {
    const access = { platformUrl: BASE, orgId: 'LOCAL@AdobeOrg', sandbox: 'prod' }
    const token = async (refused: string | null) => {
      if (this.#token === null || this.#token === refused) {
        const form = { client_id: 'local-reader', client_secret: 'local-reader-secret' }
        const body = new URLSearchParams({
          ...form,
          grant_type: 'client_credentials',
          scope: 'openid',
        })
        const answer = await this.adobe.fetch(`${BASE}/ims/token/v3`, { method: 'POST', body })
        this.#token = ((await answer.json()) as { access_token: string }).access_token
      }
      return this.#token
    }
    return platformGet({ ...access, clientId: 'local-reader' }, token, (url, init) => {
      this.requests.push(url.slice(BASE.length))
      return this.adobe.fetch(url, init)
    })
  }

  get now(): number {
    return NOON + this.#ahead
  }
  #ahead = 0
  advance(ms: number): void {
    this.#ahead += ms
    this.adobe.advance(ms)
  }

  read(cursor: LandedCursor, flow: { datasetId: string; flowId: string | null } = FLOW) {
    this.requests = []
    return readLanded({ get: this.get, flow, cursor, now: this.now })
  }

  /** Until there is no more to read now. */
  async readAll(cursor: LandedCursor) {
    const hours = new Map<number, Landed['hours'][number]>()
    const failures: Landed['failures'][number][] = []
    for (let runs = 0; runs < 50; runs += 1) {
      const last = await this.read(cursor)
      failures.push(...last.failures)
      for (const hour of last.hours) hours.set(hour.at, hour)
      if (!last.more) return { failures, hours }
      cursor = last.cursor
    }
    throw new Error('It does not end.')
  }
}

const START = landedSince(NOON - HOUR)
const thirds = [3, 6, 9, 12, 15, 18].map(idOf)

describe('what landed', () => {
  it('is counted by the hour, and what failed later is named, in three requests', async () => {
    const aep = new Aep().failing({ every: 3 })
    await aep.posts(1, 20)
    aep.advance(20 * MINUTE)
    const landed = await aep.read(START)
    expect(landed.hours).toEqual([
      { at: NOON - HOUR, received: 0, ingested: 0, failed: 0, settled: false },
      { at: NOON, received: 20, ingested: 14, failed: 6, settled: false },
    ])
    expect(landed.failures.map(({ id }) => id)).toEqual(thirds)
    expect(landed.failures[0]).toEqual({
      id: idOf(3),
      code: 'DCVS-1105-400',
      pointer: '/timestamp',
      batch: expect.stringMatching(/^01/),
      at: NOON + 20 * MINUTE,
      kind: 'transcript',
      source: null,
      form: 'raw',
      acceptedAt: NOON,
    })
    expect(landed).toMatchObject({ unnamed: [], gone: 0, more: false, problem: null })
    expect(JSON.stringify(landed)).not.toContain('canary')
    expect(JSON.stringify(landed)).not.toContain('valid date')
    expect(aep.requests.length).toBeLessThanOrEqual(6)
  })

  it('is read once: the next run asks for what may have changed, and opens no batch again', async () => {
    const aep = new Aep().failing({ every: 3 })
    await aep.posts(1, 20)
    aep.advance(20 * MINUTE)
    const { cursor } = await aep.read(START)
    aep.advance(15 * MINUTE)
    const second = await aep.read(cursor)
    expect(second.failures).toEqual([])
    expect(aep.requests.filter((path) => path.includes('/export/'))).toEqual([])
    expect(second.hours.map(({ at }) => at)).toEqual([NOON - HOUR, NOON])
    aep.advance(5 * HOUR)
    const third = await aep.read(second.cursor)
    expect(third.hours.filter(({ settled }) => settled).map(({ at }) => at)).toEqual(
      [-1, 0, 1, 2].map((hour) => NOON + hour * HOUR),
    )
    expect(third.cursor).toMatchObject({ hours: NOON + 3 * HOUR, start: 0, within: null })
    expect((await aep.read(third.cursor)).failures).toEqual([])
  })

  it('finds a batch that fails behind younger ones', async () => {
    const aep = new Aep({ batchDelayMs: 0 }).failing()
    await aep.post(1)
    aep.advance(15 * MINUTE)
    await aep.post(2)
    aep.advance(15 * MINUTE)
    // The younger is done with first.
    const early = aep.adobe.failed.findIndex(({ _id }) => _id === idOf(1))
    const [first] = (aep.adobe.failed as unknown as unknown[]).splice(early, 1)
    const one = await aep.read(START)
    expect(one.failures.map(({ id }) => id)).toEqual([idOf(2)])
    ;(aep.adobe.failed as unknown as unknown[]).push(first)
    aep.advance(15 * MINUTE)
    const two = await aep.read(one.cursor)
    expect(two.failures.map(({ id }) => id)).toEqual([idOf(1)])
  })

  it('finds within a day a batch that fails days after it began, and opens none again', async () => {
    const aep = new Aep().failing()
    await aep.posts(1, 3)
    aep.advance(20 * MINUTE)
    let { cursor } = await aep.read(START)
    aep.adobe.set({ batchDelayMs: 2 * 24 * HOUR })
    await aep.posts(4, 6)
    const found: string[] = []
    let opened = 0
    for (let hours = 0; hours < 4 * 24; hours += 1) {
      aep.advance(HOUR)
      const landed = await aep.read(cursor)
      cursor = landed.cursor
      found.push(...landed.failures.map(({ id }) => id))
      const files = aep.requests.filter((path) => path.includes('/export/'))
      opened += files.filter((path) => path.includes('?path=')).length
      expect(aep.requests.length - files.length).toBeLessThanOrEqual(4)
      if (hours < 48) expect(found).toEqual([])
      if (hours >= 3 * 24) expect(found).toEqual([4, 5, 6].map(idOf))
    }
    expect(opened).toBe(1)
  })

  it('stops after twenty files and goes on there, each row once', async () => {
    const aep = new Aep({ failedFileRows: 1 }).failing()
    await aep.posts(1, 50)
    aep.advance(20 * MINUTE)
    const first = await aep.read(START)
    expect(first.more).toBe(true)
    expect(first.failures).toHaveLength(19)
    expect(aep.requests.filter((path) => path.includes('/export/'))).toHaveLength(20)
    const { failures } = await aep.readAll(first.cursor)
    const all = [...first.failures, ...failures].map(({ id }) => id)
    expect(all).toEqual(Array.from({ length: 50 }, (_, index) => idOf(index + 1)))
  })

  it('ends with a file after as many rows as it may read, and goes on there', async () => {
    const aep = new Aep({ failedFileRows: 3 }).failing()
    await aep.posts(1, 10)
    aep.advance(20 * MINUTE)
    const options = { get: aep.get, flow: FLOW, now: aep.now, rows: 4 }
    const first = await readLanded({ ...options, cursor: START })
    expect(first).toMatchObject({ more: true, problem: null })
    expect(first.failures).toHaveLength(6)
    const second = await readLanded({ ...options, cursor: first.cursor })
    expect(second.failures.map(({ id }) => id)).toEqual([7, 8, 9, 10].map(idOf))
    expect(second.more).toBe(false)
  })

  it.each([
    ['answers 500', { type: 'status', status: 500 } as const],
    ['breaks off', { type: 'reset', where: 'body' } as const],
  ])(
    'reads the others where a batch %s, and that one as soon as it can be read',
    async (_, answer) => {
      const aep = new Aep({ batchDelayMs: 0 }).failing()
      const quarters = 5
      for (let each = 1; each <= quarters; each += 1) {
        await aep.post(each)
        await aep.post(each, 'ours', { _id: `not-ours-${each}` })
        aep.advance(15 * MINUTE)
      }
      const { failures } = await aep.readAll(START)
      const [poisoned] = failures
      const path = `/data/foundation/export/batches/${poisoned?.batch}/failed`
      aep.adobe.rule({ on: 'platform', path, answer })
      const found: string[] = []
      let unnamed = 0
      let cursor = START
      const read = async () => {
        const landed = await aep.read(cursor)
        cursor = landed.cursor
        found.push(...landed.failures.map(({ id }) => id))
        unnamed += landed.unnamed.reduce((sum, { count }) => sum + count, 0)
        return landed
      }
      const first = await read()
      expect(first.problem).toMatchObject({ what: 'files', reason: 'failed' })
      expect(new Set(found)).toEqual(new Set([2, 3, 4, 5].map(idOf)))
      // Days later, too: other batches come and are read, before it.
      for (let hours = 0; hours < 30; hours += 1) {
        aep.advance(HOUR)
        expect((await read()).problem).not.toBeNull()
      }
      expect(unnamed).toBe(quarters - 1)
      aep.adobe.clearRules()
      expect((await read()).problem).toBeNull()
      expect(new Set(found)).toEqual(new Set([1, 2, 3, 4, 5].map(idOf)))
      expect(unnamed).toBe(quarters)
      await read()
      expect(unnamed).toBe(quarters)
    },
  )

  it('ends when its time is over, and goes on there', async () => {
    const aep = new Aep({ failedFileRows: 1 }).failing()
    await aep.posts(1, 5)
    aep.advance(20 * MINUTE)
    const options = { get: aep.get, flow: FLOW, now: aep.now }
    const late = () => aep.requests.length >= 4
    const first = await readLanded({ ...options, cursor: START, late })
    expect(aep.requests).toHaveLength(4)
    expect(first).toMatchObject({ more: true, problem: null })
    const { failures } = await aep.readAll(first.cursor)
    expect([...first.failures, ...failures].map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map(idOf))
    const none = await readLanded({ ...options, cursor: START, late: () => true })
    expect(none).toMatchObject({
      hours: [],
      failures: [],
      more: true,
      problem: null,
      cursor: START,
    })
  })

  it('waits no longer for an answer than it is told to', async () => {
    const aep = new Aep()
    aep.adobe.rule({ on: 'platform', answer: { type: 'stall' } })
    const get = platformGet(
      { platformUrl: BASE, orgId: 'LOCAL@AdobeOrg', sandbox: 'prod', clientId: 'local-reader' },
      async () => 'token',
      (url, init) => aep.adobe.fetch(url, init),
      () => AbortSignal.timeout(20),
    )
    const landed = await readLanded({ get, flow: FLOW, now: aep.now, cursor: START })
    expect(landed.problem).toEqual({ what: 'runs', reason: 'failed', status: null })
  })

  it('pages through runs and batches, four lists a run', async () => {
    const aep = new Aep({ pageSize: 2, batchDelayMs: 0 }).failing()
    for (let each = 1; each <= 12; each += 1) {
      await aep.post(each)
      aep.advance(15 * MINUTE)
    }
    const { failures, hours } = await aep.readAll(START)
    expect(new Set(failures.map(({ id }) => id)).size).toBe(12)
    expect([0, 1, 2].map((hour) => hours.get(NOON + hour * HOUR)?.failed)).toEqual([4, 4, 4])
    await aep.read(START)
    expect(aep.requests.filter((path) => !path.includes('/export/')).length).toBeLessThanOrEqual(4)
  })

  it('is caught up on after a week, every hour once', async () => {
    const aep = new Aep()
    for (let day = 0; day < 7; day += 1) {
      await aep.post(day)
      aep.advance(24 * HOUR)
    }
    const { hours } = await aep.readAll(START)
    expect([...hours.keys()]).toEqual(
      Array.from({ length: 7 * 24 + 2 }, (_, index) => NOON + (index - 1) * HOUR),
    )
    expect([...hours.values()].filter(({ received }) => received === 1)).toHaveLength(7)
  })

  it('is nothing of other flows in the same dataset', async () => {
    const aep = new Aep().failing()
    await aep.posts(1, 5, 'foreign')
    await aep.posts(6, 7)
    aep.advance(20 * MINUTE)
    const landed = await aep.read(START)
    expect(landed.failures.map(({ id }) => id)).toEqual([6, 7].map(idOf))
    expect(landed.hours.at(-1)).toMatchObject({ received: 2, failed: 2 })
  })

  it('without a dataflow has no hours, and names failures all the same', async () => {
    const aep = new Aep().failing({ every: 2 })
    await aep.posts(1, 4)
    aep.advance(20 * MINUTE)
    const landed = await aep.read(START, { ...FLOW, flowId: null })
    expect(landed.hours).toEqual([])
    expect(landed.failures).toHaveLength(2)
    expect(aep.requests.some((path) => path.includes('/runs'))).toBe(false)
  })

  it('shows an hour of which AEP has lost everything as received: 0', async () => {
    const aep = new Aep()
    aep.adobe.rule({ answer: { type: 'lose' } })
    await aep.posts(1, 5)
    aep.advance(4 * HOUR)
    const landed = await aep.read(START)
    expect(landed.hours.find(({ at }) => at === NOON)).toEqual({
      at: NOON,
      received: 0,
      ingested: 0,
      failed: 0,
      settled: true,
    })
  })

  it.each([
    ['runs', '/data/foundation/flowservice/runs', 403, 'permission'],
    ['batches', '/data/foundation/catalog/batches', 403, 'permission'],
    ['files', '/data/foundation/export', 403, 'permission'],
    ['runs', '/data/foundation/flowservice/runs', 503, 'failed'],
  ])('says what could not be read: %s, %s, %i', async (what, path, status, reason) => {
    const aep = new Aep().failing({ every: 3 })
    await aep.posts(1, 20)
    aep.advance(20 * MINUTE)
    aep.adobe.rule({ on: 'platform', path, answer: { type: 'status', status } })
    const landed = await aep.read(START)
    expect(landed.problem).toEqual({ what, reason, status })
    expect(landed.more).toBe(false)
    // What could be read counts, and what could not is read when it can be.
    expect(landed.hours).toHaveLength(what === 'runs' ? 0 : 2)
    expect(landed.failures).toHaveLength(what === 'runs' ? 6 : 0)
    aep.adobe.clearRules()
    const after = await aep.read(landed.cursor)
    expect(after.problem).toBeNull()
    expect(after.hours.at(-1)?.failed).toBe(6)
    expect(landed.failures.length + after.failures.length).toBe(6)
  })

  it.each([
    ['no answer', { type: 'reset' } as const],
    ['no JSON', { type: 'garbage', garbage: 'html' } as const],
    ['a list', { type: 'garbage', garbage: 'array' } as const],
    ['a body that is cut', { type: 'reset', where: 'body' } as const],
  ])('is a problem when there is %s', async (_, answer) => {
    const aep = new Aep()
    aep.adobe.rule({ on: 'platform', answer })
    const landed = await aep.read(START)
    expect(landed).toMatchObject({ hours: [], failures: [], more: false, cursor: START })
    expect(landed.problem?.reason).toBe('failed')
  })

  it('gets a new token once when the one it has has ended', async () => {
    const aep = new Aep()
    await aep.post(1)
    const { get } = aep
    expect((await get('/data/foundation/catalog/batches')).status).toBe(200)
    aep.adobe.revoke()
    expect((await get('/data/foundation/catalog/batches')).status).toBe(200)
    expect(aep.adobe.tokenRequests).toHaveLength(2)
  })

  it('counts batches whose files are no longer there, once', async () => {
    const aep = new Aep().failing()
    await aep.post(1)
    aep.advance(20 * MINUTE)
    aep.adobe.rule({
      on: 'platform',
      path: '/data/foundation/export',
      answer: { type: 'status', status: 404 },
    })
    const landed = await aep.read(START)
    expect(landed).toMatchObject({ gone: 1, failures: [], problem: null })
    expect((await aep.read(landed.cursor)).gone).toBe(0)
  })

  it.each(['text', 'object'] as const)('reads rows with values as %s', async (failedForm) => {
    const aep = new Aep({ failedForm }).failing()
    await aep.post(1)
    aep.advance(20 * MINUTE)
    expect((await aep.read(START)).failures).toMatchObject([{ id: idOf(1), code: 'DCVS-1105-400' }])
  })

  it('names what was cut, too', async () => {
    const aep = new Aep({ failedBody: 'cut' }).failing()
    await aep.post(1)
    aep.advance(20 * MINUTE)
    expect((await aep.read(START)).failures).toMatchObject([{ id: idOf(1), pointer: '/timestamp' }])
  })
})

describe('a reading by a clock that ran ahead', () => {
  it('settles no hour, and leaves none out', () => {
    const hours = [0, 1, 2].map((index) => {
      const counts = { received: 1, ingested: 1, failed: 0 }
      return { at: NOON + index * HOUR, ...counts, settled: true }
    })
    const cursor = { ...START, hours: NOON + 3 * HOUR }
    const now = NOON + 3 * HOUR + MINUTE
    const read = notAhead({ hours, cursor }, now)
    expect(read.hours.map(({ settled }) => settled)).toEqual([true, false, false])
    expect(read.cursor?.hours).toBe(NOON + HOUR)
    expect(notAhead({ hours, cursor }, now + 2 * HOUR)).toEqual({ hours, cursor })
  })
})

describe('what is missing', () => {
  const hours = (...of: [ours: number, received: number, settled?: boolean][]) =>
    of.map(([ours, received, settled = true], index) => {
      const counts = { received, ingested: received, failed: 0 }
      return { at: NOON + index * HOUR, ...counts, ours, settled }
    })
  const inner = [NOON + HOUR, NOON + 3 * HOUR] as const

  it.each([
    ['nothing, where AEP has as many', hours([5, 5], [5, 5], [5, 5], [5, 5]), 0],
    ['nothing, where AEP has more', hours([5, 5], [5, 9], [5, 5], [5, 5]), 0],
    ['what AEP has fewer', hours([5, 5], [5, 3], [5, 4], [5, 5]), 3],
    ['not what AEP counts in the hour after', hours([5, 5], [5, 5], [5, 4], [5, 6]), 0],
    ['not what AEP counted in the hour before', hours([5, 6], [5, 4], [5, 5], [5, 5]), 0],
    [
      'not what AEP has counted hours before, and we by a clock that ran ahead',
      hours([5, 7], [5, 6], [9, 5], [5, 5], [5, 5]),
      1,
      [NOON + 2 * HOUR, NOON + 4 * HOUR],
    ],
    ['not what one hour has too many for another', hours([5, 5], [5, 3], [5, 7], [5, 5]), 0],
    ['not an hour that is not settled', hours([5, 5], [5, 3], [5, 0, false], [5, 0, false]), 2],
    ['nothing of the hours beside', hours([9, 0], [5, 5], [5, 5], [9, 0]), 0],
    ['nothing without hours', hours(), 0],
    ['nothing while none is settled', hours([5, 0, false], [5, 0, false], [5, 0, false]), 0],
  ] as const)('is %s', (_, compared, missing, within = inner) => {
    expect(missingIn(compared, ...within)).toBe(missing)
  })
})

describe('a failed row', () => {
  const raw = { _id: idOf(1), eventType: 'chatlio.transcript', receivedAt: 'x', visitor: {} }
  const xdmEntity = { _id: `${idOf(1)}-2`, eventType: 'chatlio.feedback', _acme: { chatlio: {} } }
  const errors = { _streamingValidation: [{ code: 'DCVS-1104-400', message: '#/a/b: expected' }] }

  it.each([
    ['objects', { body: raw, header: {}, _errors: errors }, 'raw', idOf(1)],
    ['text', { body: JSON.stringify(raw), _errors: JSON.stringify(errors) }, 'raw', idOf(1)],
    ['a bare record', { ...raw, _errors: errors._streamingValidation }, 'raw', idOf(1)],
    ['an XDM message', { body: { xdmEntity }, _errors: errors }, 'xdm', `${idOf(1)}-2`],
    ['a mapped record', { body: xdmEntity, _validationErrors: [] }, 'mapped', `${idOf(1)}-2`],
    ['something else', { body: { ...raw, eventType: 'other' } }, 'unknown', idOf(1)],
    ['another event', { body: { ...raw, _id: 'x' } }, 'unknown', null],
    ['cut text', { body: JSON.stringify(raw).slice(0, -9), _errors: errors }, 'cut', idOf(1)],
  ])('as %s', (_, row, form, id) => {
    const read = readFailedRow(JSON.stringify(row))
    expect([read?.form, read?.id]).toEqual([form, id])
  })

  it('that was cut itself has an id, if it still names one', () => {
    const line = JSON.stringify({ body: JSON.stringify(raw) })
    expect(readFailedRow(line.slice(0, -20))).toMatchObject({ form: 'cut', id: idOf(1) })
    expect(readFailedRow('{"body":"{\\"_id\\":\\"0')).toMatchObject({ form: 'cut', id: null })
    expect(readFailedRow('[]')).toMatchObject({ form: 'cut', id: null })
    expect(readFailedRow('  ')).toBeNull()
  })

  it.each([
    ['#/visitor/email', '/visitor/email'],
    ['#/_acme/chatlio/messages/12/text', '/_acme/chatlio/messages/*/text'],
    ['#/visitor/visitorTraits/ada lovelace/x', '/visitor/visitorTraits/*'],
    ['/visitor/identTraitsParsed/Ada', '/visitor/identTraitsParsed/*'],
    [`#/identityMap/${CANARY}/0/id`, '/identityMap/*/*/id'],
    ['# extraneous key', ''],
    ['', ''],
  ])('says where: %s', (text, pointer) => {
    const of = (error: object) => readFailedRow(JSON.stringify({ body: raw, _errors: [error] }))
    expect(of({ message: `in [${CANARY}] ${text}: wrong` })?.pointer).toBe(
      text.startsWith('#') && !text.includes(' ') ? pointer : of({ message: text })?.pointer,
    )
    expect(of({ pointerToViolation: text })?.pointer ?? '').not.toContain('canary')
    if (text.startsWith('#/') || text.startsWith('/')) {
      expect(of({ pointerToViolation: text })?.pointer).toMatch(/^(\/(\*|_?[A-Za-z]\w*))+$/)
    }
  })

  it('has a code only in the form of one', () => {
    const of = (code: unknown) => readFailedRow(JSON.stringify({ _errors: [{ code }] }))?.code
    expect(of('DCVS-1105-400')).toBe('DCVS-1105-400')
    expect(of('1401')).toBe('1401')
    expect([of(CANARY), of('Not a code'), of(7), of(undefined)]).toEqual(Array(4).fill('unknown'))
  })

  it.each([
    ['#: required key [_id] not found', '/_id'],
    ['#/_id: required key [_id] not found', '/_id'],
    ['#/a/b: required key [c] not found', '/a/b/c'],
    ['#: required key [ada@example.com] not found', '/*'],
    ['#/unmapped: required key [ada] not found', '/unmapped/*'],
  ])('names where a key is missing: %s', (message, pointer) => {
    const row = { body: raw, _errors: [{ code: 'DCVS-1111-400', message }] }
    expect(readFailedRow(JSON.stringify(row))?.pointer).toBe(pointer)
  })
})
