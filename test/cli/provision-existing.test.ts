/** A source that was made in Adobe's interface. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listAt, textAt } from '../../src/cli/lib/platform-request.ts'
import { varsOf } from '../../src/cli/lib/wrangler-toml.ts'
import { Bench, TOML } from './provision-support.ts'

const WITHOUT = { AEP_CLIENT_SECRET: undefined }
const ENDPOINT = 'https://dcs.adobedc.net/collection/abc'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.start()
})
afterEach(() => bench.stop())

describe('without Platform credentials', () => {
  it('sets up the relay, and says what was not checked', async () => {
    const { code, out } = await bench.run(['--endpoint', ENDPOINT, '--flow-id', 'f1'], {
      env: WITHOUT,
    })
    expect(code).toBe(0)
    expect(varsOf(bench.toml)).toEqual({
      AEP_ENDPOINT: ENDPOINT,
      AEP_FLOW_ID: 'f1',
      AEP_FORMAT: 'raw',
    })
    expect(out).toContain('Not checked')
    expect(out).toContain('AEP_CLIENT_SECRET')
  })

  it('takes the flow id out of the address that Adobe shows', async () => {
    const url = `${ENDPOINT}?x-adobe-flow-id=f2`
    expect((await bench.run(['--endpoint', url], { env: WITHOUT })).code).toBe(0)
    expect(varsOf(bench.toml)).toMatchObject({ AEP_ENDPOINT: ENDPOINT, AEP_FLOW_ID: 'f2' })
  })

  it.each([
    ['http://dcs.adobedc.net/collection/abc', 'f', 'https'],
    ['https://dcs.adobedc.net/collection/{INLET_ID}', 'f', 'PLACEHOLDER'],
    ['https://dcs.adobedc.net/abc', 'f', '/collection/'],
    ['nonsense', 'f', 'URL'],
    [`${ENDPOINT}?x-adobe-flow-id=other`, 'f', 'x-adobe-flow-id'],
  ])('%s with %s ends with 2', async (endpoint, flowId, says) => {
    const args = ['--endpoint', endpoint, '--flow-id', flowId]
    const { code, err } = await bench.run(args, { env: WITHOUT })
    expect([code, err]).toEqual([2, expect.stringContaining(says)])
    expect(bench.toml).toBe(TOML)
  })

  it('needs the flow id for raw, and credentials for xdm', async () => {
    const raw = await bench.run(['--endpoint', ENDPOINT], { env: WITHOUT })
    expect([raw.code, raw.err]).toEqual([2, expect.stringContaining('--flow-id')])
    const args = ['--endpoint', ENDPOINT, '--flow-id', 'f', '--format', 'xdm']
    const xdm = await bench.run(args, { env: WITHOUT })
    expect([xdm.code, xdm.err]).toEqual([2, expect.stringContaining('AEP_CLIENT_SECRET')])
  })
})

describe('with Platform credentials', () => {
  it.each([[[]], [['--format', 'xdm']]])(
    '%j: the same settings as when provision made it',
    async (args) => {
      await bench.run(args)
      const { AEP_ENDPOINT = '', AEP_FLOW_ID = '', ...others } = varsOf(bench.toml)
      const own = ['--endpoint', AEP_ENDPOINT, '--flow-id', AEP_FLOW_ID, '--print', ...args]
      const { code, out, err } = await bench.run(own)
      expect([code, err]).toEqual([0, ''])
      for (const [name, value] of Object.entries(others))
        expect(out).toContain(`${name} = "${value}"`)
      expect(out).toContain('Checked in AEP')
    },
  )

  it('refuses the address of another dataflow', async () => {
    await bench.run([])
    const { AEP_FLOW_ID = '' } = varsOf(bench.toml)
    const before = bench.toml
    const { code, err } = await bench.run(['--endpoint', ENDPOINT, '--flow-id', AEP_FLOW_ID])
    expect([code, err]).toEqual([4, expect.stringContaining('another streaming endpoint')])
    expect(bench.toml).toBe(before)
  })

  it('names a flow that does not exist', async () => {
    const { code, err } = await bench.run(['--endpoint', ENDPOINT, '--flow-id', 'nothing'])
    expect([code, err]).toEqual([1, expect.stringContaining('FLOW-1439')])
    expect(bench.toml).toBe(TOML)
  })

  it('sees that Adobe’s own sample mapping fills neither _id nor timestamp', async () => {
    await bench.run([])
    const { AEP_ENDPOINT = '', AEP_FLOW_ID = '' } = varsOf(bench.toml)
    await useSampleMapping(AEP_FLOW_ID)
    const { code, err } = await bench.run(['--endpoint', AEP_ENDPOINT, '--flow-id', AEP_FLOW_ID])
    expect(code).toBe(4)
    expect(err).toContain('does not fill _id')
    expect(err).toContain('does not fill timestamp')
  })
})

async function useSampleMapping(flowId: string): Promise<void> {
  const { send } = bench.api
  const path = `/data/foundation/flowservice/flows/${flowId}`
  const flow = listAt(await send({ method: 'GET', path }), 'items')[0] ?? null
  const id = textAt(flow, 'transformations', 0, 'params', 'mappingId')
  const set = await send({ method: 'GET', path: `/data/foundation/conversion/mappingSets/${id}` })
  const made = await send({
    method: 'POST',
    path: '/data/foundation/conversion/mappingSets',
    body: {
      outputSchema: {
        schemaRef: {
          id: textAt(set, 'outputSchema', 'schemaRef', 'id'),
          contentType: textAt(set, 'outputSchema', 'schemaRef', 'contentType'),
        },
      },
      mappings: [
        {
          sourceAttribute: 'message',
          destinationXdmPath: '_localtenant.chatlio.message',
          identity: false,
          version: 0,
        },
      ],
    },
  })
  const value = { name: 'Mapping', params: { mappingId: textAt(made, 'id'), mappingVersion: 0 } }
  await send({
    method: 'PATCH',
    path,
    headers: { 'if-match': textAt(flow, 'etag') ?? '' },
    body: [{ op: 'replace', path: '/transformations/0', value }],
  })
}
