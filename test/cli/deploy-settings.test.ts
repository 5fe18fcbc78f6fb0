/** `npm run deploy`: the settings and the access that it wants before it changes anything, and the Deploy button. */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { main } from '../../src/cli/deploy/main.ts'
import { checkSettings, type Target } from '../../src/cli/deploy/settings.ts'
import { ROOT } from '../../src/cli/lib/wrangler.ts'
import { SECRETS } from '../../src/worker/config/variables.ts'
import { deployTest, ENDPOINT, FLOW_ID, GOOD, NAME } from './local-cloudflare/deploy-test.ts'

const test = deployTest()

describe('access to Cloudflare', () => {
  it('ends with 2 and names CLOUDFLARE_API_TOKEN when there is none', async () => {
    vi.stubEnv('CLOUDFLARE_API_TOKEN', '')
    vi.stubEnv('XDG_CONFIG_HOME', test.directory)
    vi.stubEnv('HOME', test.directory)
    expect(await test.deploy(GOOD)).toBe(2)
    expect(test.printed()).toContain('CLOUDFLARE_API_TOKEN')
  })

  it('ends with 1 when the token is refused', async () => {
    vi.stubEnv('CLOUDFLARE_API_TOKEN', 'another-token')
    expect(await test.deploy(GOOD)).toBe(1)
    expect(test.printed()).toContain('token')
    expect(test.printed()).not.toContain('another-token')
  })
})

describe('a setting that cannot be meant', () => {
  it.each([
    ['', 'AEP_ENDPOINT'],
    [`AEP_ENDPOINT = "${ENDPOINT}"`, 'AEP_FLOW_ID'],
    [
      'AEP_ENDPOINT = "http://127.0.0.1:8788/collection/local-inlet"\nAEP_FLOW_ID = "f"',
      'AEP_ENDPOINT',
    ],
    ['AEP_ENDPOINT = "https://localhost/collection/a"\nAEP_FLOW_ID = "f"', 'AEP_ENDPOINT'],
    [
      'AEP_ENDPOINT = "https://dcs.adobedc.net/collection/INLET_ID"\nAEP_FLOW_ID = "f"',
      'AEP_ENDPOINT',
    ],
    [
      'AEP_ENDPOINT = "https://dcs.adobedc.net/collection/{INLET_ID}"\nAEP_FLOW_ID = "f"',
      'AEP_ENDPOINT',
    ],
    [
      `AEP_ENDPOINT = "${ENDPOINT}"\nAEP_FLOW_ID = "00000000-0000-0000-0000-000000000000"`,
      'AEP_FLOW_ID',
    ],
    [`${GOOD}\nAEP_FORMAT = "xdm"`, 'AEP_ORG_ID'],
    [`${GOOD}\nWEBHOOK_KEYS = "a-key-that-is-long-enough"`, 'WEBHOOK_KEYS'],
    [`${GOOD}\nRETENTION_DAYS = "ten"`, 'RETENTION_DAYS'],
    [`${GOOD}\nAEP_IMS_URL = "http://127.0.0.1:1"`, 'AEP_IMS_URL'],
  ])('is refused with 2 before Cloudflare is asked: %s', async (vars, name) => {
    expect(await test.deploy(vars)).toBe(2)
    const isSet = new RegExp(`^${name} = `, 'm').test(vars)
    const wrong = isSet ? 'cannot be used;|is|has' : 'is not set; expected: '
    expect(test.printed()).toMatch(new RegExp(`^  ${name} (${wrong})`, 'm'))
    expect(test.printed().includes(`${name} is not set`)).toBe(!isSet)
    expect(test.cloudflare.requests).toEqual([])
  })

  it('is a missing AEP_CLIENT_SECRET, where Cloudflare has none and the environment neither', async () => {
    vi.stubEnv('AEP_CLIENT_SECRET', '')
    expect(await test.deploy(`${GOOD}\nAEP_CLIENT_ID = "client"`)).toBe(2)
    expect(test.printed()).toContain('  AEP_CLIENT_SECRET is a secret that ')
    expect(test.cloudflare.worker(NAME)).toBeUndefined()
  })

  it('is a named environment without an outbox, or with the routes of production', () => {
    const target: Target = {
      worker: NAME,
      env: 'staging',
      file: 'wrangler.toml',
      vars: { AEP_ENDPOINT: ENDPOINT, AEP_FLOW_ID: FLOW_ID },
      durableObjects: ['OUTBOX'],
      inheritsRoutes: false,
      routes: [],
      domain: null,
      misplaced: [],
    }
    const secrets = new Set(['WEBHOOK_KEYS', 'ADMIN_TOKEN'])
    const found = (change: Partial<Target>) =>
      checkSettings({ ...target, ...change }, secrets, { allowLoopback: false }).map(
        ({ setting }) => setting,
      )
    expect(found({})).toEqual([])
    expect(found({ durableObjects: [] })).toEqual(['[[env.staging.durable_objects.bindings]]'])
    expect(found({ inheritsRoutes: true })).toEqual(['[env.staging] routes'])
  })

  it('is no secret that Cloudflare has, whatever its value must look like', () => {
    const target: Target = {
      worker: NAME,
      env: null,
      file: 'wrangler.toml',
      vars: {
        AEP_ENDPOINT: ENDPOINT,
        AEP_FLOW_ID: FLOW_ID,
        AEP_CLIENT_ID: 'client',
        AEP_READ_CLIENT_ID: 'reader',
        AEP_ORG_ID: '0A1B2C3D4E5F60718293A4B5@AdobeOrg',
        AEP_DATASET_ID: '63ef7df781f14a1bd02a7e49',
      },
      durableObjects: ['OUTBOX'],
      inheritsRoutes: false,
      routes: [],
      domain: null,
      misplaced: [],
    }
    expect(checkSettings(target, new Set(SECRETS), { allowLoopback: false })).toEqual([])
  })
})

