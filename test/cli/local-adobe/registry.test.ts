import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type LocalAdobeServer, startLocalAdobe } from '../../../src/local-adobe/server.ts'
import {
  CATALOG,
  type Call,
  clientOf,
  FIELD_GROUP,
  LIST,
  LOOKUP,
  makeDataSet,
  makeSchema,
  NAMESPACE,
  NAMESPACES,
  REGISTRY,
} from './client.ts'

let server: LocalAdobeServer
let call: Call

beforeAll(async () => {
  server = await startLocalAdobe()
})
afterAll(() => server.close())
beforeEach(async () => {
  await fetch(`${server.url}/_/reset?platform=1`, { method: 'POST' })
  call = await clientOf(server.url)
})

describe('the headers that every Platform API demands', () => {
  it.each([
    ['no token', { authorization: '' }, 403, '403010'],
    ['a token nobody issued', { authorization: 'Bearer other' }, 401, '401013'],
    ['no API key', { 'x-api-key': '' }, 403, '403000'],
    ['the API key of another', { 'x-api-key': 'other' }, 403, '403003'],
    ['no organization', { 'x-gw-ims-org-id': '' }, 400, '400003'],
    ['another organization', { 'x-gw-ims-org-id': 'OTHER@AdobeOrg' }, 403, '403025'],
  ])('refuses %s', async (_, headers, status, code) => {
    const answered = await call('GET', `${REGISTRY}/stats`, undefined, headers)
    expect(answered.status).toBe(status)
    expect(answered.body.error_code).toBe(code)
  })

  it('takes a missing sandbox for prod, and refuses one that does not exist', async () => {
    const missing = await call('GET', `${REGISTRY}/stats`, undefined, { 'x-sandbox-name': '' })
    expect(missing.status).toBe(200)
    const unknown = { 'x-sandbox-name': 'nowhere' }
    const answered = await call('GET', '/data/foundation/flowservice/flows', undefined, unknown)
    expect(answered.status).toBe(404)
    expect(answered.body.type).toBe('https://ns.adobe.com/aep/errors/FLOW-2101-404')
  })

  it('keeps sandboxes apart', async () => {
    await makeSchema(call)
    const dev = { ...LIST, 'x-sandbox-name': 'dev' }
    const there = await call('GET', `${REGISTRY}/tenant/schemas`, undefined, dev)
    expect(there.body.results).toEqual([])
    const here = await call('GET', `${REGISTRY}/tenant/schemas`, undefined, LIST)
    expect(here.body.results).toHaveLength(1)
  })

  it('refuses a body that is not declared as JSON', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const answered = await call('POST', `${CATALOG}/dataSets`, '{}', form)
    expect(answered.status).toBe(400)
    expect(answered.body.detail).toBe('A valid content-type must be specified')
  })
})

describe('identity namespaces', () => {
  it('creates one with 200, lists it beside the standard ones, and finds it by id', async () => {
    const made = await call('POST', NAMESPACES, NAMESPACE)
    expect(made.status).toBe(200)
    expect(made.body).toMatchObject({ code: 'ChatlioVisitor', status: 'ACTIVE', custom: true })
    const { body } = await call('GET', NAMESPACES)
    const codes = body.map(({ code }: { code: string }) => code)
    expect(codes).toContain('Email')
    expect(codes).toContain('ChatlioVisitor')
    expect((await call('GET', `${NAMESPACES}/${made.body.id}`)).body.code).toBe('ChatlioVisitor')
  })

  it.each(['COOKIE', 'Cookie', 'Cross_device', 'NON_PEOPLE'])('takes idType %s', async (idType) => {
    expect((await call('POST', NAMESPACES, { ...NAMESPACE, idType })).status).toBe(200)
  })

  it('refuses the same code in any case with 409, for ever', async () => {
    const made = await call('POST', NAMESPACES, NAMESPACE)
    const again = await call('POST', NAMESPACES, { ...NAMESPACE, code: 'chatliovisitor' })
    expect(again.status).toBe(409)
    expect(again.body.report.code).toBe('INTEGRATION_CODE_EXISTS')
    expect((await call('DELETE', `${NAMESPACES}/${made.body.id}`)).status).toBe(405)
  })

  it('refuses a code with other characters and an unknown idType', async () => {
    for (const wrong of [{ code: 'a b' }, { idType: 'DOG' }, { name: '' }]) {
      const answered = await call('POST', NAMESPACES, { ...NAMESPACE, ...wrong })
      expect(answered.status).toBe(400)
      expect(answered.body.report.code).toBe('INVALID_REQUEST_PARAMS')
    }
  })
})

