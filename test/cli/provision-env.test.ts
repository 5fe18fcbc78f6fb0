/** `provision` beside what is there: other environments, settings that are set, a dataset that exists, files as they are. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Interrupted } from '../../src/cli/lib/terminal.ts'
import { varsOf, withVars } from '../../src/cli/lib/wrangler-toml.ts'
import { Bench, TOML } from './provision-support.ts'

const PRODUCTION = {
  AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/of-production',
  AEP_FLOW_ID: 'flow-of-production',
}

let bench: Bench
beforeEach(async () => {
  bench = await Bench.start()
})
afterEach(() => bench.stop())

const flat = (text: string) => text.replaceAll(/\s+/g, ' ')

describe('--env', () => {
  it('sets up an environment of its own, and touches nothing of another', async () => {
    writeFileSync(bench.config, withVars(TOML, PRODUCTION))
    const before = bench.toml
    const { code, out, err } = await bench.run(['--env', 'shop'])
    expect([code, err]).toEqual([0, ''])
    expect(bench.toml.startsWith(before.trimEnd())).toBe(true)
    expect(varsOf(bench.toml)).toEqual(PRODUCTION)
    expect(varsOf(bench.toml, 'shop')).toMatchObject({
      AEP_ENDPOINT: expect.stringContaining(bench.adobe.url),
      AEP_FORMAT: 'raw',
      ENVIRONMENT: 'shop',
    })
    expect(out).toContain('into [env.shop.vars]')
    expect(out).toContain('Next: npm run deploy -- --env shop')
    const once = bench.toml
    expect((await bench.run(['--env', 'shop'])).code).toBe(0)
    expect(bench.toml).toBe(once)
  })

  it('names its sandbox, so that AEP is never asked for the counts of another', async () => {
    const { code } = await bench.run(['--env', 'staging'], { env: { AEP_SANDBOX: 'stage' } })
    expect(code).toBe(0)
    expect(varsOf(bench.toml, 'staging')).toMatchObject({ AEP_SANDBOX: 'stage' })
    expect((await bench.run([])).code).toBe(0)
    expect(varsOf(bench.toml)).not.toHaveProperty('AEP_SANDBOX')
  })

  it('is two widgets with two environments, from nothing', async () => {
    for (const env of ['shop', 'blog']) {
      expect((await bench.run(['--env', env, '--name', `Chats of ${env}`])).code).toBe(0)
    }
    const [shop, blog] = ['shop', 'blog'].map((env) => varsOf(bench.toml, env))
    expect(shop?.AEP_FLOW_ID).not.toBe(blog?.AEP_FLOW_ID)
    expect(varsOf(bench.toml)).toEqual({})
    expect(await bench.counts()).toMatchObject({ flows: 2, dataSets: 2, namespaces: 1 })
    for (const env of ['shop', 'blog']) {
      expect((await bench.run(['--status', '--env', env])).code).toBe(0)
    }
  })
})

describe('an endpoint that is set', () => {
  beforeEach(() => writeFileSync(bench.config, withVars(TOML, PRODUCTION)))

  it('is shown beside the new one and stays, without a terminal and without --yes', async () => {
    const before = bench.toml
    const { code, out, err } = await bench.run([], { env: { AEP_SANDBOX: 'prod' } })
    expect(code).toBe(4)
    expect(out).toContain(`old  ${PRODUCTION.AEP_ENDPOINT}`)
    expect(out).toContain(`old  ${PRODUCTION.AEP_FLOW_ID}`)
    expect(flat(err)).toContain('Nothing was changed')
    expect(bench.toml).toBe(before)
    expect(await bench.counts()).toMatchObject({ flows: 0, schemas: 0 })
  })

  it('is replaced after a yes, and with --yes', async () => {
    expect((await bench.run([], { answer: false })).code).toBe(4)
    expect(varsOf(bench.toml)).toEqual(PRODUCTION)
    const { code, asked } = await bench.run([], { answer: true })
    expect([code, asked]).toEqual([0, ['Do this in sandbox prod, and replace these settings?']])
    expect(varsOf(bench.toml).AEP_ENDPOINT).toContain(bench.adobe.url)

    writeFileSync(bench.config, withVars(TOML, PRODUCTION))
    const again = await bench.run([], { answer: true })
    expect(again.asked).toEqual(['Replace these settings?'])
    expect(again.out).toContain(`new  ${varsOf(bench.toml).AEP_ENDPOINT}`)
    writeFileSync(bench.config, withVars(TOML, PRODUCTION))
    expect((await bench.run(['--yes'])).code).toBe(0)
  })

  it('is not replaced by --endpoint either, unasked', async () => {
    const args = ['--endpoint', 'https://dcs.adobedc.net/collection/new', '--flow-id', 'f2']
    const without = { AEP_CLIENT_SECRET: undefined }
    expect((await bench.run(args, { env: without })).code).toBe(4)
    expect(varsOf(bench.toml)).toEqual(PRODUCTION)
    expect((await bench.run([...args, '--yes'], { env: without })).code).toBe(0)
    expect(varsOf(bench.toml).AEP_FLOW_ID).toBe('f2')
  })

  it('is shown by --dry-run', async () => {
    const { code, out } = await bench.run(['--dry-run'])
    expect(code).toBe(0)
    expect(out).toContain(`old  ${PRODUCTION.AEP_ENDPOINT}`)
  })
})

describe('--status', () => {
  it('takes format, flow and account from wrangler.toml', async () => {
    await bench.run(['--format', 'xdm', '--authenticated', '--name', 'Of a name of its own'])
    const { clientId } = bench.adobe.adobe.settings
    expect(varsOf(bench.toml).AEP_CLIENT_ID).toBe(clientId)
    const own = { AEP_CLIENT_ID: undefined, AEP_ORG_ID: undefined }
    const { code, out, err } = await bench.run(['--status'], { env: own })
    expect([code, err]).toEqual([0, ''])
    expect(flat(out)).toContain('xdm, authenticated')
    expect(out).toContain('Dataflow Of a name of its own (xdm authenticated): as it should be')
    expect(out).toContain('Everything is as it should be.')
  })

  it('does not call a file without settings right, and names the command that writes them', async () => {
    await bench.run([])
    writeFileSync(bench.config, TOML)
    const { code, out, err } = await bench.run(['--status'])
    expect(code).toBe(4)
    expect(flat(out)).toContain('no AEP_ENDPOINT is set in [vars]')
    expect(out).not.toContain('Everything is as it should be')
    const [, printed = ''] = /`npm run provision -- ([^`]+)` writes/.exec(flat(err)) ?? []
    expect((await bench.run(printed.split(' '))).code).toBe(0)
    expect((await bench.run(['--status'])).code).toBe(0)
  })

  it('says that a dataflow is of another sandbox, and gives no advice that would replace it', async () => {
    await bench.run([])
    writeFileSync(bench.config, withVars(bench.toml, { AEP_FLOW_ID: 'elsewhere' }))
    const { code, out, err } = await bench.run(['--status'])
    expect(code).toBe(4)
    expect(flat(out)).toContain('AEP_FLOW_ID is elsewhere: sandbox prod has no such dataflow')
    expect(err).not.toContain('npm run provision')
  })

  it('forgives the ways in which a tenant and an address are written', async () => {
    await bench.run(['--format', 'xdm'])
    const { AEP_ENDPOINT, AEP_FLOW_ID, AEP_TENANT, ...others } = varsOf(bench.toml)
    writeFileSync(
      bench.config,
      withVars(TOML, {
        ...others,
        AEP_ENDPOINT: `${AEP_ENDPOINT}?x-adobe-flow-id=${AEP_FLOW_ID}`,
        AEP_TENANT: `_${AEP_TENANT?.toUpperCase()}`,
      }),
    )
    expect((await bench.run(['--status'])).code).toBe(0)
  })
})

describe('--dataset', () => {
  it('makes a second dataflow into a dataset that exists, and asks before it adds to its schema', async () => {
    await bench.run(['--name', 'Direct'])
    const { send } = bench.api
    const datasets = await send({ method: 'GET', path: '/data/foundation/catalog/dataSets' })
    const [id = ''] = Object.keys(datasets as object)
    writeFileSync(bench.config, TOML)
    const { code, out, err } = await bench.run(['--dataset', id, '--yes'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('Dataset Direct')
    // The schema is called as Adobe calls it, not as ours would be.
    expect(out).not.toContain('Chatlio chat events" exists already')
    expect(await bench.counts()).toMatchObject({ flows: 2, dataSets: 1, schemas: 1 })
    expect(varsOf(bench.toml).AEP_ENDPOINT).toContain('/collection/')
    const status = await bench.run(['--status'])
    expect([status.code, status.err]).toEqual([0, ''])
    expect(status.out).toContain('Schema Direct: as it should be')
    await bench.editMapping((rows) => rows.slice(0, 5))
    const { err: advice } = await bench.run(['--status'])
    expect(flat(advice)).toContain(`--dataset ${id}`)
    expect((await bench.run(['--dataset', id, '--yes'])).code).toBe(0)
    expect((await bench.run(['--status'])).code).toBe(0)
    expect(await bench.counts()).toMatchObject({ flows: 2, dataSets: 1, schemas: 1 })
  })

  it('needs one that is there', async () => {
    const { code, err } = await bench.run(['--dataset', '0'.repeat(24)])
    expect(code).toBe(2)
    expect(flat(err)).toContain('has no dataset 000')
    expect(await bench.counts()).toMatchObject({ flows: 0, namespaces: 0 })
  })
})

describe('wrangler.toml on disk', () => {
  it('stays a symbolic link, keeps its mode, and nothing planted beside it is written through', async () => {
    const real = path.join(bench.directory, 'real.toml')
    const victim = path.join(bench.directory, 'victim')
    renameSync(bench.config, real)
    chmodSync(real, 0o600)
    symlinkSync('real.toml', bench.config)
    writeFileSync(victim, 'mine')
    for (const name of ['wrangler.toml.new', 'real.toml.new']) {
      symlinkSync(victim, path.join(bench.directory, name))
    }
    const before = readdirSync(bench.directory)
    expect((await bench.run([])).code).toBe(0)
    expect(lstatSync(bench.config).isSymbolicLink()).toBe(true)
    expect(statSync(real).mode & 0o777).toBe(0o600)
    expect(varsOf(readFileSync(real, 'utf8')).AEP_FORMAT).toBe('raw')
    expect(readFileSync(victim, 'utf8')).toBe('mine')
    expect(readdirSync(bench.directory)).toEqual(before)
  })
})

describe('what is printed', () => {
  it.each([
    ['the plan', ['--dry-run']],
    ['the plan for xdm', ['--dry-run', '--format', 'xdm', '--authenticated', '--profile']],
    ['what differs', ['--status']],
    ['the help', ['--help']],
  ])('%s fits 80 columns and one screen', async (_, args) => {
    const { out, err } = await bench.run(args)
    const lines = `${out}${err}`.split('\n')
    expect(lines.filter((line) => line.length > 84 && !line.includes('`'))).toEqual([])
    expect(lines.length).toBeLessThan(50)
  })

  it('ends when a question is broken off, and nothing is changed', async () => {
    const world = { interrupt: true, env: { AEP_CLIENT_SECRET: undefined } }
    const { code, err, asked } = await bench.run([], world)
    expect([code, asked.length]).toEqual([130, 1])
    expect(asked[0]).toContain('Retrieve client secret')
    expect(err).toContain('Nothing was changed')
    expect(existsSync(bench.config)).toBe(true)
    expect(new Interrupted().name).toBe('Interrupted')
  })
})
