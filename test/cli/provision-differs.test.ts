/** What exists already and is not as it should be. */
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type ApiRequest,
  at,
  type Json,
  listAt,
  textAt,
} from '../../src/cli/lib/platform-request.ts'
import { varsOf, withVars } from '../../src/cli/lib/wrangler-toml.ts'
import { fieldGroup } from '../../src/worker/aep/schema/field-group.ts'
import { Bench, type Fetch, oneOfEach, TOML } from './provision-support.ts'

const FLOW_SERVICE = '/data/foundation/flowservice'
const NAME = 'Chatlio chat events'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.start()
})
afterEach(() => bench.stop())

const send = (request: ApiRequest) => bench.api.send(request)
const post = (path: string, body: Json) => send({ method: 'POST', path, body })

async function first(kind: string): Promise<Json> {
  return listAt(await send({ method: 'GET', path: `${FLOW_SERVICE}/${kind}` }), 'items')[0] ?? null
}

const flat = (text: string) => text.replaceAll(/\s+/g, ' ')

async function usedMapping(): Promise<Json> {
  const id = textAt(await first('flows'), 'transformations', 0, 'params', 'mappingId')
  return send({ method: 'GET', path: `/data/foundation/conversion/mappingSets/${id}` })
}

async function dataset(): Promise<[string, Json]> {
  const answer = await send({ method: 'GET', path: '/data/foundation/catalog/dataSets' })
  return Object.entries(answer as Record<string, Json>)[0] as [string, Json]
}

describe('--status', () => {
  it('ends with 4 and a table when nothing is there', async () => {
    const { code, out } = await bench.run(['--status'])
    expect(code).toBe(4)
    expect(out.match(/missing/g)).toHaveLength(11)
    expect(bench.toml).toBe(TOML)
  })

  it('ends with 0 when everything is as it should be', async () => {
    await bench.run([])
    const { code, out } = await bench.run(['--status'])
    expect([code, out]).toEqual([0, expect.stringContaining('Everything is as it should be.')])
  })

  it('sees a mapping that lacks a field of this version of the relay', async () => {
    await bench.run([])
    await bench.editMapping((rows) =>
      rows.filter((row) => textAt(row, 'source') !== 'visitor.handle'),
    )
    const { code, out } = await bench.run(['--status'])
    expect(code).toBe(4)
    expect(out).toContain('visitor.handle')
  })

  it('sees a field that the schema lacks', async () => {
    await bench.run([])
    await removeHandle()
    const { code, out } = await bench.run(['--status'])
    expect(code).toBe(4)
    expect(out).toContain('_localtenant.chatlio.visitor.handle: nothing, should be string')
  })

  it('sees a relay that is set up for another dataflow', async () => {
    await bench.run([])
    writeFileSync(bench.config, withVars(bench.toml, { AEP_FLOW_ID: 'other' }))
    const { code, out } = await bench.run(['--status'])
    expect(code).toBe(4)
    expect(out).toContain('AEP_FLOW_ID is other')
  })

  it('sees a dataflow that somebody disabled', async () => {
    await bench.run([])
    const flow = await first('flows')
    await post(`${FLOW_SERVICE}/flows/${textAt(flow, 'id')}/action?op=disable`, null)
    const { code, out } = await bench.run(['--status'])
    expect([code, out]).toEqual([4, expect.stringContaining('state: disabled')])
  })
})

