import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type LocalAdobeServer, startLocalAdobe } from '../../../src/local-adobe/server.ts'
import {
  type Call,
  CHATLIO_SPEC,
  clientOf,
  FLOWS,
  flowOf,
  HTTP_SPEC,
  LAKE_SPEC,
  MAPPING_ROWS,
  MAPPINGS,
  makeDataSet,
  makeRawChain,
  makeSchema,
  makeTarget,
  mappingSet,
  RAW_FLOW,
  XDM_FLOW,
} from './client.ts'

let server: LocalAdobeServer
let call: Call
let now = Date.parse('2026-11-24T12:00:00Z')

beforeAll(async () => {
  server = await startLocalAdobe({ now: () => now, flowEnableMs: 5_000 })
})
afterAll(() => server.close())
beforeEach(async () => {
  await fetch(`${server.url}/_/reset?platform=1`, { method: 'POST' })
  call = await clientOf(server.url)
})

const codeOf = (body: { type: string }) => body.type.split('/').at(-1)

describe('a flow', () => {
  it('is initializing without an inlet, then enabled, with another etag and an inlet here', async () => {
    const { flowId, etag, sourceId, targetId } = await makeRawChain(call)
    const before = await flowOf(call, flowId)
    expect(before).toMatchObject({ state: 'initializing', etag, version: etag, options: {} })
    now += 5_000
    const after = await flowOf(call, flowId)
    expect(after).toMatchObject({
      state: 'enabled',
      sandboxName: 'prod',
      sourceConnectionIds: [sourceId],
      targetConnectionIds: [targetId],
      inheritedAttributes: { properties: { isSourceFlow: true } },
    })
    expect(after.etag).not.toBe(etag)
    expect(after.options.inletUrl).toMatch(`${server.url}/collection/`)
  })

  it('changes only with the current etag', async () => {
    const { flowId, etag } = await makeRawChain(call)
    now += 5_000
    const patch = [{ op: 'Add', path: '/description', value: 'new' }]
    const path = `${FLOWS}/flows/${flowId}`
    const without = await call('PATCH', path, patch)
    expect([without.status, codeOf(without.body)]).toEqual([400, 'FLOW-1403-400'])
    const stale = await call('PATCH', path, patch, { 'if-match': etag })
    expect([stale.status, codeOf(stale.body)]).toEqual([412, 'FLOW-1404-412'])
    const current = (await flowOf(call, flowId)).etag
    const changed = await call('PATCH', path, patch, { 'if-match': current })
    expect(changed.status).toBe(200)
    expect(changed.body.etag).not.toBe(current)
    expect(await flowOf(call, flowId)).toMatchObject({ description: 'new', state: 'enabled' })
  })

  it('refuses a patch it cannot apply', async () => {
    const { flowId, etag } = await makeRawChain(call)
    const path = `${FLOWS}/flows/${flowId}`
    for (const [patch, code] of [
      [[{ op: 'move', path: '/name', value: 'x' }], 'FLOW-1434-400'],
      [[{ op: 'replace', path: '/none', value: 'x' }], 'FLOW-1455-400'],
      [[{ op: 'replace', path: '/state', value: 'pending' }], 'FLOW-1456-400'],
      [[], 'FLOW-1405-400'],
    ] as const) {
      const answered = await call('PATCH', path, patch, { 'if-match': etag })
      expect(codeOf(answered.body)).toBe(code)
    }
  })

  it('can be disabled and enabled, and deleted together with its parts', async () => {
    const { flowId, sourceId } = await makeRawChain(call)
    now += 5_000
    await call('POST', `${FLOWS}/flows/${flowId}/action?op=disable`)
    expect((await flowOf(call, flowId)).state).toBe('disabled')
    await call('POST', `${FLOWS}/flows/${flowId}/action?op=enable`)
    expect((await flowOf(call, flowId)).state).toBe('enabled')
    const inUse = await call('DELETE', `${FLOWS}/sourceConnections/${sourceId}`)
    expect(codeOf(inUse.body)).toBe('FLOW-1447-400')
    expect((await call('DELETE', `${FLOWS}/flows/${flowId}`)).status).toBe(204)
    expect((await call('DELETE', `${FLOWS}/sourceConnections/${sourceId}`)).status).toBe(204)
    const gone = await call('GET', `${FLOWS}/flows/${flowId}`)
    expect([gone.status, codeOf(gone.body)]).toEqual([404, 'FLOW-1439-404'])
  })

  it('is refused when its parts do not fit', async () => {
    const { schemaId, sourceId, targetId, mappingId } = await makeRawChain(call)
    const flow = (more: object) => ({
      name: 'Another',
      flowSpec: RAW_FLOW,
      sourceConnectionIds: [sourceId],
      targetConnectionIds: [targetId],
      transformations: [{ name: 'Mapping', params: { mappingId, mappingVersion: '0' } }],
      ...more,
    })
    const mapping = (params: object) => ({ transformations: [{ name: 'Mapping', params }] })
    const other = await call('POST', '/data/foundation/schemaregistry/tenant/schemas', {
      title: 'Other',
      allOf: [{ $ref: 'https://ns.adobe.com/xdm/context/experienceevent' }],
    })
    const rows = MAPPING_ROWS.slice(0, 2)
    const strange = await call('POST', MAPPINGS, mappingSet(other.body.$id, rows))
    const unchecked = [{ source: 'x', destination: 'no.such.field' }]
    const path = `${MAPPINGS}?validate=False`
    const wrong = await call('POST', path, mappingSet(schemaId, unchecked))
    for (const [more, code] of [
      [{ state: 'enabled' }, 'FLOW-1410-400'],
      [{ flowSpec: { id: 'none' } }, 'FLOW-1413-400'],
      [{ flowSpec: XDM_FLOW }, 'FLOW-1413-400'],
      [{ sourceConnectionIds: ['none'] }, 'FLOW-1439-400'],
      [mapping({ mappingId: 'none' }), 'FLOW-1419-400'],
      [mapping({ mappingId: wrong.body.id }), 'FLOW-1419-400'],
      [mapping({ mappingId, mappingVersion: 7 }), 'FLOW-1412-400'],
      [mapping({ mappingId: strange.body.id }), 'FLOW-1425-400'],
    ] as const) {
      const answered = await call('POST', `${FLOWS}/flows`, flow(more))
      expect([answered.status, codeOf(answered.body)]).toEqual([400, code])
    }
    expect((await call('POST', `${FLOWS}/flows`, flow({}))).status).toBe(201)
  })
})