const XDM = `${GOOD}
AEP_FORMAT = "xdm"
AEP_ORG_ID = "0A1B2C3D4E5F60718293A4B5@AdobeOrg"
AEP_DATASET_ID = "63ef7df781f14a1bd02a7e49"
AEP_SCHEMA_ID = "https://ns.adobe.com/acme/schemas/49cecec8"
AEP_TENANT = "acme"`

describe('a setting that parses and cannot be right', () => {
  const change = (vars: string, name: string, value: string) =>
    vars.replace(new RegExp(`^${name} = .*$`, 'm'), `${name} = "${value}"`)

  it.each([
    ['AEP_ORG_ID', '0A1B2C3D4E5F60718293A4B5', 'ends with @AdobeOrg'],
    ['AEP_DATASET_ID', 'Chatlio chat events', 'perhaps its name'],
    ['AEP_DATASET_ID', 'ChatlioEvents', 'perhaps its name'],
    ['AEP_SCHEMA_ID', 'Chatlio chat events', 'is no schema id'],
    ['AEP_TENANT', 'another', 'the tenant that AEP_SCHEMA_ID names'],
    ['AEP_ENDPOINT', 'https://dcs.adobedc.net/collection/batch/4f9b1c0a7d', 'batch'],
    ['AEP_ENDPOINT', 'https://experience.adobe.com/#/@acme/platform/source', 'interface'],
    ['AEP_ENDPOINT', 'https://platform.adobe.io/data/foundation/flowservice', 'interface'],
    ['AEP_ENDPOINT', `${ENDPOINT}?syncValidation=true`, 'syncValidation'],
    ['AEP_ENDPOINT', 'https://dcs.adobedc.net/', 'has no /collection/INLET_ID'],
  ])('%s = %s', async (name, value, why) => {
    for (const vars of name === 'AEP_ENDPOINT' ? [GOOD, XDM] : [XDM]) {
      test.forgetPrinted()
      expect(await test.deploy(change(vars, name, value)), test.printed()).toBe(2)
      const printed = test.printed().replaceAll(/\s+/g, ' ')
      expect(printed).toContain(` ${name} `)
      // In xdm the Worker's own parser may have said it first, in other words.
      if (vars !== XDM || name !== 'AEP_ENDPOINT') expect(printed).toContain(why)
      expect(test.cloudflare.requests).toEqual([])
    }
  })

  it.each([
    ['AEP_VISITOR_NAMESPACE = "Email"', 'AEP_VISITOR_NAMESPACE', 'one profile'],
    ['AEP_VISITOR_NAMESPACE = "ecid"', 'AEP_VISITOR_NAMESPACE', 'one profile'],
    ['PUBLIC_URL = "https://chatlio-edge-relay.NAME.workers.dev"', 'PUBLIC_URL', 'placeholder'],
    ['AEP_FLOWID = "f"', 'AEP_FLOWID', 'is AEP_FLOW_ID meant?'],
    ['aep_format = "xdm"', 'aep_format', 'is AEP_FORMAT meant?'],
    ['RETENTION_DAY = "3"', 'RETENTION_DAY', 'is RETENTION_DAYS meant?'],
    ['AEP_SOMETHING_ELSE = "x"', 'AEP_SOMETHING_ELSE', 'is no setting of the relay'],
    ['ALERT_WEBHOOK_URL = "https://hooks.slack.com/x"', 'ALERT_WEBHOOK_URL', 'is a secret'],
    ['AEP_READ_CLIENT_SECRET = "s"', 'AEP_READ_CLIENT_SECRET', 'is a secret'],
    [
      '[observability.traces]\nenabled = true\nPUBLIC_URL = "https://a.b"',
      'PUBLIC_URL',
      'into [vars]',
    ],
    ['[triggers]\nRETENTION_DAYS = 3', 'RETENTION_DAYS', '[triggers]'],
  ])('%j', async (more, name, why) => {
    expect(await test.deploy(`${GOOD}\n${more}`), test.printed()).toBe(2)
    expect(test.printed().replaceAll(/\s+/g, ' ')).toContain(` ${name} `)
    expect(test.printed().replaceAll(/\s+/g, ' ')).toContain(why)
    expect(test.cloudflare.requests).toEqual([])
  })

  it('is no setting that is right, in either format, nor a variable that is nothing of ours', async () => {
    for (const vars of [
      XDM,
      `${GOOD}\nSOMETHING = "mine"\nAEP_VISITOR_NAMESPACE = "ChatlioVisitor"`,
    ]) {
      expect(await test.deploy(vars, '--dry-run'), test.printed()).toBe(0)
    }
  })

  it('is none that TOML can hold: the file is named, with the line', async () => {
    expect(await test.deploy(`${GOOD}\nREDACT = none`), test.printed()).toBe(2)
    expect(test.printed()).toMatch(/^wrangler\.toml, line 9: \w/)
    expect(test.cloudflare.requests).toEqual([])
  })

  it('is an example among the routes', async () => {
    const config = test.config(GOOD)
    const routes = 'routes = [{ pattern = "chatlio.your-domain.example", custom_domain = true }]'
    await writeFile(config, `${routes}\n${await readFile(config, 'utf8')}`)
    expect(await main(['--config', config])).toBe(2)
    expect(test.printed()).toContain('  routes are still the example')
  })
})

describe('the Deploy to Cloudflare button', () => {
  it('asks for the secrets and nothing else, each with a description and no value', async () => {
    const example = await readFile(path.join(ROOT, '.dev.vars.example'), 'utf8')
    const asked = example.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    expect(asked).toEqual(['WEBHOOK_KEYS=', 'ADMIN_TOKEN='])
    const { cloudflare: described } = JSON.parse(
      await readFile(path.join(ROOT, 'package.json'), 'utf8'),
    )
    expect(Object.keys(described.bindings)).toEqual(['WEBHOOK_KEYS', 'ADMIN_TOKEN'])
    for (const { description } of Object.values<{ description: string }>(described.bindings)) {
      expect(description).toContain('openssl rand -hex 24')
    }
  })
})