describe('what a schema has beyond its first version', () => {
  const xdm = ['--format', 'xdm']
  const allOf = async () => {
    const path = '/data/foundation/schemaregistry/tenant/schemas'
    const list = await send({
      method: 'GET',
      path,
      headers: { accept: 'application/vnd.adobe.xed-id+json' },
    })
    const id = encodeURIComponent(textAt(listAt(list, 'results')[0] ?? null, 'meta:altId') ?? '')
    const headers = { accept: 'application/vnd.adobe.xed+json;version=1' }
    const schema = await send({ method: 'GET', path: `${path}/${id}`, headers })
    return listAt(schema, 'allOf').map((one) => textAt(one, '$ref'))
  }
  const CONTACT = 'https://ns.adobe.com/xdm/mixins/experienceevent-contact-request-details'
  /** As in a sandbox that lacks Adobe's group. */
  const without: Fetch = (input, init) =>
    String(input).includes('/global/fieldgroups')
      ? Promise.resolve(Response.json({ results: [] }))
      : fetch(input, init)

  it('is said to the relay: its own numbers, and Adobe’s group where the sandbox has it', async () => {
    const made = await bench.run(xdm)
    expect(made.code).toBe(0)
    expect(made.out).not.toContain('Deploy when')
    expect(varsOf(bench.toml).AEP_SCHEMA_EXTRAS).toBe('chat,contact')
    expect(await allOf()).toContain(CONTACT)
    expect((await bench.run(['--status'])).code).toBe(0)
  })

  it('is the numbers alone in a sandbox without that group', async () => {
    expect((await bench.run(xdm, { fetch: without })).code).toBe(0)
    expect(varsOf(bench.toml).AEP_SCHEMA_EXTRAS).toBe('chat')
    expect(await allOf()).not.toContain(CONTACT)
    expect((await bench.run(['--status'], { fetch: without })).code).toBe(0)
  })

  it('is added to a schema that an earlier version made, and named by --status before', async () => {
    await bench.run(xdm, { fetch: without })
    writeFileSync(bench.config, bench.toml.replace(/^AEP_SCHEMA_EXTRAS.*\n/m, ''))
    const before = await bench.run(['--status'])
    expect(before.code).toBe(4)
    expect(before.out).toContain(CONTACT)
    expect(before.out.replaceAll(/\s+/g, ' ')).toContain(
      'AEP_SCHEMA_EXTRAS is not set, should be chat',
    )
    const after = await bench.run(['--yes'])
    expect(after.code).toBe(0)
    expect(after.out.replaceAll(/\s+/g, ' ')).toContain('Deploy when they are over')
    expect(varsOf(bench.toml).AEP_SCHEMA_EXTRAS).toBe('chat,contact')
    expect(await allOf()).toContain(CONTACT)
    expect((await bench.run(['--status'])).code).toBe(0)
  })

  it('is never claimed of a schema that lacks it', async () => {
    await bench.run(xdm, { fetch: without })
    writeFileSync(bench.config, withVars(bench.toml, { AEP_SCHEMA_EXTRAS: 'chat,contact' }))
    const { code, out } = await bench.run(['--status'], { fetch: without })
    expect(code).toBe(4)
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      'AEP_SCHEMA_EXTRAS has contact, which the schema lacks',
    )
  })
})