describe('lists of the Flow Service', () => {
  it('filter by name, by nested property and by item of an array', async () => {
    const { flowId, sourceId } = await makeRawChain(call)
    const ids = async (query: string) =>
      (await call('GET', `${FLOWS}/flows?${query}`)).body.items.map((one: { id: string }) => one.id)
    expect(await ids('property=name==Flow')).toEqual([flowId])
    expect(await ids('property=name==Other')).toEqual([])
    expect(await ids(`property=sourceConnectionIds[]==${sourceId}`)).toEqual([flowId])
    expect(await ids('property=inheritedAttributes.properties.isSourceFlow==true')).toEqual([
      flowId,
    ])
    expect(await ids('limit=100&count=False&unknown=1')).toEqual([flowId])
  })

  it('always have _links, and lead to the next page by a token', async () => {
    const connectionSpec = CHATLIO_SPEC
    for (const name of ['a', 'b', 'c']) {
      const body = { name, connectionSpec, data: { format: 'json' } }
      await call('POST', `${FLOWS}/sourceConnections`, body)
    }
    const first = await call('GET', `${FLOWS}/sourceConnections?limit=2`)
    const { href } = first.body._links.next
    const second = await call('GET', `${FLOWS}${href}`)
    const names = [...first.body.items, ...second.body.items].map((one) => one.name)
    expect(names).toEqual(['a', 'b', 'c'])
    expect(second.body._links).toEqual({})
  })

  it('refuse limit with count, the operator ~ and an empty value', async () => {
    for (const [query, code] of [
      ['limit=1&count=true', 'FLOW-1401-400'],
      ['property=name~x', 'FLOW-1440-400'],
      ['property=name==', 'FLOW-1453-400'],
    ]) {
      expect(codeOf((await call('GET', `${FLOWS}/flows?${query}`)).body)).toBe(code)
    }
    expect((await call('GET', `${FLOWS}/flows?count=true`)).body.count).toBe(0)
  })

  it('have a connection specification named datalake, and look one up as items[0]', async () => {
    const { body } = await call('GET', `${FLOWS}/connectionSpecs?property=name==datalake`)
    expect(body.items[0].id).toBe(LAKE_SPEC.id)
    const one = await call('GET', `${FLOWS}/flowSpecs/${RAW_FLOW.id}`)
    expect(one.body.items[0].transformationSpecs[0].name).toBe('Mapping')
  })
})

