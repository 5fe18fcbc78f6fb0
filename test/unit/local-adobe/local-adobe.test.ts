import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  createLocalAdobe,
  type LocalAdobe,
  type LocalAdobeOptions,
} from '../../../src/local-adobe/app.ts'
import { isObject } from '../../../src/local-adobe/streaming/message.ts'

const BASE = 'http://aep.local'
const NOW = Date.parse('2026-11-01T12:00:00.000Z')
const SCHEMA = {
  id: 'https://ns.adobe.com/localtenant/schemas/chatlio',
  contentType: 'application/vnd.adobe.xed-full+json;version=1',
}

function localAdobe(options: LocalAdobeOptions = {}): LocalAdobe {
  return createLocalAdobe({ now: () => NOW, ...options })
}

function post(
  adobe: LocalAdobe,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
) {
  return adobe.fetch(`${BASE}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    redirect: 'manual',
  })
}

const FLOW = { 'x-adobe-flow-id': 'flow-1' }
const single = (adobe: LocalAdobe, body: unknown, headers = FLOW as Record<string, string>) =>
  post(adobe, '/collection/local-inlet', body, headers)
const batch = (adobe: LocalAdobe, messages: unknown) =>
  post(adobe, '/collection/batch/local-inlet', { messages })
const json = async (response: Response): Promise<unknown> => await response.json()
const control = (adobe: LocalAdobe, path: string, body: unknown, method = 'POST') =>
  adobe.fetch(`${BASE}/_${path}`, { method, body: JSON.stringify(body) })
const inspect = async (adobe: LocalAdobe, path: string) =>
  json(await adobe.fetch(`${BASE}/_${path}`))

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
const ids = (adobe: LocalAdobe) => adobe.lake.map(({ _id }) => _id)

describe('a raw inlet', () => {
  it('takes one record per request, with the flow id as a header or in the query', async () => {
    const adobe = localAdobe()
    const answer = await single(adobe, raw('a'))
    expect(answer.status).toBe(200)
    expect(await json(answer)).toEqual({
      inletId: 'local-inlet',
      xactionId: expect.stringMatching(/^\d+:\d+:\d+$/),
      receivedTimeMs: NOW,
    })
    const query = '/collection/local-inlet?x-adobe-flow-id=flow-2'
    expect((await post(adobe, query, raw('b'))).status).toBe(200)
    expect(adobe.lake.map(({ _id, flowId, path }) => [_id, flowId, path])).toEqual([
      ['a', 'flow-1', 'single'],
      ['b', 'flow-2', 'single'],
    ])
    expect(adobe.lake[0]?.record).toEqual(raw('a'))
  })

  it('refuses a record without a flow id, or with that of another dataflow', async () => {
    const adobe = localAdobe({ flowId: 'flow-1' })
    expect((await single(adobe, raw('a'), {})).status).toBe(400)
    expect((await single(adobe, raw('a'), { 'x-adobe-flow-id': 'flow-9' })).status).toBe(400)
    expect((await single(adobe, raw('a'))).status).toBe(200)
    expect(ids(adobe)).toEqual(['a'])
  })

  it.each([
    ['an array', '[{"_id":"a"}]', 400],
    ['text that is no JSON', '{"_id":', 400],
    ['a number', '1', 400],
    ['nothing', '', 400],
    ['one byte more than 1 MB', JSON.stringify({ _id: 'x'.repeat(1_000_001 - 10) }), 413],
  ])('refuses %s', async (_, body, status) => {
    const adobe = localAdobe()
    expect((await single(adobe, body)).status).toBe(status)
    expect(adobe.lake).toEqual([])
  })

  it('takes a request of exactly 1 MB', async () => {
    const adobe = localAdobe()
    const body = JSON.stringify({ _id: 'x'.repeat(1_000_000 - 10) })
    expect((await single(adobe, body)).status).toBe(200)
    expect(adobe.requests[0]?.bytes).toBe(1_000_000)
  })

  it('refuses bare records in a batch one by one, for want of a header', async () => {
    const adobe = localAdobe()
    const answer = await batch(adobe, [raw('a'), raw('b')])
    expect(answer.status).toBe(207)
    expect(await json(answer)).toMatchObject({
      responses: [
        { statusCode: 400, message: expect.stringContaining("'header' field is mandatory") },
        { statusCode: 400 },
      ],
    })
    expect(adobe.lake).toEqual([])
  })
})

describe('any inlet', () => {
  it('answers another method with 405, another path or inlet with 404, another type with 415', async () => {
    const adobe = localAdobe()
    const put = await adobe.fetch(`${BASE}/collection/local-inlet`, { method: 'PUT', body: '{}' })
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await post(adobe, '/collection/other', raw('a'), FLOW)).status).toBe(404)
    expect((await post(adobe, '/moved', raw('a'), FLOW)).status).toBe(404)
    const text = { ...FLOW, 'content-type': 'text/plain' }
    expect((await single(adobe, raw('a'), text)).status).toBe(415)
    expect(adobe.requests.map(({ status }) => status)).toEqual([405, 404, 404, 415])
    expect(adobe.lake).toEqual([])
  })

  it('keeps every duplicate in the lake and a log of every request', async () => {
    const adobe = localAdobe()
    for (const id of ['a', 'b', 'a']) await single(adobe, raw(id))
    await single(adobe, raw('c'), { authorization: 'Bearer secret' })
    expect(ids(adobe)).toEqual(['a', 'b', 'a'])
    expect(adobe.requests.map(({ ids, status }) => [...ids, status])).toEqual([
      ['a', 200],
      ['b', 200],
      ['a', 200],
      ['c', 400],
    ])
    expect(adobe.requests[3]?.authorization).toBe('unknown')
    expect(JSON.stringify(await inspect(adobe, '/requests'))).not.toContain('secret')
  })
})

describe('an XDM inlet', () => {
  it('takes a message of header and body, and lays its entity into the lake', async () => {
    const adobe = localAdobe({ mode: 'xdm' })
    const answer = await single(adobe, xdm('a', {}, { flowId: 'flow-1' }), {})
    expect(answer.status).toBe(200)
    expect(adobe.lake[0]).toMatchObject({ _id: 'a', flowId: 'flow-1', acceptedStatus: 200 })
    expect(adobe.lake[0]?.record).toEqual(xdm('a').body.xdmEntity)
    expect(adobe.lake[0]?.header).toMatchObject({ datasetId: 'local-dataset' })
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
    const adobe = localAdobe({ mode: 'xdm' })
    const answer = await single(adobe, message)
    expect(answer.status).toBe(400)
    expect(await json(answer)).toMatchObject({
      status: 400,
      title: 'Invalid XDM Message Format',
      report: { message: expect.stringContaining(text) },
    })
    expect(adobe.lake).toEqual([])
  })

  it.each([
    ['A', { statusCode: 400 }, [false, true, false]],
    ['B', { status: 400 }, [true, true, true]],
    ['C', { status: 400 }, [false, true, false]],
  ] as const)(
    'answers a partly wrong batch by position in dialect %s',
    async (dialect, status, xactions) => {
      const adobe = localAdobe({ mode: 'xdm', dialect })
      const answer = await batch(adobe, [{}, xdm('a'), xdm('b', {}, { imsOrgId: 'x' })])
      expect(answer.status).toBe(207)
      const { responses } = (await json(answer)) as { responses: Record<string, unknown>[] }
      expect(responses.map((item) => 'xactionId' in item)).toEqual(xactions)
      expect(responses[0]).toMatchObject({ ...status, message: expect.any(String) })
      expect(responses[1]).not.toHaveProperty(Object.keys(status)[0] ?? '')
      expect(responses[2]).toMatchObject(status)
      if (dialect === 'B') expect(responses[2]?.xactionId).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}-2$/)
      expect(ids(adobe)).toEqual(['a'])
    },
  )

  it('refuses a batch that has no messages as a whole', async () => {
    const adobe = localAdobe({ mode: 'xdm' })
    expect((await batch(adobe, [])).status).toBe(400)
    expect((await batch(adobe, 'none')).status).toBe(400)
  })
})

describe('strict mode', () => {
  it('reports each violation with pointer and keyword, and quotes the value', async () => {
    const validate = () => [
      { pointer: '/web', keyword: 'type', message: 'expected type: Object, found: [secret]' },
    ]
    const adobe = localAdobe({ mode: 'xdm', strict: true, validate })
    const answer = await single(adobe, xdm('a:b', { timestamp: '2026-11-01T12:00:00.001Z' }))
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
    expect(adobe.lake).toEqual([])
  })

  it('refuses epoch timestamps and the namespace of another tenant, and accepts a valid event', async () => {
    const adobe = localAdobe({ mode: 'xdm', strict: true })
    const wrong = [xdm('a', { timestamp: '1730000000' }), xdm('b', { _othertenant: {} })]
    const answer = await batch(adobe, [...wrong, xdm('c', { _localtenant: { chatlio: {} } })])
    expect(await json(answer)).toMatchObject({
      responses: [
        { statusCode: 400, message: expect.stringContaining('1730000000') },
        { statusCode: 400, message: expect.stringContaining('[_othertenant] is not permitted') },
        { xactionId: expect.any(String) },
      ],
    })
    expect(ids(adobe)).toEqual(['c'])
  })

  it('checks `_id` and `timestamp` of a raw record too', async () => {
    const adobe = localAdobe({ strict: true })
    expect((await single(adobe, { message: 'Hi' })).status).toBe(400)
    expect((await single(adobe, raw('a'))).status).toBe(200)
  })
})

describe('an authenticated inlet', () => {
  const form = {
    client_id: 'local-client',
    client_secret: 'local-client-secret',
    grant_type: 'client_credentials',
    scope: 'openid,AdobeID',
  }
  const askToken = (adobe: LocalAdobe, changes: object = {}) =>
    adobe.fetch(`${BASE}/ims/token/v3`, {
      method: 'POST',
      body: new URLSearchParams({ ...form, ...changes }),
    })
  const tokenOf = async (adobe: LocalAdobe) => {
    const body = await json(await askToken(adobe))
    return isObject(body) ? String(body.access_token) : ''
  }
  const withToken = (adobe: LocalAdobe, token: string) =>
    single(adobe, raw('a'), { ...FLOW, authorization: `Bearer ${token}` })

  it('refuses a missing token with a status that is a string', async () => {
    const adobe = localAdobe({ auth: true })
    const answer = await single(adobe, raw('a'))
    expect(answer.status).toBe(401)
    expect(await json(answer)).toEqual({
      type: 'https://ns.adobe.com/adobecloud/problem/data-collection-service-authorization',
      status: '401',
      title: 'Authorization',
      report: { message: '[local-inlet] Ims service token is empty' },
    })
    expect(adobe.lake).toEqual([])
  })

  it('takes an issued token until it expires or is revoked', async () => {
    let now = NOW
    const adobe = localAdobe({ auth: true, tokenLifetimeS: 60, now: () => now })
    expect(await json(await askToken(adobe))).toEqual({
      access_token: expect.any(String),
      token_type: 'bearer',
      expires_in: 60,
    })
    const token = await tokenOf(adobe)
    now += 59_999
    expect((await withToken(adobe, token)).status).toBe(200)
    now += 1
    expect((await withToken(adobe, token)).status).toBe(401)
    const fresh = await tokenOf(adobe)
    expect((await withToken(adobe, fresh)).status).toBe(200)
    await control(adobe, '/revoke', {})
    expect((await withToken(adobe, fresh)).status).toBe(401)
    expect((await withToken(adobe, await tokenOf(adobe))).status).toBe(200)
    expect(adobe.requests.map(({ authorization }) => authorization)).toEqual([
      'token-2',
      'token-2',
      'token-3',
      'token-3',
      'token-4',
    ])
    expect(adobe.tokenRequests).toHaveLength(4)
  })

  it('can answer 403 instead', async () => {
    const adobe = localAdobe({ auth: true, authRefusal: 403 })
    const answer = await withToken(adobe, 'made-up')
    expect(answer.status).toBe(403)
    expect(await json(answer)).toMatchObject({ status: '403', title: 'Authorization' })
  })

  it.each([
    ['another secret', { client_secret: 'wrong' }, 401, 'invalid_client'],
    ['another client', { client_id: 'wrong' }, 400, 'invalid_client'],
    ['no scope', { scope: '' }, 400, 'invalid_request'],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
  ])('issues no token for %s', async (_, changes, status, error) => {
    const answer = await askToken(localAdobe(), changes)
    expect(answer.status).toBe(status)
    expect(await json(answer)).toMatchObject({ error })
  })

  it('can make the token endpoint fail', async () => {
    const adobe = localAdobe({ auth: true })
    await control(adobe, '/script', { on: 'token', answers: [{ type: 'status', status: 503 }] })
    adobe.rule({ on: 'token', times: 1, answer: { type: 'garbage', garbage: 'html' } })
    expect((await askToken(adobe)).status).toBe(503)
    expect(await (await askToken(adobe)).text()).toContain('<html>')
    expect((await withToken(adobe, await tokenOf(adobe))).status).toBe(200)
    expect(adobe.tokenRequests.map(({ status }) => status)).toEqual([503, 200, 200])
  })
})

describe('Profile', () => {
  it('keeps the first of each `_id` and nothing over 10 KB or without an identity', async () => {
    const adobe = localAdobe()
    const bytesOf = (record: object) => new TextEncoder().encode(JSON.stringify(record)).length
    const padded = (id: string, bytes: number) => {
      const padding = bytes - bytesOf(raw(id, { message: '' }))
      return raw(id, { message: 'é'.repeat(Math.floor(padding / 2)) + 'e'.repeat(padding % 2) })
    }
    await single(adobe, raw('a', { message: 'first' }))
    await single(adobe, raw('a', { message: 'second' }))
    await single(adobe, padded('at-limit', 10_000))
    await single(adobe, padded('over', 10_001))
    await single(adobe, raw('nobody', { visitor: { UUID: '' } }))
    await single(adobe, raw('mail', { visitor: {}, visitorEmail: 'a@example.com' }))
    expect(adobe.profile()).toEqual({
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
    expect(await inspect(adobe, '/profile')).toMatchObject({ count: 3, droppedCount: 3 })
  })

  it('finds the identities of raw records by the mapping it is given', async () => {
    const adobe = localAdobe()
    await control(adobe, '/settings', { identity: { Email: 'contact.mail' } })
    await single(adobe, raw('a'))
    await single(adobe, raw('b', { contact: { mail: 'b@example.com' } }))
    const { kept } = adobe.profile()
    expect(kept.map(({ _id, identities }) => [_id, identities])).toEqual([
      ['b', [{ namespace: 'Email', id: 'b@example.com' }]],
    ])
  })

  it('drops XDM events whose identities it could not use', async () => {
    const adobe = localAdobe({ mode: 'xdm' })
    const two = { ...visitor('v'), Email: [{ id: 'a@example.com', primary: true }] }
    await batch(adobe, [
      xdm('good'),
      xdm('none', { identityMap: {} }),
      xdm('unknown', { identityMap: { Stranger: [{ id: 's', primary: true }] } }),
      xdm('two-primary', { identityMap: two }),
    ])
    expect(adobe.profile().kept.map(({ _id }) => _id)).toEqual(['good'])
    expect(adobe.profile().dropped.map(({ why }) => why)).toEqual([
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

  const statuses = async (adobe: LocalAdobe, count: number) => {
    const list: number[] = []
    for (let n = 0; n < count; n += 1) list.push((await single(adobe, raw(`e${n}`))).status)
    return list
  }
  const status = (status: number) => ({ type: 'status', status }) as const

  it('gives the scripted answers one per request, in order, then behaves again', async () => {
    const adobe = localAdobe()
    await control(adobe, '/script', { answers: [status(503), { type: 'normal' }, status(500)] })
    expect(await statuses(adobe, 4)).toEqual([503, 200, 500, 200])
    expect(ids(adobe)).toEqual(['e1', 'e3'])
  })

  it.each([
    [{ ...status(503) }, null],
    [{ ...status(503), retryAfter: 7 }, '7'],
    [{ ...status(429), retryAfter: 30, retryAfterForm: 'date' }, 'Sun, 01 Nov 2026 12:00:30 GMT'],
    [{ ...status(429), retryAfter: 'soon' }, 'soon'],
  ] as const)('answers %j with that Retry-After', async (answer, header) => {
    const adobe = localAdobe()
    adobe.script(answer)
    const response = await single(adobe, raw('a'))
    expect(response.status).toBe(answer.status)
    expect(response.headers.get('retry-after')).toBe(header)
    expect(await response.text()).not.toMatch(/^\{/)
  })

  it.each([301, 302, 307])('redirects with %i to a path that does not exist', async (code) => {
    const adobe = localAdobe()
    adobe.script(status(code), { ...status(code), location: 'https://example.com/' })
    expect((await single(adobe, raw('a'))).headers.get('location')).toBe('/moved')
    expect((await single(adobe, raw('a'))).headers.get('location')).toBe('https://example.com/')
  })

  it.each([
    ['empty', ''],
    ['array', '[]'],
    ['null', 'null'],
    ['html', '<html><body>Maintenance</body></html>'],
  ] as const)('can answer 200 with a body of %s', async (garbage, text) => {
    const adobe = localAdobe()
    adobe.script({ type: 'garbage', garbage })
    const response = await single(adobe, raw('a'))
    expect([response.status, await response.text()]).toEqual([200, text])
    expect(adobe.lake).toEqual([])
  })

  it('records an event despite a failing answer only if the script says so', async () => {
    const adobe = localAdobe()
    adobe.script(status(500), { ...status(500), recorded: true })
    await single(adobe, raw('a'))
    await single(adobe, raw('b'))
    await single(adobe, { ...raw('c') }, {})
    expect(adobe.lake.map(({ _id, acceptedStatus }) => [_id, acceptedStatus])).toEqual([['b', 500]])
  })

  it('applies a rule for a time, and for a number of requests', async () => {
    let now = NOW
    const adobe = localAdobe({ now: () => now })
    await control(adobe, '/rule', { answer: status(503), forMs: 1000 })
    expect(await statuses(adobe, 2)).toEqual([503, 503])
    now += 1000
    expect(await statuses(adobe, 1)).toEqual([200])
    await control(adobe, '/rule', { answer: status(429), times: 2 })
    expect(await statuses(adobe, 3)).toEqual([429, 429, 200])
  })

  it('applies a rule by chance, the same way for the same seed', async () => {
    const run = async (seed: number) => {
      const adobe = localAdobe()
      adobe.rule({ answer: status(500), probability: 0.3, seed })
      return statuses(adobe, 60)
    }
    const [first, again, other] = [await run(1), await run(1), await run(2)]
    expect(first).toEqual(again)
    expect(first).not.toEqual(other)
    const failures = first.filter((code) => code === 500).length
    expect(failures).toBeGreaterThan(8)
    expect(failures).toBeLessThan(30)
  })

  it('applies a rule to one event, and in a batch to its item alone', async () => {
    const adobe = localAdobe({ mode: 'xdm' })
    await control(adobe, '/rule', { id: 'b', answer: status(500) })
    const answer = await batch(adobe, [xdm('a'), xdm('b'), xdm('c')])
    expect(await json(answer)).toMatchObject({
      responses: [{ xactionId: expect.any(String) }, { statusCode: 500 }, {}],
    })
    expect((await single(adobe, xdm('b'))).status).toBe(500)
    expect(ids(adobe)).toEqual(['a', 'c'])
    await control(adobe, '/rules', {}, 'DELETE')
    expect((await single(adobe, xdm('b'))).status).toBe(200)
  })

  it('applies a rule with `whole` to every batch that carries the event', async () => {
    const adobe = localAdobe({ mode: 'xdm' })
    adobe.rule({ containing: 'poison', whole: true, answer: status(400) })
    expect((await batch(adobe, [xdm('a'), xdm('b', { web: 'poison' })])).status).toBe(400)
    expect((await batch(adobe, [xdm('a')])).status).toBe(207)
    expect(ids(adobe)).toEqual(['a'])
  })

  it('gives scripted statuses to the items of a batch, in a scripted dialect', async () => {
    const adobe = localAdobe({ mode: 'xdm' })
    adobe.script({ type: 'items', items: [null, 503, 200], dialect: 'C' })
    const answer = await batch(adobe, [xdm('a'), xdm('b'), xdm('c')])
    const { responses } = (await json(answer)) as { responses: object[] }
    expect(responses[1]).toEqual({ status: 503, message: 'Status 503' })
    expect(ids(adobe)).toEqual(['a', 'c'])
  })

  it('can answer a batch with too few or too many responses', async () => {
    const adobe = localAdobe({ mode: 'xdm' })
    adobe.script({ type: 'miscount' }, { type: 'miscount', by: 2, recorded: true })
    const counts: number[] = []
    for (const _ of [1, 2]) {
      const answer = await batch(adobe, [xdm('a'), xdm('b')])
      counts.push(((await json(answer)) as { responses: object[] }).responses.length)
    }
    expect(counts).toEqual([1, 4])
    expect(ids(adobe)).toEqual(['b', 'a', 'b'])
  })

  it('answers late, and records what arrived although the caller did not wait', async () => {
    vi.useFakeTimers()
    const adobe = localAdobe({ latencyMs: 50 })
    const caller = new AbortController()
    const init = { method: 'POST', headers: { ...FLOW, 'content-type': 'application/json' } }
    const call = (id: string, signal: AbortSignal | null) =>
      adobe.fetch(`${BASE}/collection/local-inlet`, {
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
    expect(ids(adobe)).toEqual(['a', 'b'])
  })

  it('stalls until the caller gives up, and rejects with the caller’s reason', async () => {
    const adobe = localAdobe()
    adobe.script({ type: 'stall' }, { type: 'stall', where: 'body', recorded: true })
    const call = (id: string) =>
      adobe.fetch(`${BASE}/collection/local-inlet`, {
        method: 'POST',
        headers: { ...FLOW, 'content-type': 'application/json' },
        body: JSON.stringify(raw(id)),
        signal: AbortSignal.timeout(20),
      })
    await expect(call('a')).rejects.toMatchObject({ name: 'TimeoutError' })
    const response = await call('b')
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(ids(adobe)).toEqual(['b'])
    expect(adobe.requests.map(({ status, cut }) => [status, cut])).toEqual([
      [null, 'stall'],
      [200, 'stall'],
    ])
  })

  it('cuts the connection before or after it recorded the event, and within the answer', async () => {
    const adobe = localAdobe()
    adobe.script({ type: 'reset' }, { type: 'reset', recorded: true })
    adobe.script({ type: 'reset', where: 'body', recorded: true })
    const lost = 'Network connection lost.'
    await expect(single(adobe, raw('a'))).rejects.toThrow(lost)
    await expect(single(adobe, raw('b'))).rejects.toThrow(lost)
    const response = await single(adobe, raw('c'))
    await expect(response.text()).rejects.toThrow(lost)
    expect(ids(adobe)).toEqual(['b', 'c'])
    expect(adobe.lake[0]?.acceptedStatus).toBeNull()
  })

  it('knows how many requests were open at the same time', async () => {
    const adobe = localAdobe({ latencyMs: 5 })
    await Promise.all(['a', 'b', 'c'].map((id) => single(adobe, raw(id))))
    await single(adobe, raw('d'))
    expect(adobe.peak).toBe(3)
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
    const adobe = localAdobe()
    const before = await inspect(adobe, '/settings')
    const response = await control(adobe, path, body)
    expect(response.status).toBe(400)
    expect(await json(response)).toEqual({
      error: 'invalid-request',
      issues: [{ path: place, message: expect.stringContaining('Expected') }],
    })
    expect(await inspect(adobe, '/settings')).toEqual(before)
  })

  it('answer 400 to a body that is not JSON, and 404 to an unknown route', async () => {
    const adobe = localAdobe()
    const rule = await adobe.fetch(`${BASE}/_/rule`, { method: 'POST', body: '{' })
    expect(rule.status).toBe(400)
    expect((await control(adobe, '/explode', {})).status).toBe(404)
  })

  it('show the lake in full, in figures, by id, or from a point on', async () => {
    const adobe = localAdobe()
    for (const id of ['a', 'b', 'a']) await single(adobe, raw(id))
    expect(await inspect(adobe, '/lake?count=1')).toEqual({ count: 3, distinct: 2 })
    expect(await inspect(adobe, '/lake?ids=1&since=1')).toMatchObject({ ids: ['b', 'a'] })
    expect(await inspect(adobe, '/lake?since=1&limit=1')).toMatchObject({
      events: [{ seq: 2, _id: 'b', record: raw('b') }],
    })
    expect((await adobe.fetch(`${BASE}/_/lake?since=x`)).status).toBe(400)
  })

  it('forget what was received and scripted on reset, and keep the settings', async () => {
    const adobe = localAdobe()
    await control(adobe, '/settings', { dialect: 'C' })
    await single(adobe, raw('a'))
    adobe.script({ type: 'stall' })
    adobe.rule({ answer: { type: 'stall' } })
    await control(adobe, '/reset', {})
    expect(await inspect(adobe, '/lake')).toEqual({ count: 0, distinct: 0, events: [] })
    expect(await inspect(adobe, '/requests?count=1')).toMatchObject({ count: 0, peak: 0 })
    expect(await inspect(adobe, '/settings')).toMatchObject({
      settings: { dialect: 'C' },
      script: { ingest: 0 },
      rules: [],
    })
    expect((await single(adobe, raw('b'))).status).toBe(200)
  })
})