describe('two of one name', () => {
  it.each(['sourceConnections', 'targetConnections', 'flows'])(
    '%s: 3, and nothing is touched',
    async (kind) => {
      await bench.run([])
      const { name, description, ...rest } = (await first(kind)) as Record<string, Json>
      const body = Object.fromEntries(
        Object.entries({ name, description, ...rest }).filter(([key]) =>
          /^(name|description|.*Spec|data|params|.*ConnectionIds|transformations)$/.test(key),
        ),
      ) as Json
      const id = textAt(await post(`${FLOW_SERVICE}/${kind}`, body), 'id')
      const before = bench.toml
      for (const args of [[], ['--status'], ['--dry-run']]) {
        const { code, out, err } = await bench.run(args)
        expect([args, code]).toEqual([args, 3])
        expect(out + err).toContain(id)
      }
      expect(bench.toml).toBe(before)
      expect((await bench.counts())[kind]).toBe(2)
    },
  )

  it('mapping sets', async () => {
    await bench.run([])
    const path = '/data/foundation/conversion/mappingSets'
    const sets = await send({ method: 'GET', path, query: { limit: '10', start: '0' } })
    const [set = null] = listAt(sets, 'data')
    const mappings = listAt(set, 'mappings').map((row) => ({
      source: at(row, 'source'),
      destination: at(row, 'destination'),
      sourceType: /[( ]/.test(String(at(row, 'source'))) ? 'EXPRESSION' : 'ATTRIBUTE',
    }))
    const outputSchema = { schemaRef: at(set, 'outputSchema', 'schemaRef') }
    await post(path, { name: NAME, outputSchema, mappings })
    // The one that the dataflow uses is meant.
    expect((await bench.run([])).code).toBe(0)
    const flow = await first('flows')
    await send({
      method: 'PATCH',
      path: `${FLOW_SERVICE}/flows/${textAt(flow, 'id')}`,
      headers: { 'if-match': textAt(flow, 'etag') ?? '' },
      body: [{ op: 'replace', path: '/name', value: 'Of somebody else' }],
    })
    expect((await bench.run([])).code).toBe(3)
  })

  it('datasets', async () => {
    await bench.run([])
    const [, body] = await dataset()
    await post('/data/foundation/catalog/dataSets', {
      name: NAME,
      schemaRef: at(body, 'schemaRef'),
    })
    expect((await bench.run([])).code).toBe(3)
  })
})

describe('something of its name that is another', () => {
  it('a dataset of another schema: 4, a table, and the way out', async () => {
    const [schema] = ['other'].map((title) => ({
      type: 'object',
      title,
      allOf: [{ $ref: 'https://ns.adobe.com/xdm/context/experienceevent' }],
    }))
    const made = await post('/data/foundation/schemaregistry/tenant/schemas', schema as Json)
    const contentType = 'application/vnd.adobe.xed-full+json;version=1'
    await post('/data/foundation/catalog/dataSets', {
      name: NAME,
      schemaRef: { id: at(made, '$id'), contentType },
    })
    const { code, err } = await bench.run([])
    expect(code).toBe(4)
    expect(err).toContain('schemaRef.id')
    expect(err).toContain('--name')
    expect(await bench.counts()).toMatchObject({ namespaces: 0, fieldGroups: 0, dataSets: 1 })
    expect((await bench.run(['--name', 'Another one'])).code).toBe(0)
  })

  it('a namespace of another type: it can never be changed', async () => {
    await post('/data/core/idnamespace/identities', {
      code: 'ChatlioVisitor',
      name: 'x',
      idType: 'EMAIL',
    })
    const { code, err } = await bench.run([])
    expect([code, err]).toEqual([4, expect.stringContaining('idType')])
    expect((await bench.run([], { env: { AEP_VISITOR_NAMESPACE: 'ChatlioVisitor2' } })).code).toBe(
      0,
    )
  })
})

describe('what can be mended', () => {
  it('is not mended unasked', async () => {
    await bench.run([])
    await bench.editMapping((rows) => rows.slice(0, 5))
    const { code, err } = await bench.run([])
    expect([code, err]).toEqual([4, expect.stringContaining('--yes')])
    expect(await bench.counts()).toMatchObject({ mappingSets: 1 })
    expect((await bench.run([], { answer: false })).code).toBe(2)
    expect(await bench.counts()).toMatchObject({ mappingSets: 1 })
  })

  it('a mapping: a new set, and the dataflow uses it', async () => {
    await bench.run([])
    await bench.editMapping((rows) => rows.slice(0, 5))
    const before = bench.toml
    const { code, out } = await bench.run(['--yes'])
    expect(code).toBe(0)
    expect(out).toContain('Wait five minutes')
    expect(await bench.counts()).toMatchObject({ ...oneOfEach([]), mappingSets: 2 })
    expect((await bench.run(['--status'])).code).toBe(0)
    expect(bench.toml).toBe(before)
  })

  it('a mapping that somebody has added rows to: these stay', async () => {
    await bench.run([])
    const own = [
      { source: 'visitor.name', destination: 'web.webPageDetails.server' },
      { source: 'concat(name, "!")', destination: 'web.webPageDetails.name' },
    ]
    await bench.editMapping((rows) => [...rows, ...own])
    // What is right stays as it is, and nobody is led back to a set without them.
    expect((await bench.run([])).code).toBe(0)
    expect(await bench.counts()).toMatchObject({ mappingSets: 1 })
    await bench.editMapping((rows) => [...rows.slice(0, 5), ...rows.slice(-2)])
    const { code, out } = await bench.run([], { answer: true })
    expect(code).toBe(0)
    expect(flat(out)).toContain('make a new mapping set, with 2 row(s) of your own')
    expect((await bench.run(['--status'])).code).toBe(0)
    const rows = listAt(await usedMapping(), 'mappings')
    for (const row of own) expect(rows).toContainEqual(expect.objectContaining(row))
  })

  it('a field that the field group lacks', async () => {
    await bench.run([])
    await removeHandle()
    expect((await bench.run(['--yes'])).code).toBe(0)
    expect((await bench.run(['--status'])).code).toBe(0)
    expect(await bench.counts()).toMatchObject({ fieldGroups: 1, mappingSets: 1 })
  })
})

/** As an older version of the relay would have made the field group. */
async function removeHandle(): Promise<void> {
  const path = '/data/foundation/schemaregistry/tenant/fieldgroups'
  const headers = { accept: 'application/vnd.adobe.xed-id+json' }
  const entry = listAt(await send({ method: 'GET', path, headers }), 'results')[0] ?? null
  const own = JSON.parse(
    JSON.stringify(fieldGroup).replaceAll('{TENANT_ID}', 'localtenant'),
  ) as typeof fieldGroup
  const text = JSON.stringify(own).replace(/"handle":\{[^}]*\},/, '')
  await send({
    method: 'PUT',
    path: `${path}/${encodeURIComponent(textAt(entry, 'meta:altId') ?? '')}`,
    body: JSON.parse(text) as Json,
  })
}