describe('connections', () => {
  it('are refused without their required parts', async () => {
    const auth = { specName: 'Streaming Connection', params: { dataType: 'raw' } }
    for (const [kind, body, code] of [
      ['sourceConnections', { name: 'x', data: {}, connectionSpec: { id: 'no' } }, 'FLOW-1413-400'],
      ['sourceConnections', { data: {}, connectionSpec: CHATLIO_SPEC }, 'FLOW-1405-400'],
      ['sourceConnections', { name: 'x', connectionSpec: CHATLIO_SPEC }, 'FLOW-1405-400'],
      ['sourceConnections', { name: 'x', data: {}, connectionSpec: HTTP_SPEC }, 'FLOW-1405-400'],
      ['connections', { name: 'x', connectionSpec: HTTP_SPEC }, 'FLOW-1415-400'],
      ['connections', { name: 'x', connectionSpec: CHATLIO_SPEC, auth }, 'FLOW-1413-400'],
      ['targetConnections', { name: 'x', data: {}, connectionSpec: LAKE_SPEC }, 'FLOW-1405-400'],
    ] as const) {
      expect(codeOf((await call('POST', `${FLOWS}/${kind}`, body)).body)).toBe(code)
    }
  })

  it('never change their specification', async () => {
    const { sourceId } = await makeRawChain(call)
    const path = `${FLOWS}/sourceConnections/${sourceId}`
    const { etag } = (await call('GET', path)).body.items[0]
    const patch = [{ op: 'replace', path: '/connectionSpec/id', value: 'other' }]
    const answered = await call('PATCH', path, patch, { 'if-match': etag })
    expect(codeOf(answered.body)).toBe('FLOW-1414-400')
  })
})

describe('mapping sets', () => {
  it('are created with 200, listed by name, and read back in both dialects', async () => {
    const { schemaId } = await makeSchema(call)
    const made = await call('POST', MAPPINGS, mappingSet(schemaId))
    expect([made.status, made.body.version]).toEqual([200, 0])
    const listed = await call('GET', `${MAPPINGS}?limit=10&start=0&name=Mapping`)
    expect(listed.body.data[0].mappings[2]).toMatchObject({
      sourceType: 'text/x.schema-path',
      source: 'visitor.UUID',
      sourceAttribute: 'visitor.UUID',
      destination: '_localtenant.chatlio.visitor.uuid',
      destinationXdmPath: '_localtenant.chatlio.visitor.uuid',
    })
    const other = await call('GET', `${MAPPINGS}?limit=10&start=0&name=Other`)
    expect(other.body.data).toEqual([])
    expect((await call('GET', MAPPINGS)).status).toBe(400)
  })

  it('get a new version by PUT and keep the old one', async () => {
    const { schemaId } = await makeSchema(call)
    const { id } = (await call('POST', MAPPINGS, mappingSet(schemaId))).body
    const rows = MAPPING_ROWS.slice(0, 2)
    const put = await call('PUT', `${MAPPINGS}/${id}`, mappingSet(schemaId, rows))
    expect([put.body.version, put.body.mappings.length]).toEqual([1, 2])
    const old = await call('GET', `${MAPPINGS}/${id}?version=0`)
    expect(old.body.mappings).toHaveLength(MAPPING_ROWS.length)
    expect((await call('GET', `${MAPPINGS}/${id}?version=5`)).status).toBe(404)
  })

  it('are validated row by row', async () => {
    const { schemaId } = await makeSchema(call)
    const rows = [
      MAPPING_ROWS[0],
      { sourceType: 'ATTRIBUTE', source: 'x', destination: '_localtenant.none' },
      { sourceType: 'ATTRIBUTE', source: 'for', destination: '_id' },
      { sourceType: 'EXPRESSION', source: 'no_such_function(x)', destination: '_id' },
    ]
    const { body } = await call('POST', `${MAPPINGS}/validate`, mappingSet(schemaId, rows))
    const statuses = body.validationResponse.map((one: { status: string }) => one.status)
    expect(statuses).toEqual(['SUCCESS', 'FAILED', 'FAILED', 'FAILED'])
    expect(body.validationResponse[0].errors).toBeNull()
    expect((await call('POST', MAPPINGS, mappingSet(schemaId, rows))).status).toBe(400)
  })

  it('preview what they make of a sample', async () => {
    const { schemaId } = await makeSchema(call)
    const data = [
      {
        _id: 'a',
        timestamp: '2026-01-01T00:00:00Z',
        message: ' hi ',
        messages: [{ text: 'b' }, {}],
      },
      { _id: 'b', timestamp: 'never' },
    ]
    const request = { data, mappingSet: mappingSet(schemaId) }
    const { body } = await call('POST', `${MAPPINGS}/preview`, request)
    expect(body[0]).toEqual({
      data: {
        _id: 'a',
        timestamp: '2026-01-01T00:00:00Z',
        _localtenant: { chatlio: { message: 'HI', messages: [{ text: 'b' }, {}] } },
      },
      errors: null,
    })
    expect(body[1].data.timestamp).toBeUndefined()
    expect(body[1].errors[0].destination).toBe('timestamp')
  })
})

