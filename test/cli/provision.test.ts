import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { at, listAt } from '../../src/cli/lib/platform-request.ts'
import { varsOf } from '../../src/cli/lib/wrangler-toml.ts'
import { Bench, callOf, oneOfEach, TOML, VARIANTS } from './provision-support.ts'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.start()
})
afterEach(() => bench.stop())

describe('from nothing', () => {
  it.each(VARIANTS)('%s: makes one of each, and sets up the relay', async (_, args) => {
    const { code, out, err } = await bench.run(args)
    expect(err).toBe('')
    expect(code).toBe(0)
    expect(await bench.counts()).toEqual(oneOfEach(args))
    const vars = varsOf(bench.toml)
    expect(vars.AEP_ENDPOINT).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/collection\/[^?]+$/)
    expect(vars.AEP_FORMAT).toBe(args.includes('xdm' as never) ? 'xdm' : 'raw')
    expect(out).toContain('Wait five minutes before any event is sent')
    expect(out).toContain('up to fifteen minutes')
  })

  it('shows the plan before anything is made', async () => {
    const { code, out, asked } = await bench.run([], { answer: false })
    expect(code).toBe(2)
    expect(asked).toEqual(['Do this in sandbox prod?'])
    expect(out).toMatch(/^make +Dataflow/m)
    expect(await bench.counts()).toMatchObject({ namespaces: 0, flows: 0 })
  })

  it('makes no field of an agent an identity, and none a primary one', async () => {
    await bench.run([])
    const answer = await bench.api.send({
      method: 'GET',
      path: '/data/foundation/schemaregistry/tenant/descriptors',
      headers: { accept: 'application/vnd.adobe.xdm+json' },
    })
    const descriptors = listAt(answer, 'xdm:descriptorIdentity')
    expect(
      descriptors.map((one) => [at(one, 'xdm:sourceProperty'), at(one, 'xdm:isPrimary')]),
    ).toEqual([
      ['/_localtenant/chatlio/visitor/uuid', false],
      ['/_localtenant/chatlio/visitor/email', false],
      ['/_localtenant/chatlio/email', false],
    ])
  })

  it('sees the mapping do its work before it makes the dataflow', async () => {
    const calls: string[] = []
    await bench.run([], {
      fetch: (input, init) => {
        calls.push(callOf(input, init))
        return fetch(input, init)
      },
    })
    const preview = calls.indexOf('POST /data/foundation/conversion/mappingSets/preview')
    expect(preview).toBeGreaterThan(-1)
    expect(preview).toBeLessThan(calls.indexOf('POST /data/foundation/conversion/mappingSets'))
    expect(preview).toBeLessThan(calls.indexOf('POST /data/foundation/flowservice/flows'))
  })

  it('makes nothing when Data Prep loses the timestamp', async () => {
    const { code, err } = await bench.run([], {
      fetch: async (input, init) => {
        const response = await fetch(input, init)
        if (!String(input).endsWith('/preview')) return response
        const mapped = (await response.json()) as { data: { timestamp?: string } }[]
        for (const { data } of mapped) delete data.timestamp
        return Response.json(mapped)
      },
    })
    expect(code).toBe(1)
    expect(err).toContain('timestamp does not come out')
    expect(await bench.counts()).toMatchObject({ mappingSets: 0, flows: 0 })
    expect(bench.toml).toBe(TOML)
  })

  it('has the flow of a slow Adobe enabled before it writes its address', async () => {
    await bench.stop()
    bench = await Bench.start({ flowEnableMs: 5_000 })
    const { code, slept } = await bench.run([])
    expect(code).toBe(0)
    expect(slept).toEqual([2_000, 2_000, 2_000])
    expect(varsOf(bench.toml).AEP_ENDPOINT).toContain('/collection/')
  })
})

describe('again', () => {
  it.each(VARIANTS)('%s: changes nothing, and says so', async (_, args) => {
    await bench.run(args)
    const toml = bench.toml
    const calls: string[] = []
    const { code, out } = await bench.run(args, {
      fetch: (input, init) => {
        calls.push(callOf(input, init))
        return fetch(input, init)
      },
    })
    expect(code).toBe(0)
    expect(out).toContain('nothing was changed in AEP')
    expect(out).toContain('has these settings already')
    expect(calls.filter((call) => !call.startsWith('GET'))).toEqual(['POST /ims/token/v3'])
    expect(bench.toml).toBe(toml)
  })

  it('makes another chain beside it for another kind, of the same schema and dataset', async () => {
    await bench.run([])
    expect((await bench.run(['--format', 'xdm', '--authenticated', '--yes'])).code).toBe(0)
    expect(await bench.counts()).toMatchObject({ schemas: 1, dataSets: 1, flows: 2 })
  })
})

