/** What becomes of accepted records, as Flow Service, Catalog and Data Access say it. */
import { describe, expect, it } from 'vitest'
import {
  createLocalAdobe,
  type LocalAdobe,
  type LocalAdobeOptions,
} from '../../../src/local-adobe/app.ts'

const BASE = 'http://aep.local'
const NOON = Date.parse('2026-11-24T12:00:00Z')
const MINUTE = 60_000
const EXPORT = '/data/foundation/export/batches'

type Json = ReturnType<(typeof JSON)['parse']>
type Get = (
  path: string,
  init?: RequestInit,
) => Promise<{ status: number; text: string; json: Json }>

async function client(adobe: LocalAdobe, id = 'local-client'): Promise<Get> {
  const form = { client_id: id, client_secret: `${id}-secret`, scope: 'openid' }
  const issued = await adobe.fetch(`${BASE}/ims/token/v3`, {
    method: 'POST',
    body: new URLSearchParams({ ...form, grant_type: 'client_credentials' }),
  })
  const { access_token } = (await issued.json()) as { access_token: string }
  const headers = {
    authorization: `Bearer ${access_token}`,
    'x-api-key': id,
    'x-gw-ims-org-id': 'LOCAL@AdobeOrg',
    'content-type': 'application/json',
  }
  return async (path, init = {}) => {
    const url = path.startsWith('http') ? path : `${BASE}${path}`
    const response = await adobe.fetch(url, { headers, ...init })
    const text = await response.text()
    const isJson = text.startsWith('{') && !text.includes('\n')
    return { status: response.status, text, json: isJson ? JSON.parse(text) : null }
  }
}

/** At noon, twenty records of our flow. */
async function received(
  options: LocalAdobeOptions = {},
  before: (adobe: LocalAdobe) => void = () => {},
) {
  const adobe = createLocalAdobe({ now: () => NOON, ...options })
  before(adobe)
  const statuses: number[] = []
  for (let each = 1; each <= 20; each += 1) statuses.push(await post(adobe, `event-${each}`))
  expect(new Set(statuses)).toEqual(new Set([200]))
  return { adobe, get: await client(adobe) }
}

async function post(adobe: LocalAdobe, id: string, flow = 'ours'): Promise<number> {
  const { status } = await adobe.fetch(`${BASE}/collection/local-inlet`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-adobe-flow-id': flow },
    body: JSON.stringify({
      _id: id,
      visitor: { UUID: `visitor ${id}`, email: 'canary@example.com' },
    }),
  })
  return status
}

const thirds = (adobe: LocalAdobe) =>
  adobe.rule({
    every: 3,
    containing: 'event-',
    answer: { type: 'failLater', pointer: '/timestamp' },
  })
const runsOf = async (get: Get, flow = 'ours') =>
  (await get(`/data/foundation/flowservice/runs?property=flowId==${flow}`)).json.items
const failedBatches = async (get: Get, more = '') =>
  Object.entries<Json>(
    (await get(`/data/foundation/catalog/batches?status=failed&dataSet=local-dataset${more}`)).json,
  )

describe('runs', () => {
  it('count by the hour what came, landed and failed; the running hour is not completed', async () => {
    const { adobe, get } = await received({}, thirds)
    adobe.advance(70 * MINUTE)
    await post(adobe, 'later')
    const [first, second] = await runsOf(get)
    expect(first.metrics).toMatchObject({
      durationSummary: { startedAtUTC: NOON, completedAtUTC: NOON + 60 * MINUTE },
      recordSummary: { inputRecordCount: 20, outputRecordCount: 14, failedRecordCount: 6 },
      statusSummary: { status: 'partialSuccess' },
    })
    expect(second.metrics.durationSummary).toEqual({ startedAtUTC: NOON + 60 * MINUTE })
    expect(second.metrics.recordSummary.inputRecordCount).toBe(1)
    expect(first.id).not.toBe(second.id)
  })

  it('are filtered by flow and time, and page', async () => {
    const { adobe, get } = await received({ pageSize: 2 })
    for (let hour = 0; hour < 4; hour += 1) {
      adobe.advance(60 * MINUTE)
      await post(adobe, `hour-${hour}`)
      await post(adobe, `other-${hour}`, 'foreign')
    }
    const since = `property=flowId==ours&property=metrics.durationSummary.startedAtUTC%3E${NOON}`
    let next = `/runs?${since}&limit=50&orderby=-createdAt`
    const hours: number[] = []
    for (let pages = 0; next && pages < 9; pages += 1) {
      const { json } = await get(`/data/foundation/flowservice${next}`)
      hours.push(...json.items.map((one: Json) => one.metrics.durationSummary.startedAtUTC))
      next = json._links.next?.href
    }
    expect(hours).toEqual([4, 3, 2, 1].map((hour) => NOON + hour * 60 * MINUTE))
  })
})