describe('an inlet of a raw flow', () => {
  const record = { _id: 'event-1', timestamp: '2026-01-01T00:00:00Z', visitor: { UUID: 'u' } }

  it('maps what it gets into the dataset, and counts it as a run', async () => {
    const { flowId, dataSetId } = await makeRawChain(call)
    now += 5_000
    const { inletUrl } = (await flowOf(call, flowId)).options
    const sent = await call('POST', inletUrl, record, { 'x-adobe-flow-id': flowId })
    expect(sent.status).toBe(200)
    const lake = await call('GET', '/_/lake')
    expect(lake.body.events).toHaveLength(1)
    expect(lake.body.events[0]).toMatchObject({
      datasetId: dataSetId,
      flowId,
      source: record,
      record: {
        _id: 'event-1',
        _localtenant: { chatlio: { visitor: { uuid: 'u' }, message: 'none' } },
      },
    })
    const runs = await call('GET', `${FLOWS}/runs?property=flowId==${flowId}`)
    expect(runs.body.items[0].metrics.recordSummary).toMatchObject({
      inputRecordCount: 1,
      createdRecordCount: 1,
      failedRecordCount: 0,
    })
  })

  it('accepts what its mapping makes unusable, and keeps it out of the dataset', async () => {
    const { flowId } = await makeRawChain(call, MAPPING_ROWS.slice(0, 1))
    now += 5_000
    const { inletUrl } = (await flowOf(call, flowId)).options
    const sent = await call('POST', inletUrl, record, { 'x-adobe-flow-id': flowId })
    expect(sent.status).toBe(200)
    expect((await call('GET', '/_/lake?count=1')).body.count).toBe(0)
    const failed = await call('GET', '/_/failed')
    expect(failed.body.events[0].violations[0].message).toBe('required key [timestamp] not found')
    const runs = await call('GET', `${FLOWS}/runs?property=flowId==${flowId}`)
    expect(runs.body.items[0].metrics.recordSummary.failedRecordCount).toBe(1)
  })

  it('refuses an absent flow id, and that of a flow which is not enabled yet', async () => {
    const { flowId } = await makeRawChain(call)
    now += 5_000
    const { inletUrl } = (await flowOf(call, flowId)).options
    expect((await call('POST', inletUrl, record)).status).toBe(400)
    const query = await call('POST', `${inletUrl}?x-adobe-flow-id=${flowId}`, record)
    expect(query.status).toBe(200)
    await call('POST', `${FLOWS}/flows/${flowId}/action?op=disable`)
    const disabled = await call('POST', inletUrl, record, { 'x-adobe-flow-id': flowId })
    expect(disabled.status).toBe(400)
  })

  it('leaves the inlet of the settings as it is', async () => {
    await makeRawChain(call)
    const headers = { 'x-adobe-flow-id': 'any' }
    const sent = await call('POST', '/collection/local-inlet', { _id: 'x' }, headers)
    expect(sent.status).toBe(200)
    expect((await call('GET', '/_/lake')).body.events[0].record).toEqual({ _id: 'x' })
  })
})