describe('the Schema Registry', () => {
  it('tells the tenant id, with or without a slash at the end', async () => {
    for (const path of ['/stats', '/stats/']) {
      expect((await call('GET', `${REGISTRY}${path}`)).body.tenantId).toBe('localtenant')
    }
  })

  it('creates the field group and the schema of this project', async () => {
    const { schemaId } = await makeSchema(call)
    const id = encodeURIComponent(schemaId)
    const full = { accept: 'application/vnd.adobe.xed-full+json; version=1' }
    const { body } = await call('GET', `${REGISTRY}/tenant/schemas/${id}`, undefined, full)
    expect(body.version).toBe('1.0')
    expect(body['meta:class']).toBe('https://ns.adobe.com/xdm/context/experienceevent')
    expect(body.required).toEqual(['_id', 'timestamp'])
    const { chatlio } = body.properties._localtenant.properties
    expect(chatlio.properties.messages.items.properties.index.type).toBe('integer')
    expect(body.properties.environment.properties.ipV4.format).toBe('ipv4')
  })

  it('finds by title, by $id and by altId', async () => {
    const { schemaId } = await makeSchema(call)
    const query = `property=title==${encodeURIComponent('Chatlio chat events')}`
    const found = await call('GET', `${REGISTRY}/tenant/schemas?${query}`, undefined, LIST)
    const [row] = found.body.results
    expect(row).toEqual({
      $id: schemaId,
      'meta:altId': expect.stringMatching(/^_localtenant\.schemas\./),
      version: '1.0',
      title: 'Chatlio chat events',
    })
    expect(found.body._page.next).toBeNull()
    const other = await call('GET', `${REGISTRY}/tenant/schemas?property=title==x`, undefined, LIST)
    expect(other.body.results).toEqual([])
    const alt = `${REGISTRY}/tenant/schemas/${row['meta:altId']}`
    expect((await call('GET', alt, undefined, LOOKUP)).body.$id).toBe(schemaId)
  })

  it('pages with start, which is the last value before', async () => {
    for (const title of ['B', 'A', 'C']) {
      await call('POST', `${REGISTRY}/tenant/fieldgroups`, { ...FIELD_GROUP, title })
    }
    const path = `${REGISTRY}/tenant/fieldgroups?orderby=title&limit=2`
    const titles = (body: { results: { title: string }[] }) => body.results.map((one) => one.title)
    const first = await call('GET', path, undefined, LIST)
    expect(titles(first.body)).toEqual(['A', 'B'])
    expect(first.body._page.next).toBe('B')
    const second = await call('GET', `${path}&start=B`, undefined, LIST)
    expect(titles(second.body)).toEqual(['C'])
    expect(second.body._page.next).toBeNull()
  })

  it.each([
    ['a list without Accept', '/tenant/schemas', undefined],
    ['a list with a version', '/tenant/schemas', 'application/vnd.adobe.xed+json;version=1'],
    ['another media type', '/tenant/schemas', 'application/json'],
    ['descriptors as xed', '/tenant/descriptors', 'application/vnd.adobe.xed+json'],
  ])('refuses %s', async (_, path, accept) => {
    const headers: Record<string, string> = accept ? { accept } : {}
    const answered = await call('GET', `${REGISTRY}${path}`, undefined, headers)
    expect(answered.status).toBe(400)
    expect(answered.body.type).toBe('http://ns.adobe.com/aep/errors/XDM-1006-400')
  })

  it('refuses the look-up of one without a version', async () => {
    const { schemaId } = await makeSchema(call)
    const path = `${REGISTRY}/tenant/schemas/${encodeURIComponent(schemaId)}`
    const accept = 'application/vnd.adobe.xed+json'
    expect((await call('GET', path, undefined, { accept })).status).toBe(400)
  })

  it('refuses a title that any resource has with 400', async () => {
    await makeSchema(call)
    const title = 'Chatlio chat events'
    const answered = await call('POST', `${REGISTRY}/tenant/fieldgroups`, { ...FIELD_GROUP, title })
    expect(answered.status).toBe(400)
    expect(answered.body.type).toBe('http://ns.adobe.com/aep/errors/XDM-1521-400')
  })

  it('refuses custom fields outside the tenant namespace', async () => {
    const definitions = { own: { properties: { chatlio: { type: 'string' } } } }
    const body = { ...FIELD_GROUP, definitions, allOf: [{ $ref: '#/definitions/own' }] }
    const answered = await call('POST', `${REGISTRY}/tenant/fieldgroups`, body)
    expect(answered.body.type).toBe('http://ns.adobe.com/aep/errors/XDM-1021-400')
  })

  it('refuses a schema without a class, and one that refers to nothing', async () => {
    for (const allOf of [[], [{ $ref: 'https://ns.adobe.com/xdm/context/no-such-thing' }]]) {
      const answered = await call('POST', `${REGISTRY}/tenant/schemas`, { title: 'X', allOf })
      expect(answered.body.type).toBe('http://ns.adobe.com/aep/errors/XDM-1413-400')
    }
  })

  it('joins a union by a patch, counts the version up, and never leaves', async () => {
    const { schemaId } = await makeSchema(call)
    const path = `${REGISTRY}/tenant/schemas/${encodeURIComponent(schemaId)}/`
    const add = [{ op: 'add', path: '/meta:immutableTags', value: ['union'] }]
    const joined = await call('PATCH', path, add)
    expect(joined.body.version).toBe('1.1')
    const unions = await call('GET', `${REGISTRY}/tenant/unions`, undefined, LIST)
    expect(unions.body.results[0].$id).toBe(
      'https://ns.adobe.com/xdm/context/experienceevent__union',
    )
    const left = await call('PATCH', path, [{ op: 'remove', path: '/meta:immutableTags' }])
    expect(left.body.type).toBe('http://ns.adobe.com/aep/errors/XDM-1526-400')
    expect((await call('DELETE', path)).status).toBe(400)
  })

  it('refuses the union of a schema without any identity', async () => {
    const answered = await call('POST', `${REGISTRY}/tenant/schemas`, {
      title: 'Profiles',
      allOf: [{ $ref: 'https://ns.adobe.com/xdm/context/profile' }],
      'meta:immutableTags': ['union'],
    })
    expect(answered.body.type).toBe('http://ns.adobe.com/aep/errors/XDM-1528-400')
  })

  it('lists Adobe’s own resources under global', async () => {
    const query = `property=title==${encodeURIComponent('Environment Details')}`
    const path = `${REGISTRY}/global/fieldgroups?${query}`
    const { body } = await call('GET', path, undefined, LIST)
    expect(body.results[0].$id).toBe(
      'https://ns.adobe.com/xdm/context/experienceevent-environment-details',
    )
  })

  it('answers 404 for what is not there', async () => {
    const answered = await call('GET', `${REGISTRY}/tenant/schemas/none`, undefined, LOOKUP)
    expect(answered.status).toBe(404)
    expect(answered.body.title).toBe('Resource not found')
  })
})