describe('failed batches', () => {
  it('appear twenty minutes after, by flow, with counts and codes', async () => {
    const { adobe, get } = await received({}, thirds)
    await post(adobe, 'foreign', 'foreign')
    expect(await failedBatches(get)).toEqual([])
    adobe.advance(20 * MINUTE)
    const [[id, batch] = [], ...more] = await failedBatches(get)
    expect(more).toEqual([])
    expect(id).toMatch(/^01[0-9A-Z]{24}$/)
    expect(batch).toMatchObject({
      status: 'failed',
      created: NOON,
      updated: NOON + 20 * MINUTE,
      tags: { flowId: ['ours'] },
      relatedObjects: [{ type: 'dataSet', id: 'local-dataset' }],
      metrics: { invalidRecordCount: 6, invalidRecordsStreamingValidation: 6 },
      errors: [{ code: 'DCVS-1105-400' }],
    })
    expect(await failedBatches(get, `&createdAfter=${NOON}`)).toEqual([])
    expect((await get(`/data/foundation/catalog/batches/${id}`)).json[String(id)].status).toBe(
      'failed',
    )
    expect(Object.keys((await get('/data/foundation/catalog/batches')).json)).toHaveLength(3)
  })

  it('of another flow in the same dataset stand beside ours', async () => {
    const { adobe, get } = await received({}, thirds)
    adobe.rule({ containing: 'foreign', answer: { type: 'failLater' } })
    await post(adobe, 'foreign', 'foreign')
    adobe.advance(20 * MINUTE)
    expect((await failedBatches(get)).map(([, one]) => one.tags.flowId[0]).sort()).toEqual([
      'foreign',
      'ours',
    ])
  })

  it('page by start or offset', async () => {
    const { adobe, get } = await received({ pageSize: 1 }, (one) =>
      one.rule({ answer: { type: 'failLater' } }),
    )
    adobe.advance(15 * MINUTE)
    await post(adobe, 'second')
    adobe.advance(20 * MINUTE)
    const [[first] = []] = await failedBatches(get)
    const [[second] = []] = await failedBatches(get, '&offset=1')
    expect(first).not.toBe(second)
    expect(await failedBatches(get, '&start=2')).toEqual([])
  })

  it.each(['object', 'text'] as const)(
    'give whole messages in files, values as %s',
    async (failedForm) => {
      const { adobe, get } = await received({ failedForm, failedFileRows: 4 }, thirds)
      adobe.advance(20 * MINUTE)
      const [[id] = []] = await failedBatches(get)
      const list = (await get(`${EXPORT}/${id}/failed`)).json
      expect(list.data.map((one: Json) => one.name)).toEqual([
        '_SUCCESS',
        expect.stringMatching(/^part-00000-/),
        expect.stringMatching(/^part-00001-/),
      ])
      expect(list._page).toEqual({ limit: 100, count: 3 })
      const files = await Promise.all(
        list.data.map((one: Json) => get(one._links.self.href).then(({ text }) => text)),
      )
      expect(files.map((text) => String(text.length))).toEqual(
        list.data.map((one: Json) => one.length),
      )
      const rows = files
        .join('')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      const value = (row: Json, key: string) =>
        failedForm === 'text' ? JSON.parse(row[key]) : row[key]
      expect(rows.map((row) => value(row, 'body')._id)).toEqual(
        [3, 6, 9, 12, 15, 18].map((each) => `event-${each}`),
      )
      expect(value(rows[0], '_errors')._streamingValidation[0]).toEqual({
        code: 'DCVS-1105-400',
        message: '#/timestamp: made to fail by a rule',
      })
    },
  )

  it('may hold a text that was cut, and name what is wrong in row_errors as well', async () => {
    const { adobe, get } = await received({ failedBody: 'cut' }, thirds)
    adobe.advance(20 * MINUTE)
    const [[id] = []] = await failedBatches(get)
    const { data } = (await get(`${EXPORT}/${id}/failed`)).json
    const { text } = await get(data[1]._links.self.href)
    const [row = ''] = text.split('\n')
    expect(() => JSON.parse(JSON.parse(row).body)).toThrow()
    const errors = (await get(`${EXPORT}/${id}/meta?path=row_errors`)).json
    expect(errors.data[0].name).toBe('conversion_errors_0.json')
    const rows = (await get(errors.data[0]._links.self.href)).text.trim().split('\n')
    expect(JSON.parse(rows[0] ?? '')).toMatchObject({ _errors: [{ code: 'DCVS-1105-400' }] })
  })

  it('can be read for thirty days', async () => {
    const { adobe, get } = await received({}, thirds)
    adobe.advance(20 * MINUTE)
    const [[id] = []] = await failedBatches(get)
    adobe.advance(31 * 86_400_000)
    expect((await (await client(adobe))(`${EXPORT}/${id}/failed`)).status).toBe(404)
  })
})