describe('an inlet of an XDM flow that demands a token', () => {
  async function makeXdmChain(tags = {}) {
    const { schemaId } = await makeSchema(call)
    if (Object.keys(tags).length > 0) {
      const path = `/data/foundation/schemaregistry/tenant/schemas/${encodeURIComponent(schemaId)}`
      await call('PATCH', path, [{ op: 'add', path: '/meta:immutableTags', value: ['union'] }])
    }
    const dataSetId = await makeDataSet(call, schemaId, tags)
    const params = { dataType: 'xdm', sourceId: 's', name: 'n', authenticationRequired: true }
    const base = await call('POST', `${FLOWS}/connections`, {
      name: 'Base',
      connectionSpec: HTTP_SPEC,
      auth: { specName: 'Streaming Connection', params },
    })
    const source = await call('POST', `${FLOWS}/sourceConnections`, {
      name: 'Source',
      baseConnectionId: base.body.id,
      connectionSpec: HTTP_SPEC,
      data: { format: 'json' },
    })
    const flow = await call('POST', `${FLOWS}/flows`, {
      name: 'Flow',
      flowSpec: XDM_FLOW,
      sourceConnectionIds: [source.body.id],
      targetConnectionIds: [await makeTarget(call, schemaId, dataSetId)],
    })
    now += 5_000
    const shown = await call('GET', `${FLOWS}/connections/${base.body.id}`)
    const { inletUrl } = shown.body.items[0].auth.params
    expect((await flowOf(call, flow.body.id)).options.inletUrl).toBe(inletUrl)
    const schemaRef = {
      id: schemaId,
      contentType: 'application/vnd.adobe.xed-full+json;version=1',
    }
    const flowId: string = flow.body.id
    const message = (entity: object, header = {}) => ({
      header: { schemaRef, imsOrgId: 'LOCAL@AdobeOrg', datasetId: dataSetId, flowId, ...header },
      body: {
        xdmMeta: { schemaRef },
        xdmEntity: { _id: 'event-1', timestamp: '2026-01-01T00:00:00Z', ...entity },
      },
    })
    return { inletUrl, message, flowId }
  }

  it('refuses a request without a token', async () => {
    const { inletUrl, message } = await makeXdmChain()
    const sent = await call('POST', inletUrl, message({}), { authorization: '' })
    expect(sent.status).toBe(401)
    expect(sent.body.status).toBe('401')
  })

  it('lets in what the schema allows, and keeps out the rest', async () => {
    const { inletUrl, message } = await makeXdmChain()
    const right = { _localtenant: { chatlio: { message: 'hi', messageCount: 2 } } }
    const wrong = { _localtenant: { chatlio: { messageCount: 'two', strange: 1 } } }
    for (const entity of [right, wrong]) {
      expect((await call('POST', inletUrl, message(entity))).status).toBe(200)
    }
    expect((await call('GET', '/_/lake?count=1')).body.count).toBe(1)
    const { violations } = (await call('GET', '/_/failed')).body.events[0]
    expect(violations.map((one: { message: string }) => one.message)).toEqual([
      'expected type: Integer, found: String',
      'extraneous key [strange] is not permitted',
    ])
  })

  it('refuses it at once when it validates synchronously', async () => {
    const { inletUrl, message } = await makeXdmChain()
    const wrong = message({ placeContext: { geo: { countryCode: 'xx' } } })
    const sent = await call('POST', `${inletUrl}?syncValidation=true`, wrong)
    expect(sent.status).toBe(400)
    const [cause] = sent.body.report.cause._streamingValidation
    expect(cause.causingExceptions[0].pointerToViolation).toBe('#/placeContext/geo/countryCode')
  })

  it('refuses a dataset, an organization and a flow other than its own', async () => {
    const { inletUrl, message } = await makeXdmChain()
    for (const header of [{ datasetId: 'none' }, { imsOrgId: 'x' }, { flowId: 'none' }]) {
      expect((await call('POST', inletUrl, message({}, header))).status).toBe(400)
    }
    const batch = inletUrl.replace('/collection/', '/collection/batch/')
    const sent = await call('POST', batch, {
      messages: [message({}), message({}, { flowId: 'x' })],
    })
    expect(sent.status).toBe(207)
    expect(sent.body.responses[1].statusCode).toBe(400)
  })

  it('feeds Profile from an enabled dataset only', async () => {
    const identityMap = {
      Email: [{ id: 'a@b.example', authenticatedState: 'ambiguous', primary: true }],
    }
    const lakeOnly = await makeXdmChain()
    await call('POST', lakeOnly.inletUrl, lakeOnly.message({ identityMap }))
    const profile = await call('GET', '/_/profile')
    expect(profile.body.dropped[0].why).toBe('dataset not enabled for Profile')
    await fetch(`${server.url}/_/reset?platform=1`, { method: 'POST' })
    const enabled = await makeXdmChain({ unifiedProfile: ['enabled:true'] })
    await call('POST', enabled.inletUrl, enabled.message({ identityMap }))
    expect((await call('GET', '/_/profile')).body.kept[0].identities).toEqual([
      { namespace: 'Email', id: 'a@b.example' },
    ])
  })
})