describe('--profile', () => {
  it('asks, and makes nothing on a no', async () => {
    const { code, asked, out } = await bench.run(['--profile'], { answer: false })
    expect(code).toBe(2)
    expect(asked).toHaveLength(1)
    expect(out).toContain('cannot be undone')
    expect(await bench.counts()).toMatchObject({ schemas: 0 })
  })

  it('without a terminal ends with 2 and names what is missing', async () => {
    const { code, err } = await bench.run(['--profile'])
    expect(code).toBe(2)
    expect(err).toContain('--yes')
    expect(await bench.counts()).toMatchObject({ namespaces: 0, schemas: 0 })
  })

  it.each([
    ['on a yes', ['--profile'], { answer: true }],
    ['with --yes', ['--profile', '--yes'], {}],
  ])(
    '%s enables the schema after the descriptors and before the dataset',
    async (_, args, options) => {
      const calls: string[] = []
      const { code } = await bench.run(args, {
        ...options,
        fetch: (input, init) => {
          if (init?.method !== 'GET') calls.push(callOf(input, init))
          return fetch(input, init)
        },
      })
      expect(code).toBe(0)
      const union = calls.findIndex(
        (call) => call.startsWith('PATCH') && call.includes('/schemas/'),
      )
      expect(union).toBeGreaterThan(
        calls.lastIndexOf('POST /data/foundation/schemaregistry/tenant/descriptors'),
      )
      expect(union).toBeLessThan(calls.indexOf('POST /data/foundation/catalog/dataSets'))
      expect((await bench.run(['--profile', '--status'])).code).toBe(0)
    },
  )

  it('also later, when everything is there already', async () => {
    await bench.run([])
    expect((await bench.run(['--profile', '--status'])).code).toBe(4)
    expect((await bench.run(['--profile', '--yes'])).code).toBe(0)
    expect((await bench.run(['--profile', '--status'])).code).toBe(0)
  })
})

describe('--dry-run', () => {
  it('sends nothing that changes anything, and shows every request with its secrets masked', async () => {
    const calls: string[] = []
    const { code, out } = await bench.run(['--dry-run', '--requests'], {
      fetch: (input, init) => {
        calls.push(callOf(input, init))
        return fetch(input, init)
      },
    })
    expect(code).toBe(0)
    expect(calls.filter((call) => !call.startsWith('GET'))).toEqual(['POST /ims/token/v3'])
    for (const path of [
      '/data/core/idnamespace/identities',
      '/data/foundation/schemaregistry/tenant/fieldgroups',
      '/data/foundation/schemaregistry/tenant/schemas',
      '/data/foundation/schemaregistry/tenant/descriptors',
      '/data/foundation/catalog/dataSets',
      '/data/foundation/flowservice/sourceConnections',
      '/data/foundation/flowservice/targetConnections',
      '/data/foundation/conversion/mappingSets/preview',
      '/data/foundation/conversion/mappingSets',
      '/data/foundation/flowservice/flows',
    ]) {
      expect(out).toContain(`POST ${bench.adobe.url}${path}\n`)
    }
    const { AEP_CLIENT_SECRET, AEP_CLIENT_ID } = bench.env
    expect(out.replaceAll(`${AEP_CLIENT_SECRET}`, 'SECRET')).not.toContain('SECRET')
    expect(out).not.toContain(`${AEP_CLIENT_ID}\n`)
    expect(out).not.toMatch(/Bearer (?!\*)/)
    expect(bench.toml).toBe(TOML)
    expect(await bench.counts()).toMatchObject({ namespaces: 0, flows: 0 })
  })
})

describe('settings', () => {
  it.each(['AEP_CLIENT_ID', 'AEP_CLIENT_SECRET', 'AEP_ORG_ID'])(
    'without %s ends with 2 and names it',
    async (name) => {
      const { code, err } = await bench.run([], { env: { [name]: undefined } })
      expect(code).toBe(2)
      expect(err).toContain(name)
    },
  )

  it.each([
    ['AEP_PLATFORM_URL', 'http://platform.example.com'],
    ['AEP_IMS_URL', 'http://ims.example.com'],
    ['AEP_PLATFORM_URL', 'https://user:secret@platform.example.com'],
  ])('%s = %s ends with 2 and does not repeat it', async (name, value) => {
    const { code, err } = await bench.run([], { env: { [name]: value } })
    expect(code).toBe(2)
    expect(err).toContain(name)
    expect(err).not.toContain(value)
  })

  it('come from --env-file, and the environment wins over it', async () => {
    const file = path.join(bench.directory, 'adobe.env')
    const { AEP_ORG_ID, AEP_CLIENT_SECRET } = bench.env
    writeFileSync(file, `AEP_ORG_ID=wrong\nAEP_CLIENT_SECRET=${AEP_CLIENT_SECRET}\n`)
    const env = { AEP_CLIENT_SECRET: undefined, AEP_ORG_ID: `${AEP_ORG_ID}` }
    expect((await bench.run(['--env-file', file], { env })).code).toBe(0)
  })

  it.each([
    [['--format', 'avro'], '--format'],
    [['--name', 'a==b'], '--name'],
    [['--status', '--dry-run'], '--status'],
    [['--flow-id', 'x'], '--endpoint'],
    [['--no-such'], '--no-such'],
    [['--env-file', 'no-such-file.env'], 'no-such-file.env'],
    [['--config', 'no-such.toml'], 'no-such.toml'],
  ])('%j ends with 2', async (args, named) => {
    const { code, err } = await bench.run(args)
    expect(code).toBe(2)
    expect(err).toContain(named)
  })

  it('--help says what it does, and needs none of them', async () => {
    const { code, out } = await bench.run(['--help'], { env: { AEP_ORG_ID: undefined } })
    expect([code, out]).toEqual([0, expect.stringMatching(/^Usage: npm run provision/)])
  })

  it('--print prints the variables and leaves the file alone', async () => {
    const { code, out } = await bench.run(['--print'])
    expect(code).toBe(0)
    expect(out).toContain('[vars]\nAEP_ENDPOINT = "http://127.0.0.1')
    expect(bench.toml).toBe(TOML)
  })
})