describe('the rule', () => {
  it('lose leaves nothing of what was accepted, in no count', async () => {
    const { adobe, get } = await received({}, (one) =>
      one.rule({ times: 5, answer: { type: 'lose' } }),
    )
    adobe.advance(20 * MINUTE)
    const [run] = await runsOf(get)
    expect(run.metrics.recordSummary).toMatchObject({ inputRecordCount: 15, failedRecordCount: 0 })
    expect(adobe.lake).toHaveLength(15)
    expect(adobe.failed).toHaveLength(0)
  })

  it('failLater takes one item of a batch', async () => {
    const adobe = createLocalAdobe({ mode: 'xdm' })
    adobe.rule({ id: 'b', answer: { type: 'failLater', code: 'DCVS-1111-400' } })
    const schemaRef = {
      id: adobe.settings.schemaId,
      contentType: 'application/vnd.adobe.xed-full+json;version=1',
    }
    const messages = ['a', 'b', 'c'].map((_id) => ({
      header: {
        schemaRef,
        imsOrgId: 'LOCAL@AdobeOrg',
        datasetId: 'local-dataset',
        source: { name: 's' },
      },
      body: { xdmMeta: { schemaRef }, xdmEntity: { _id } },
    }))
    const response = await adobe.fetch(`${BASE}/collection/batch/local-inlet`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages }),
    })
    expect(response.status).toBe(207)
    expect(adobe.lake.map(({ _id }) => _id)).toEqual(['a', 'c'])
    expect(adobe.failed).toMatchObject([{ _id: 'b', violations: [{ code: 'DCVS-1111-400' }] }])
  })
})

describe('the credential that may only read', () => {
  it('reads, and gets 403 for anything else', async () => {
    const { adobe } = await received()
    const get = await client(adobe, 'local-reader')
    expect(await runsOf(get)).toHaveLength(1)
    const made = await get('/data/foundation/flowservice/flows', { method: 'POST', body: '{}' })
    expect([made.status, made.json.type]).toEqual([
      403,
      'https://ns.adobe.com/aep/errors/FLOW-2120-403',
    ])
  })
})

describe('the clock', () => {
  it('is moved and set from outside', async () => {
    const adobe = createLocalAdobe({ now: () => NOON })
    const control = async (body: object) => {
      const init = { method: 'POST', body: JSON.stringify(body) }
      const response = await adobe.fetch(`${BASE}/_/clock`, init)
      return [response.status, ((await response.json()) as { now?: string }).now]
    }
    expect(await control({ advanceMs: MINUTE })).toEqual([200, '2026-11-24T12:01:00.000Z'])
    expect(await control({ now: '2027-01-01T00:00:00Z' })).toEqual([
      200,
      '2027-01-01T00:00:00.000Z',
    ])
    expect(await control({ advanceMs: -1 })).toEqual([400, undefined])
  })
})