describe('scripted trouble of the Platform APIs', () => {
  const control = (path: string, body: unknown, method = 'POST') =>
    fetch(`${server.url}/_${path}`, {
      method,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
  const reset = { type: 'reset', recorded: true }

  it('gives the n-th call a status, in the service’s own form, and then none', async () => {
    const answer = { type: 'status', status: 503 }
    const rule = {
      on: 'platform',
      path: `${FLOWS}/flows`,
      method: 'GET',
      skip: 1,
      times: 1,
      answer,
    }
    expect((await control('/rule', rule)).status).toBe(200)
    const statuses: number[] = []
    for (let i = 0; i < 3; i += 1) statuses.push((await call('GET', `${FLOWS}/flows/`)).status)
    expect(statuses).toEqual([200, 503, 200])
  })

  it('sends 429 with Retry-After', async () => {
    const answers = [{ type: 'status', status: 429, retryAfter: 2 }]
    await control('/script', { on: 'platform', answers })
    const answered = await call('GET', `${FLOWS}/flows`)
    expect(answered.status).toBe(429)
    expect(answered.headers.get('retry-after')).toBe('2')
    expect((await call('GET', `${FLOWS}/flows`)).status).toBe(200)
  })

  it('ends a rule after its time', async () => {
    const answer = { type: 'status', status: 500 }
    await control('/rule', { on: 'platform', forMs: 1_000, answer })
    expect((await call('GET', `${FLOWS}/flows`)).status).toBe(500)
    now += 1_000
    expect((await call('GET', `${FLOWS}/flows`)).status).toBe(200)
  })

  it('cuts the connection with or without the effect of the call', async () => {
    const body = { name: 'x', connectionSpec: CHATLIO_SPEC, data: { format: 'json' } }
    const path = `${FLOWS}/sourceConnections`
    const count = async () => (await call('GET', path)).body.items.length
    await control('/script', { on: 'platform', answers: [{ type: 'reset' }] })
    await expect(call('POST', path, body)).rejects.toThrow()
    expect(await count()).toBe(0)
    await control('/script', { on: 'platform', answers: [reset] })
    await expect(call('POST', path, body)).rejects.toThrow()
    expect(await count()).toBe(1)
  })

  it('refuses expired tokens once they are revoked', async () => {
    await fetch(`${server.url}/_/revoke`, { method: 'POST' })
    const answered = await call('GET', `${FLOWS}/flows`)
    expect([answered.status, answered.body.error_code]).toEqual([401, '401013'])
  })

  it('waits as long as a rule says', async () => {
    const slept = vi.fn(async (_ms: number, _signal: AbortSignal) => {})
    const slow = await startLocalAdobe({ sleep: slept })
    slow.adobe.rule({ on: 'platform', answer: { type: 'normal', delayMs: 1_500 } })
    const own = await clientOf(slow.url)
    await own('GET', `${FLOWS}/flows`)
    expect(slept.mock.calls.map(([ms]) => ms)).toContain(1_500)
    await slow.close()
  })

  it('shows the requests it got, without their tokens', async () => {
    await call('GET', `${FLOWS}/flows/?limit=3`)
    const { body } = await call('GET', '/_/platform')
    const request = { method: 'GET', path: `${FLOWS}/flows`, query: '?limit=3', status: 200 }
    expect(body.requests.at(-1)).toMatchObject(request)
    expect(JSON.stringify(body)).not.toContain('local-access-token')
  })
})
