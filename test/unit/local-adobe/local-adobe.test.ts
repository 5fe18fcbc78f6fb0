import { afterEach, describe, expect, it, vi } from 'vitest'
import { createFakeAep, type FakeAep, type FakeAepOptions } from '../../../src/local-adobe/app.ts'
import { isObject } from '../../../src/local-adobe/message.ts'

const BASE = 'http://aep.local'
const NOW = Date.parse('2026-11-01T12:00:00.000Z')
const SCHEMA = {
  id: 'https://ns.adobe.com/localtenant/schemas/chatlio',
  contentType: 'application/vnd.adobe.xed-full+json;version=1',
}

function fakeAep(options: FakeAepOptions = {}): FakeAep {
  return createFakeAep({ now: () => NOW, ...options })
}

function post(fake: FakeAep, path: string, body: unknown, headers: Record<string, string> = {}) {
  return fake.fetch(`${BASE}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    redirect: 'manual',
  })
}

const FLOW = { 'x-adobe-flow-id': 'flow-1' }
const single = (fake: FakeAep, body: unknown, headers = FLOW as Record<string, string>) =>
  post(fake, '/collection/local-inlet', body, headers)
const batch = (fake: FakeAep, messages: unknown) =>
  post(fake, '/collection/batch/local-inlet', { messages })
const json = async (response: Response): Promise<unknown> => await response.json()
const control = (fake: FakeAep, path: string, body: unknown, method = 'POST') =>
  fake.fetch(`${BASE}/_${path}`, { method, body: JSON.stringify(body) })
const look = async (fake: FakeAep, path: string) => json(await fake.fetch(`${BASE}/_${path}`))

const raw = (id: string, more: object = {}) => ({
  _id: id,
  timestamp: '2026-10-31T08:00:00.000Z',
  visitor: { UUID: `visitor-${id}`, email: '' },
  ...more,
})
const visitor = (id: string) => ({ ChatlioVisitor: [{ id, primary: true }] })
const xdm = (id: string, entity: object = {}, header: object = {}) => ({
  header: { schemaRef: SCHEMA, imsOrgId: 'LOCAL@AdobeOrg', datasetId: 'local-dataset', ...header },
  body: {
    xdmMeta: { schemaRef: SCHEMA },
    xdmEntity: {
      _id: id,
      timestamp: '2026-10-31T08:00:00.000Z',
      identityMap: visitor(`visitor-${id}`),
      ...entity,
    },
  },
})
const ids = (fake: FakeAep) => fake.lake.map(({ _id }) => _id)

describe('a raw inlet', () => {
  it('takes one record per request, with the flow id as a header or in the query', async () => {
    const fake = fakeAep()
    const answer = await single(fake, raw('a'))
    expect(answer.status).toBe(200)
    expect(await json(answer)).toEqual({
      inletId: 'local-inlet',
      xactionId: expect.stringMatching(/^\d+:\d+:\d+$/),
      receivedTimeMs: NOW,
    })
    const query = '/collection/local-inlet?x-adobe-flow-id=flow-2'
    expect((await post(fake, query, raw('b'))).status).toBe(200)
    expect(fake.lake.map(({ _id, flowId, path }) => [_id, flowId, path])).toEqual([
      ['a', 'flow-1', 'single'],
      ['b', 'flow-2', 'single'],
    ])
    expect(fake.lake[0]?.record).toEqual(raw('a'))
  })

  it('refuses a record without a flow id, or with that of another dataflow', async () => {
    const fake = fakeAep({ flowId: 'flow-1' })
    expect((await single(fake, raw('a'), {})).status).toBe(400)
    expect((await single(fake, raw('a'), { 'x-adobe-flow-id': 'flow-9' })).status).toBe(400)
    expect((await single(fake, raw('a'))).status).toBe(200)
    expect(ids(fake)).toEqual(['a'])
  })

  it.each([
    ['an array', '[{"_id":"a"}]', 400],
    ['text that is no JSON', '{"_id":', 400],
    ['a number', '1', 400],
    ['nothing', '', 400],
    ['one byte more than 1 MB', JSON.stringify({ _id: 'x'.repeat(1_000_001 - 10) }), 413],
  ])('refuses %s', async (_, body, status) => {
    const fake = fakeAep()
    expect((await single(fake, body)).status).toBe(status)
    expect(fake.lake).toEqual([])
  })

  it('takes a request of exactly 1 MB', async () => {
    const fake = fakeAep()
    const body = JSON.stringify({ _id: 'x'.repeat(1_000_000 - 10) })
    expect((await single(fake, body)).status).toBe(200)
    expect(fake.requests[0]?.bytes).toBe(1_000_000)
  })

  it('refuses bare records in a batch one by one, for want of a header', async () => {
    const fake = fakeAep()
    const answer = await batch(fake, [raw('a'), raw('b')])
    expect(answer.status).toBe(207)
    expect(await json(answer)).toMatchObject({
      responses: [
        { statusCode: 400, message: expect.stringContaining("'header' field is mandatory") },
        { statusCode: 400 },
      ],
    })
    expect(fake.lake).toEqual([])
  })
})

describe('any inlet', () => {
  it('answers another method with 405, another path or inlet with 404, another type with 415', async () => {
    const fake = fakeAep()
    const put = await fake.fetch(`${BASE}/collection/local-inlet`, { method: 'PUT', body: '{}' })
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await post(fake, '/collection/other', raw('a'), FLOW)).status).toBe(404)
    expect((await post(fake, '/moved', raw('a'), FLOW)).status).toBe(404)
    const text = { ...FLOW, 'content-type': 'text/plain' }
    expect((await single(fake, raw('a'), text)).status).toBe(415)
    expect(fake.requests.map(({ status }) => status)).toEqual([405, 404, 404, 415])
    expect(fake.lake).toEqual([])
  })

  it('keeps every duplicate in the lake and a log of every request', async () => {
    const fake = fakeAep()
    for (const id of ['a', 'b', 'a']) await single(fake, raw(id))
    await single(fake, raw('c'), { authorization: 'Bearer secret' })
    expect(ids(fake)).toEqual(['a', 'b', 'a'])
    expect(fake.requests.map(({ ids, status }) => [...ids, status])).toEqual([
      ['a', 200],
      ['b', 200],
      ['a', 200],
      ['c', 400],
    ])
    expect(fake.requests[3]?.authorization).toBe('unknown')
    expect(JSON.stringify(await look(fake, '/requests'))).not.toContain('secret')
  })
})

describe('an XDM inlet', () => {
  it('takes a message of header and body, and lays its entity into the lake', async () => {
    const fake = fakeAep({ mode: 'xdm' })
    const answer = await single(fake, xdm('a', {}, { flowId: 'flow-1' }), {})
    expect(answer.status).toBe(200)
    expect(fake.lake[0]).toMatchObject({ _id: 'a', flowId: 'flow-1', acceptedStatus: 200 })
    expect(fake.lake[0]?.record).toEqual(xdm('a').body.xdmEntity)
    expect(fake.lake[0]?.header).toMatchObject({ datasetId: 'local-dataset' })
  })

  const stranger = { ...SCHEMA, id: 'https://ns.adobe.com/other/schemas/x' }
  it.each([
    ['no header', { body: xdm('a').body }, "'header' field is mandatory"],
    ['another organisation', xdm('a', {}, { imsOrgId: 'OTHER@AdobeOrg' }), 'wrong ims org'],
    ['another dataset', xdm('a', {}, { datasetId: 'other' }), 'wrong dataset id'],
    ['an unknown schema', xdm('a', {}, { schemaRef: stranger }), 'unknown xdm format'],
    ['no entity', { ...xdm('a'), body: { xdmMeta: { schemaRef: SCHEMA } } }, 'unknown xdm format'],
    ['a raw record', raw('a'), "'header' field is mandatory"],
  ])('refuses %s', async (_, message, text) => {
    const fake = fakeAep({ mode: 'xdm' })
    const answer = await single(fake, message)
    expect(answer.status).toBe(400)
    expect(await json(answer)).toMatchObject({
      status: 400,
      title: 'Invalid XDM Message Format',
      report: { message: expect.stringContaining(text) },
    })
    expect(fake.lake).toEqual([])
  })

  it.each([
    ['A', { statusCode: 400 }, [false, true, false]],
    ['B', { status: 400 }, [true, true, true]],
    ['C', { status: 400 }, [false, true, false]],
  ] as const)(
    'answers a partly wrong batch by position in dialect %s',
    async (dialect, status, xactions) => {
      const fake = fakeAep({ mode: 'xdm', dialect })
      const answer = await batch(fake, [{}, xdm('a'), xdm('b', {}, { imsOrgId: 'x' })])
      expect(answer.status).toBe(207)
      const { responses } = (await json(answer)) as { responses: Record<string, unknown>[] }
      expect(responses.map((item) => 'xactionId' in item)).toEqual(xactions)
      expect(responses[0]).toMatchObject({ ...status, message: expect.any(String) })
      expect(responses[1]).not.toHaveProperty(Object.keys(status)[0] ?? '')
      expect(responses[2]).toMatchObject(status)
      if (dialect === 'B') expect(responses[2]?.xactionId).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}-2$/)
      expect(ids(fake)).toEqual(['a'])
    },
  )

  it('refuses a batch that has no messages as a whole', async () => {
    const fake = fakeAep({ mode: 'xdm' })
    expect((await batch(fake, [])).status).toBe(400)
    expect((await batch(fake, 'none')).status).toBe(400)
  })
})

describe('strict mode', () => {
  it('reports each violation with pointer and keyword, and quotes the value', async () => {
    const validate = () => [
      { pointer: '/web', keyword: 'type', message: 'expected type: Object, found: [secret]' },
    ]
    const fake = fakeAep({ mode: 'xdm', strict: true, validate })
    const answer = await single(fake, xdm('a:b', { timestamp: '2026-11-01T12:00:00.001Z' }))
    expect(answer.status).toBe(400)
    const problem = await json(answer)
    expect(problem).toMatchObject({ report: { message: expect.stringContaining('is invalid') } })
    expect(problem).toHaveProperty('report.cause._streamingValidation.0.causingExceptions', [
      expect.objectContaining({
        pointerToViolation: '#/_id',
        message: 'expected format: uri-reference, found: ["a:b"]',
      }),
      expect.objectContaining({
        pointerToViolation: '#/timestamp',
        message: 'expected a time in the past, found: ["2026-11-01T12:00:00.001Z"]',
      }),
      expect.objectContaining({ keyword: 'type', message: expect.stringContaining('secret') }),
    ])
    expect(fake.lake).toEqual([])
  })

  it('refuses epoch timestamps and the namespace of another tenant, and takes what is right', async () => {
    const fake = fakeAep({ mode: 'xdm', strict: true })
    const wrong = [xdm('a', { timestamp: '1730000000' }), xdm('b', { _othertenant: {} })]
    const answer = await batch(fake, [...wrong, xdm('c', { _localtenant: { chatlio: {} } })])
    expect(await json(answer)).toMatchObject({
      responses: [
        { statusCode: 400, message: expect.stringContaining('1730000000') },
        { statusCode: 400, message: expect.stringContaining('[_othertenant] is not permitted') },
        { xactionId: expect.any(String) },
      ],
    })
    expect(ids(fake)).toEqual(['c'])
  })

  it('looks at `_id` and `timestamp` of a raw record too', async () => {
    const fake = fakeAep({ strict: true })
    expect((await single(fake, { message: 'Hi' })).status).toBe(400)
    expect((await single(fake, raw('a'))).status).toBe(200)
  })
})

describe('an authenticated inlet', () => {
  const form = {
    client_id: 'local-client',
    client_secret: 'local-client-secret',
    grant_type: 'client_credentials',
    scope: 'openid,AdobeID',
  }
  const askToken = (fake: FakeAep, changes: object = {}) =>
    fake.fetch(`${BASE}/ims/token/v3`, {
      method: 'POST',
      body: new URLSearchParams({ ...form, ...changes }),
    })
  const tokenOf = async (fake: FakeAep) => {
    const body = await json(await askToken(fake))
    return isObject(body) ? String(body.access_token) : ''
  }
  const withToken = (fake: FakeAep, token: string) =>
    single(fake, raw('a'), { ...FLOW, authorization: `Bearer ${token}` })

  it('refuses a missing token with a status that is a string', async () => {
    const fake = fakeAep({ auth: true })
    const answer = await single(fake, raw('a'))
    expect(answer.status).toBe(401)
    expect(await json(answer)).toEqual({
      type: 'https://ns.adobe.com/adobecloud/problem/data-collection-service-authorization',
      status: '401',
      title: 'Authorization',
      report: { message: '[local-inlet] Ims service token is empty' },
    })
    expect(fake.lake).toEqual([])
  })

  it('takes an issued token until it expires or is revoked', async () => {
    let now = NOW
    const fake = fakeAep({ auth: true, tokenLifetimeS: 60, now: () => now })
    expect(await json(await askToken(fake))).toEqual({
      access_token: expect.any(String),
      token_type: 'bearer',
      expires_in: 60,
    })
    const token = await tokenOf(fake)
    now += 59_999
    expect((await withToken(fake, token)).status).toBe(200)
    now += 1
    expect((await withToken(fake, token)).status).toBe(401)
    const fresh = await tokenOf(fake)
    expect((await withToken(fake, fresh)).status).toBe(200)
    await control(fake, '/revoke', {})
    expect((await withToken(fake, fresh)).status).toBe(401)
    expect((await withToken(fake, await tokenOf(fake))).status).toBe(200)
    expect(fake.requests.map(({ authorization }) => authorization)).toEqual([
      'token-2',
      'token-2',
      'token-3',
      'token-3',
      'token-4',
    ])
    expect(fake.tokenRequests).toHaveLength(4)
  })

  it('can answer 403 instead', async () => {
    const fake = fakeAep({ auth: true, authRefusal: 403 })
    const answer = await withToken(fake, 'made-up')
    expect(answer.status).toBe(403)
    expect(await json(answer)).toMatchObject({ status: '403', title: 'Authorization' })
  })

  it.each([
    ['another secret', { client_secret: 'wrong' }, 401, 'invalid_client'],
    ['another client', { client_id: 'wrong' }, 400, 'invalid_client'],
    ['no scope', { scope: '' }, 400, 'invalid_request'],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
  ])('issues no token for %s', async (_, changes, status, error) => {
    const answer = await askToken(fakeAep(), changes)
    expect(answer.status).toBe(status)
    expect(await json(answer)).toMatchObject({ error })
  })

  it('can be made to fail where tokens come from', async () => {
    const fake = fakeAep({ auth: true })
    await control(fake, '/script', { on: 'token', answers: [{ type: 'status', status: 503 }] })
    fake.rule({ on: 'token', times: 1, answer: { type: 'garbage', garbage: 'html' } })
    expect((await askToken(fake)).status).toBe(503)
    expect(await (await askToken(fake)).text()).toContain('<html>')
    expect((await withToken(fake, await tokenOf(fake))).status).toBe(200)
    expect(fake.tokenRequests.map(({ status }) => status)).toEqual([503, 200, 200])
  })
})

describe('Profile', () => {
  it('keeps the first of each `_id` and nothing over 10 KB or without an identity', async () => {
    const fake = fakeAep()
    const bytesOf = (record: object) => new TextEncoder().encode(JSON.stringify(record)).length
    const padded = (id: string, bytes: number) => {
      const padding = bytes - bytesOf(raw(id, { message: '' }))
      return raw(id, { message: 'é'.repeat(Math.floor(padding / 2)) + 'e'.repeat(padding % 2) })
    }
    await single(fake, raw('a', { message: 'first' }))
    await single(fake, raw('a', { message: 'second' }))
    await single(fake, padded('at-limit', 10_000))
    await single(fake, padded('over', 10_001))
    await single(fake, raw('nobody', { visitor: { UUID: '' } }))
    await single(fake, raw('mail', { visitor: {}, visitorEmail: 'a@example.com' }))
    expect(fake.profile()).toEqual({
      kept: [
        { _id: 'a', seq: 1, identities: [{ namespace: 'ChatlioVisitor', id: 'visitor-a' }] },
        {
          _id: 'at-limit',
          seq: 3,
          identities: [{ namespace: 'ChatlioVisitor', id: 'visitor-at-limit' }],
        },
        { _id: 'mail', seq: 6, identities: [{ namespace: 'Email', id: 'a@example.com' }] },
      ],
      dropped: [
        { _id: 'a', seq: 2, why: 'duplicate' },
        { _id: 'over', seq: 4, why: 'over 10 KB' },
        { _id: 'nobody', seq: 5, why: 'no identity' },
      ],
    })
    expect(await look(fake, '/profile')).toMatchObject({ count: 3, droppedCount: 3 })
  })

  it('finds the identities of raw records by the mapping it is given', async () => {
    const fake = fakeAep()
    await control(fake, '/settings', { identity: { Email: 'contact.mail' } })
    await single(fake, raw('a'))
    await single(fake, raw('b', { contact: { mail: 'b@example.com' } }))
    const { kept } = fake.profile()
    expect(kept.map(({ _id, identities }) => [_id, identities])).toEqual([
      ['b', [{ namespace: 'Email', id: 'b@example.com' }]],
    ])
  })

  it('drops XDM events whose identities it could not use', async () => {
    const fake = fakeAep({ mode: 'xdm' })
    const two = { ...visitor('v'), Email: [{ id: 'a@example.com', primary: true }] }
    await batch(fake, [
      xdm('good'),
      xdm('none', { identityMap: {} }),
      xdm('unknown', { identityMap: { Stranger: [{ id: 's', primary: true }] } }),
      xdm('two-primary', { identityMap: two }),
    ])
    expect(fake.profile().kept.map(({ _id }) => _id)).toEqual(['good'])
    expect(fake.profile().dropped.map(({ why }) => why)).toEqual([
      'no identity',
      'unknown namespace',
      'not exactly one primary identity',
    ])
  })
})

describe('scripts and rules', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  const statuses = async (fake: FakeAep, count: number) => {
    const list: number[] = []
    for (let n = 0; n < count; n += 1) list.push((await single(fake, raw(`e${n}`))).status)
    return list
  }
  const status = (status: number) => ({ type: 'status', status }) as const

  it('gives the scripted answers one per request, in order, then behaves again', async () => {
    const fake = fakeAep()
    await control(fake, '/script', { answers: [status(503), { type: 'normal' }, status(500)] })
    expect(await statuses(fake, 4)).toEqual([503, 200, 500, 200])
    expect(ids(fake)).toEqual(['e1', 'e3'])
  })

  it.each([
    [{ ...status(503) }, null],
    [{ ...status(503), retryAfter: 7 }, '7'],
    [{ ...status(429), retryAfter: 30, retryAfterForm: 'date' }, 'Sun, 01 Nov 2026 12:00:30 GMT'],
    [{ ...status(429), retryAfter: 'soon' }, 'soon'],
  ] as const)('answers %j with that Retry-After', async (answer, header) => {
    const fake = fakeAep()
    fake.script(answer)
    const response = await single(fake, raw('a'))
    expect(response.status).toBe(answer.status)
    expect(response.headers.get('retry-after')).toBe(header)
    expect(await response.text()).not.toMatch(/^\{/)
  })

  it.each([301, 302, 307])('redirects with %i to where nothing is', async (code) => {
    const fake = fakeAep()
    fake.script(status(code), { ...status(code), location: 'https://example.com/' })
    expect((await single(fake, raw('a'))).headers.get('location')).toBe('/moved')
    expect((await single(fake, raw('a'))).headers.get('location')).toBe('https://example.com/')
  })

  it.each([
    ['empty', ''],
    ['array', '[]'],
    ['null', 'null'],
    ['html', '<html><body>Maintenance</body></html>'],
  ] as const)('can answer 200 with a body of %s', async (garbage, text) => {
    const fake = fakeAep()
    fake.script({ type: 'garbage', garbage })
    const response = await single(fake, raw('a'))
    expect([response.status, await response.text()]).toEqual([200, text])
    expect(fake.lake).toEqual([])
  })

  it('records behind an answer that does not show it only where the script says so', async () => {
    const fake = fakeAep()
    fake.script(status(500), { ...status(500), recorded: true })
    await single(fake, raw('a'))
    await single(fake, raw('b'))
    await single(fake, { ...raw('c') }, {})
    expect(fake.lake.map(({ _id, acceptedStatus }) => [_id, acceptedStatus])).toEqual([['b', 500]])
  })

  it('applies a rule for a time, and for a number of requests', async () => {
    let now = NOW
    const fake = fakeAep({ now: () => now })
    await control(fake, '/rule', { answer: status(503), forMs: 1000 })
    expect(await statuses(fake, 2)).toEqual([503, 503])
    now += 1000
    expect(await statuses(fake, 1)).toEqual([200])
    await control(fake, '/rule', { answer: status(429), times: 2 })
    expect(await statuses(fake, 3)).toEqual([429, 429, 200])
  })

  it('applies a rule by chance, the same way for the same seed', async () => {
    const run = async (seed: number) => {
      const fake = fakeAep()
      fake.rule({ answer: status(500), probability: 0.3, seed })
      return statuses(fake, 60)
    }
    const [first, again, other] = [await run(1), await run(1), await run(2)]
    expect(first).toEqual(again)
    expect(first).not.toEqual(other)
    const failures = first.filter((code) => code === 500).length
    expect(failures).toBeGreaterThan(8)
    expect(failures).toBeLessThan(30)
  })

  it('applies a rule to one event, and in a batch to its item alone', async () => {
    const fake = fakeAep({ mode: 'xdm' })
    await control(fake, '/rule', { id: 'b', answer: status(500) })
    const answer = await batch(fake, [xdm('a'), xdm('b'), xdm('c')])
    expect(await json(answer)).toMatchObject({
      responses: [{ xactionId: expect.any(String) }, { statusCode: 500 }, {}],
    })
    expect((await single(fake, xdm('b'))).status).toBe(500)
    expect(ids(fake)).toEqual(['a', 'c'])
    await control(fake, '/rules', {}, 'DELETE')
    expect((await single(fake, xdm('b'))).status).toBe(200)
  })

  it('applies a rule with `whole` to every batch that carries the event', async () => {
    const fake = fakeAep({ mode: 'xdm' })
    fake.rule({ containing: 'poison', whole: true, answer: status(400) })
    expect((await batch(fake, [xdm('a'), xdm('b', { web: 'poison' })])).status).toBe(400)
    expect((await batch(fake, [xdm('a')])).status).toBe(207)
    expect(ids(fake)).toEqual(['a'])
  })

  it('gives scripted statuses to the items of a batch, in a scripted dialect', async () => {
    const fake = fakeAep({ mode: 'xdm' })
    fake.script({ type: 'items', items: [null, 503, 200], dialect: 'C' })
    const answer = await batch(fake, [xdm('a'), xdm('b'), xdm('c')])
    const { responses } = (await json(answer)) as { responses: object[] }
    expect(responses[1]).toEqual({ status: 503, message: 'Status 503' })
    expect(ids(fake)).toEqual(['a', 'c'])
  })

  it('can answer a batch with too few or too many responses', async () => {
    const fake = fakeAep({ mode: 'xdm' })
    fake.script({ type: 'miscount' }, { type: 'miscount', by: 2, recorded: true })
    const counts: number[] = []
    for (const _ of [1, 2]) {
      const answer = await batch(fake, [xdm('a'), xdm('b')])
      counts.push(((await json(answer)) as { responses: object[] }).responses.length)
    }
    expect(counts).toEqual([1, 4])
    expect(ids(fake)).toEqual(['b', 'a', 'b'])
  })

  it('answers late, and records what arrived although the caller did not wait', async () => {
    vi.useFakeTimers()
    const fake = fakeAep({ latencyMs: 50 })
    const caller = new AbortController()
    const init = { method: 'POST', headers: { ...FLOW, 'content-type': 'application/json' } }
    const call = (id: string, signal: AbortSignal | null) =>
      fake.fetch(`${BASE}/collection/local-inlet`, {
        ...init,
        body: JSON.stringify(raw(id)),
        signal,
      })
    let answered = false
    const patient = call('a', null).then((response) => {
      answered = true
      return response
    })
    const hasty = call('b', caller.signal)
    hasty.catch(() => {})
    await vi.advanceTimersByTimeAsync(49)
    expect(answered).toBe(false)
    caller.abort(new Error('no time'))
    await expect(hasty).rejects.toThrow('no time')
    await vi.advanceTimersByTimeAsync(1)
    expect((await patient).status).toBe(200)
    expect(ids(fake)).toEqual(['a', 'b'])
  })

  it('stalls until the caller gives up, and rejects with the caller’s reason', async () => {
    const fake = fakeAep()
    fake.script({ type: 'stall' }, { type: 'stall', where: 'body', recorded: true })
    const call = (id: string) =>
      fake.fetch(`${BASE}/collection/local-inlet`, {
        method: 'POST',
        headers: { ...FLOW, 'content-type': 'application/json' },
        body: JSON.stringify(raw(id)),
        signal: AbortSignal.timeout(20),
      })
    await expect(call('a')).rejects.toMatchObject({ name: 'TimeoutError' })
    const response = await call('b')
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(ids(fake)).toEqual(['b'])
    expect(fake.requests.map(({ status, cut }) => [status, cut])).toEqual([
      [null, 'stall'],
      [200, 'stall'],
    ])
  })

  it('cuts the connection before or after it recorded the event, and within the answer', async () => {
    const fake = fakeAep()
    fake.script({ type: 'reset' }, { type: 'reset', recorded: true })
    fake.script({ type: 'reset', where: 'body', recorded: true })
    const lost = 'Network connection lost.'
    await expect(single(fake, raw('a'))).rejects.toThrow(lost)
    await expect(single(fake, raw('b'))).rejects.toThrow(lost)
    const response = await single(fake, raw('c'))
    await expect(response.text()).rejects.toThrow(lost)
    expect(ids(fake)).toEqual(['b', 'c'])
    expect(fake.lake[0]?.acceptedStatus).toBeNull()
  })

  it('knows how many requests were open at the same time', async () => {
    const fake = fakeAep({ latencyMs: 5 })
    await Promise.all(['a', 'b', 'c'].map((id) => single(fake, raw(id))))
    await single(fake, raw('d'))
    expect(fake.peak).toBe(3)
  })
})

describe('the control routes', () => {
  it.each([
    ['/script', { answers: [{ type: 'status' }] }, 'answers.0.status'],
    ['/script', { answers: [{ type: 'explode' }] }, 'answers.0.type'],
    ['/rule', { answer: { type: 'normal' }, probability: 2 }, 'probability'],
    ['/rule', { answer: { type: 'reset', when: 'now' } }, 'answer.when'],
    ['/settings', { mode: 'csv' }, 'mode'],
    ['/settings', { moode: 'raw' }, 'moode'],
  ])('answer 400 to %s with %j, and name the place', async (path, body, place) => {
    const fake = fakeAep()
    const before = await look(fake, '/settings')
    const response = await control(fake, path, body)
    expect(response.status).toBe(400)
    expect(await json(response)).toEqual({
      error: 'invalid-request',
      issues: [{ path: place, message: expect.stringContaining('Expected') }],
    })
    expect(await look(fake, '/settings')).toEqual(before)
  })

  it('answer 400 to a body that is no JSON, and 404 to a route that is none', async () => {
    const fake = fakeAep()
    const rule = await fake.fetch(`${BASE}/_/rule`, { method: 'POST', body: '{' })
    expect(rule.status).toBe(400)
    expect((await control(fake, '/explode', {})).status).toBe(404)
  })

  it('show the lake in full, in figures, by id, or from a point on', async () => {
    const fake = fakeAep()
    for (const id of ['a', 'b', 'a']) await single(fake, raw(id))
    expect(await look(fake, '/lake?count=1')).toEqual({ count: 3, distinct: 2 })
    expect(await look(fake, '/lake?ids=1&since=1')).toMatchObject({ ids: ['b', 'a'] })
    expect(await look(fake, '/lake?since=1&limit=1')).toMatchObject({
      events: [{ seq: 2, _id: 'b', record: raw('b') }],
    })
    expect((await fake.fetch(`${BASE}/_/lake?since=x`)).status).toBe(400)
  })

  it('forget what was received and scripted on reset, and keep the settings', async () => {
    const fake = fakeAep()
    await control(fake, '/settings', { dialect: 'C' })
    await single(fake, raw('a'))
    fake.script({ type: 'stall' })
    fake.rule({ answer: { type: 'stall' } })
    await control(fake, '/reset', {})
    expect(await look(fake, '/lake')).toEqual({ count: 0, distinct: 0, events: [] })
    expect(await look(fake, '/requests?count=1')).toMatchObject({ count: 0, peak: 0 })
    expect(await look(fake, '/settings')).toMatchObject({
      settings: { dialect: 'C' },
      script: { ingest: 0 },
      rules: [],
    })
    expect((await single(fake, raw('b'))).status).toBe(200)
  })
})