describe('descriptors', () => {
  const descriptor = (schemaId: string, more = {}) => ({
    '@type': 'xdm:descriptorIdentity',
    'xdm:sourceSchema': schemaId,
    'xdm:sourceVersion': 1,
    'xdm:sourceProperty': '/_localtenant/chatlio/visitor/email',
    'xdm:namespace': 'Email',
    'xdm:property': 'xdm:code',
    'xdm:isPrimary': false,
    ...more,
  })

  it('creates, lists in every form, replaces and deletes one', async () => {
    const { schemaId } = await makeSchema(call)
    const path = `${REGISTRY}/tenant/descriptors`
    const list = (form: string) =>
      call('GET', path, undefined, { accept: `application/vnd.adobe.xdm${form}+json` })
    expect((await list('')).body).toEqual({})
    const made = await call('POST', path, descriptor(schemaId))
    expect(made.status).toBe(201)
    const id = made.body['@id']
    expect((await list('-id')).body).toEqual({ 'xdm:descriptorIdentity': [id] })
    expect((await list('-link')).body['xdm:descriptorIdentity']).toEqual([
      `/tenant/descriptors/${id}`,
    ])
    expect((await list('')).body['xdm:descriptorIdentity'][0]['xdm:namespace']).toBe('Email')
    const paged = await list('-v2')
    expect(paged.body.results).toHaveLength(1)
    expect(paged.body._page.next).toBeNull()
    const replaced = await call('PUT', `${path}/${id}`, descriptor(schemaId))
    expect([replaced.status, replaced.body]).toEqual([201, { '@id': id }])
    expect((await call('DELETE', `${path}/${id}`)).status).toBe(204)
    expect((await call('GET', `${path}/${id}`)).status).toBe(404)
  })

  it.each([
    ['a field that the schema lacks', { 'xdm:sourceProperty': '/_localtenant/chatlio/none' }],
    ['a path that does not begin with a slash', { 'xdm:sourceProperty': '_localtenant' }],
    ['a namespace that does not exist', { 'xdm:namespace': 'None' }],
  ])('refuses %s', async (_, wrong) => {
    const { schemaId } = await makeSchema(call)
    const path = `${REGISTRY}/tenant/descriptors`
    expect((await call('POST', path, descriptor(schemaId, wrong))).status).toBe(400)
  })
})

