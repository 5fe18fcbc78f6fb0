/** Privacy Service: what it refuses, how a job goes on, what it deletes, and what stays. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bench } from '../provision-support.ts'
import { type Call, clientOf, NAMESPACES } from './client.ts'

const JOBS = '/data/core/privacy/jobs'
const HOUR = 3_600_000
const DAY = 24 * HOUR
const EMAIL = 'canary@example.com'

let bench: Bench
let call: Call
let inlet: { url: string; flowId: string }
beforeEach(async () => {
  bench = await Bench.start()
  expect((await bench.run(['--profile', '--yes'])).code).toBe(0)
  call = await clientOf(bench.adobe.url)
  const value = (name: string) => new RegExp(`^${name} = "(.*)"`, 'm').exec(bench.toml)?.[1] ?? ''
  inlet = { url: value('AEP_ENDPOINT'), flowId: value('AEP_FLOW_ID') }
})
afterEach(() => bench.stop())

/** As the relay sends it: what the mapping makes identities of stands beside the visitor. */
async function post(id: string, visitor: { UUID?: string; email: string }): Promise<void> {
  const identity = { visitor: visitor.UUID, email: visitor.email }
  const response = await fetch(inlet.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-adobe-flow-id': inlet.flowId },
    body: JSON.stringify({ _id: id, timestamp: '2026-11-24T12:00:00.000Z', visitor, identity }),
  })
  expect(response.status).toBe(200)
}

const ids = (list: readonly { _id: string | null }[]) => list.map(({ _id }) => _id)
const inLake = () => ids(bench.adobe.adobe.lake)
const inProfile = () => ids(bench.adobe.adobe.profile().kept)

const job = (userIDs: readonly object[], more: object = {}, user: object = {}) => ({
  companyContexts: [{ namespace: 'imsOrgID', value: 'LOCAL@AdobeOrg' }],
  users: [{ key: 'erase-1', action: ['delete'], userIDs, ...user }],
  include: ['aepDataLake', 'ProfileService', 'identity'],
  expandIds: 'false',
  regulation: 'gdpr',
  ...more,
})
const email = (type: string) => ({ namespace: 'Email', value: EMAIL, type })
const visitor = (namespace: string, type: string) => ({ namespace, value: 'visitor-1', type })

async function made(body: object): Promise<string> {
  const answered = await call('POST', JOBS, body)
  expect(answered.status).toBe(202)
  return answered.body.jobs[0].jobId
}
async function productsOf(id: string) {
  const { body } = await call('GET', `${JOBS}/${id}`)
  const products = body.productResponses.map(
    (one: { product: string; productStatusResponse: { message?: string } }) => [
      one.product,
      one.productStatusResponse.message,
    ],
  )
  return { status: body.status, ...Object.fromEntries(products) }
}
async function numberOf(code: string): Promise<string> {
  const { body } = await call('GET', NAMESPACES)
  return String(body.find((one: { code: string }) => one.code === code).id)
}

