/** `npm run deploy`: the settings and the access that it wants before it changes anything, and the Deploy button. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { checkSettings, type Target } from '../../src/cli/deploy/settings.ts'
import { deployTest, ENDPOINT, FLOW_ID, GOOD, NAME, ROOT } from './local-cloudflare/deploy-test.ts'

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
    expect(test.printed()).toContain(`  ${name}: `)
    expect(test.cloudflare.requests).toEqual([])
  })

  it('is a missing AEP_CLIENT_SECRET, where Cloudflare has none and the environment neither', async () => {
    vi.stubEnv('AEP_CLIENT_SECRET', '')
    expect(await test.deploy(`${GOOD}\nAEP_CLIENT_ID = "client"`)).toBe(2)
    expect(test.printed()).toContain('  AEP_CLIENT_SECRET: ')
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

  it('runs this command, which then makes no secret, prints no key and waits for AEP’s settings', async () => {
    vi.stubEnv('WORKERS_CI', '1')
    expect(await test.deploy(''), test.printed()).toBe(0)
    expect(test.cloudflare.worker(NAME)?.secretNames()).toEqual([])
    expect(test.printed()).toContain('AEP_ENDPOINT')
    expect(test.printed()).not.toContain('?key=')
  })
})