describe('the Catalog', () => {
  it('creates a dataset, finds it by name and id, and patches its description', async () => {
    const { schemaId } = await makeSchema(call)
    const id = await makeDataSet(call, schemaId)
    expect(Object.keys((await call('GET', `${CATALOG}/dataSets?name=Events`)).body)).toEqual([id])
    expect((await call('GET', `${CATALOG}/dataSets?name=Other`)).body).toEqual({})
    const one = await call('GET', `${CATALOG}/dataSets/${id}`)
    expect(one.body[id].schemaRef.id).toBe(schemaId)
    const patch = [{ op: 'add', path: '/description', value: 'new' }]
    const type = { 'content-type': 'application/json-patch+json' }
    const patched = await call('PATCH', `${CATALOG}/dataSets/${id}`, patch, type)
    expect(patched.body).toEqual([`@/dataSets/${id}`])
    expect((await call('GET', `${CATALOG}/dataSets/${id}`)).body[id].description).toBe('new')
    expect((await call('PATCH', `${CATALOG}/dataSets/${id}`, patch)).status).toBe(400)
  })

  it('enables a dataset for Profile only after its schema', async () => {
    const { schemaId } = await makeSchema(call)
    const id = await makeDataSet(call, schemaId)
    const tags = { unifiedProfile: ['enabled: true'], unifiedIdentity: ['enabled:true'] }
    const early = await call('PATCH', `${CATALOG}/dataSets/${id}`, { tags })
    expect(early.body.detail).toBe('To enable profile datasets the schema should be valid')
    const path = `${REGISTRY}/tenant/schemas/${encodeURIComponent(schemaId)}`
    await call('PATCH', path, [{ op: 'add', path: '/meta:immutableTags', value: ['union'] }])
    expect((await call('PATCH', `${CATALOG}/dataSets/${id}`, { tags })).status).toBe(200)
  })

  it('refuses a bad limit, an unknown schema and an unknown dataset', async () => {
    expect((await call('GET', `${CATALOG}/dataSets?limit=none`)).status).toBe(400)
    const schemaRef = { id: 'none', contentType: 'application/vnd.adobe.xed+json;version=1' }
    const made = await call('POST', `${CATALOG}/dataSets`, { name: 'X', schemaRef })
    expect(made.status).toBe(400)
    expect((await call('GET', `${CATALOG}/dataSets/none`)).status).toBe(404)
  })

  it('has no batches', async () => {
    expect((await call('GET', `${CATALOG}/batches`)).body).toEqual({})
  })
})