describe('a job', () => {
  it('deletes a person from lake and Profile by the clock, and keeps what arrives meanwhile', async () => {
    await post('chat', { UUID: 'visitor-1', email: EMAIL })
    await post('mail', { email: EMAIL })
    await post('other', { UUID: 'visitor-2', email: 'other@example.com' })
    const namespaceId = await numberOf('ChatlioVisitor')
    const id = await made(
      job([
        email('standard'),
        email('unregistered'),
        visitor(namespaceId, 'namespaceId'),
        visitor('ChatlioVisitor', 'unregistered'),
      ]),
    )
    expect((await productsOf(id)).status).toBe('submitted')
    bench.adobe.adobe.advance(2 * HOUR)
    expect((await productsOf(id)).status).toBe('processing')
    await post('late', { UUID: 'visitor-1', email: EMAIL })
    bench.adobe.adobe.advance(5 * DAY)
    expect([inLake(), inProfile()]).toEqual([
      ['other', 'late'],
      ['chat', 'mail', 'other', 'late'],
    ])
    bench.adobe.adobe.advance(10 * DAY)
    call = await clientOf(bench.adobe.url)
    expect(await productsOf(id)).toEqual({
      status: 'complete',
      aepDataLake: 'Success',
      ProfileService: 'Success',
      identity: 'Success',
    })
    expect([inLake(), inProfile()]).toEqual([
      ['other', 'late'],
      ['other', 'late'],
    ])
    bench.adobe.adobe.advance(31 * DAY)
    call = await clientOf(bench.adobe.url)
    expect((await call('GET', `${JOBS}/${id}`)).status).toBe(404)
  })

  it.each([
    ['the code as custom', visitor('ChatlioVisitor', 'custom'), 'Invalid Namespace', 'error'],
    ['its name as custom', visitor('Chatlio Visitor', 'custom'), 'Success', 'complete'],
    ['its code', visitor('ChatlioVisitor', 'integrationCode'), 'Success', 'complete'],
    [
      'another person',
      { ...email('standard'), value: 'no@one' },
      'User IDs were not found',
      'complete',
    ],
    ['the email alone', email('standard'), 'User IDs were not found', 'complete'],
  ])('by %s', async (_, userId, message, status) => {
    await post('chat', { UUID: 'visitor-1', email: EMAIL })
    const id = await made(job([userId], { include: ['ProfileService', 'aepDataLake'] }))
    bench.adobe.adobe.advance(15 * DAY)
    call = await clientOf(bench.adobe.url)
    expect(await productsOf(id)).toEqual({
      status,
      ProfileService: message,
      aepDataLake: 'User IDs were not found',
    })
    expect([inLake().length, inProfile().length]).toEqual([1, message === 'Success' ? 0 : 1])
  })

  it('is listed by regulation and day, in pages', async () => {
    const day = () => new Date().toISOString().slice(0, 10)
    const first = day()
    const keys = ['a', 'b', 'c']
    for (const key of keys) await made(job([email('standard')], {}, { key }))
    const list = async (more: string) => {
      const { status, body } = await call('GET', `${JOBS}?regulation=gdpr${more}`)
      return status === 200
        ? body.jobDetails.map((one: { userKey: string }) => one.userKey)
        : status
    }
    expect(await list(`&fromDate=${first}&toDate=${day()}`)).toEqual(keys)
    expect(await list('&size=2&page=1')).toEqual(['c'])
    expect(await list('&page=9')).toEqual([])
    expect(await list(`&fromDate=${first}`)).toBe(400)
    expect(await list('&size=101')).toBe(400)
    expect(await list('&fromDate=2026-01-01&toDate=2026-03-01')).toBe(400)
    expect((await call('GET', JOBS)).status).toBe(400)
    expect((await call('GET', `${JOBS}?regulation=ccpa`)).body.jobDetails).toEqual([])
  })
})

describe('a request', () => {
  it.each([
    [
      'another organization',
      { companyContexts: [{ namespace: 'imsOrgID', value: 'X@AdobeOrg' }] },
      403,
    ],
    ['no product', { include: [] }, 400],
    ['an unknown product', { include: ['Slack'] }, 400],
    ['an unknown regulation', { regulation: 'gdrp' }, 400],
    ['no user', { users: [] }, 400],
    ['no key', { users: [{ action: ['delete'], userIDs: [email('standard')] }] }, 400],
    [
      'another action',
      { users: [{ key: 'k', action: ['forget'], userIDs: [email('standard')] }] },
      400,
    ],
    ['no identity', { users: [{ key: 'k', action: ['delete'], userIDs: [] }] }, 400],
    [
      'ten identities',
      { users: [{ key: 'k', action: ['delete'], userIDs: Array(10).fill(email('standard')) }] },
      400,
    ],
    ['another type', { users: [{ key: 'k', action: ['delete'], userIDs: [email('code')] }] }, 400],
  ])('with %s is refused', async (_, more, status) => {
    expect((await call('POST', JOBS, job([email('standard')], more))).status).toBe(status)
    expect((await call('GET', `${JOBS}?regulation=gdpr`)).body.totalRecords).toBe(0)
  })

  it('is for every sandbox, whatever the header says', async () => {
    const headers = { 'x-sandbox-name': 'nowhere' }
    expect((await call('POST', JOBS, job([email('standard')]), headers)).status).toBe(202)
  })
})
