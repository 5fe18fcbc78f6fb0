/** `npm run deploy`, end to end: the real wrangler against a local Cloudflare API, and what arrived there. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { main } from '../../src/cli/deploy/main.ts'
import { checkSettings, type Target } from '../../src/cli/deploy/settings.ts'
import { parseConfig } from '../../src/worker/config/config.ts'
import {
  ACCOUNT_ID,
  API_TOKEN,
  type LocalCloudflare,
  startLocalCloudflare,
} from './local-cloudflare/server.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const WORKER = path.join(ROOT, 'src/worker/index.ts')
const ENDPOINT = 'https://dcs.adobedc.net/collection/4f9b1c0a7d'
const FLOW_ID = '7d1f0c2e-55aa-4b1e-9c33-0a1b2c3d4e5f'
const NAME = 'relay-under-test'

let cloudflare: LocalCloudflare
let directory: string
let output: string[]

beforeAll(async () => {
  cloudflare = await startLocalCloudflare()
})
afterAll(() => cloudflare.close())

beforeEach(() => {
  cloudflare.reset()
  directory = mkdtempSync(path.join(tmpdir(), 'deploy-test-'))
  output = []
  for (const method of ['log', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((text: string) => output.push(text))
  }
  const environment = {
    CLOUDFLARE_API_BASE_URL: cloudflare.url,
    CLOUDFLARE_API_TOKEN: API_TOKEN,
    CLOUDFLARE_ACCOUNT_ID: ACCOUNT_ID,
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_LOG_PATH: path.join(directory, 'logs'),
    TMPDIR: directory,
  }
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true, force: true })
})

const GOOD = `AEP_ENDPOINT = "${ENDPOINT}"\nAEP_FLOW_ID = "${FLOW_ID}"`
const OUTBOX = 'durable_objects.bindings = [{ name = "OUTBOX", class_name = "Outbox" }]'

/** Resolves with the exit code; what it printed is in `output`. */
function deploy(vars: string, ...args: string[]): Promise<number> {
  const config = path.join(directory, 'wrangler.toml')
  const lines = [
    `name = "${NAME}"`,
    `main = "${WORKER}"`,
    'compatibility_date = "2026-10-30"',
    OUTBOX,
    'exports.Outbox = { type = "durable-object", storage = "sqlite" }',
    '[vars]',
    vars,
    ...['[env.staging]', OUTBOX, '[env.staging.vars]', GOOD],
  ]
  writeFileSync(config, lines.join('\n'))
  return main(['--config', config, ...args])
}

const printed = () => output.join('\n')

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
}

describe('the first deploy', () => {
  it('brings new secrets along, shows them once, and leaves them in no file', async () => {
    const modes: number[] = []
    cloudflare.watch(({ method }) => {
      if (method !== 'PUT') return
      const file = filesBelow(directory).find((each) => each.endsWith('secrets.json'))
      if (file) modes.push(statSync(file).mode & 0o777)
    })
    vi.stubEnv('AEP_CLIENT_SECRET', 'secret-of-the-client')
    expect(await deploy(`${GOOD}\nAEP_CLIENT_ID = "client"`), printed()).toBe(0)

    const worker = cloudflare.worker(NAME)
    const { WEBHOOK_KEYS = '', ADMIN_TOKEN = '' } = Object.fromEntries(worker?.secrets ?? [])
    expect(worker?.secretNames()).toEqual(['ADMIN_TOKEN', 'AEP_CLIENT_SECRET', 'WEBHOOK_KEYS'])
    expect(worker?.secrets.get('AEP_CLIENT_SECRET')).toBe('secret-of-the-client')
    expect(printed()).not.toContain('secret-of-the-client')
    const config = parseConfig({
      AEP_ENDPOINT: ENDPOINT,
      AEP_FLOW_ID: FLOW_ID,
      WEBHOOK_KEYS,
      ADMIN_TOKEN,
    })
    expect(config.problems).toEqual([])
    expect(WEBHOOK_KEYS).not.toBe(ADMIN_TOKEN)
    expect(worker?.bindings).toContainEqual({
      name: 'AEP_ENDPOINT',
      type: 'plain_text',
      text: ENDPOINT,
    })
    expect(worker?.bindings).toContainEqual({
      name: 'AEP_FLOW_ID',
      type: 'plain_text',
      text: FLOW_ID,
    })
    expect(worker?.bindings).toContainEqual(
      expect.objectContaining({ name: 'OUTBOX', type: 'durable_object_namespace' }),
    )

    const base = `https://${NAME}.local.workers.dev/chatlio`
    for (const kind of [
      'transcript',
      'offline-message',
      'new-conversation',
      'unanswered',
      'feedback',
    ]) {
      expect(printed().split(`${base}/${kind}?key=${WEBHOOK_KEYS}`)).toHaveLength(2)
    }
    expect(printed().split(ADMIN_TOKEN)).toHaveLength(2)
    expect(printed()).toContain('Webhook when a new conversation starts')
    expect(printed()).toContain('send the transcript to the webhook automatically')

    expect(modes).toEqual([0o600])
    const left = filesBelow(directory).map((file) => readFileSync(file, 'latin1'))
    expect(
      left.filter((text) => text.includes(WEBHOOK_KEYS) || text.includes(ADMIN_TOKEN)),
    ).toEqual([])
  })

  it('shows a secret that was stored although the deploy failed afterwards', async () => {
    cloudflare.fail(/^GET .*\/workers\/workers\//, 403)
    expect(await deploy(GOOD)).toBe(1)
    const key = cloudflare.worker(NAME)?.secrets.get('WEBHOOK_KEYS') ?? 'none was stored'
    expect(printed()).toContain(`?key=${key}`)
    expect(filesBelow(directory).filter((file) => file.endsWith('secrets.json'))).toEqual([])
  })

  it('shows no secret when nothing was stored', async () => {
    for (let time = 0; time < 5; time += 1) cloudflare.fail(/^PUT .*\/scripts\//, 403)
    expect(await deploy(GOOD)).toBe(1)
    expect(printed()).not.toContain('?key=')
    expect(filesBelow(directory).filter((file) => file.endsWith('secrets.json'))).toEqual([])
  })
})

describe('a deploy of a Worker that is there', () => {
  it('says with --dry-run what would change, and changes nothing', async () => {
    const key = 'key-that-is-already-there'
    const worker = cloudflare.put(NAME, {
      bindings: [
        { name: 'AEP_ENDPOINT', type: 'plain_text', text: ENDPOINT },
        { name: 'AEP_FLOW_ID', type: 'plain_text', text: FLOW_ID },
        { name: 'RETENTION_DAYS', type: 'plain_text', text: '10' },
        { name: 'WEBHOOK_KEYS', type: 'secret_text', text: key },
      ],
    })
    expect(await deploy(GOOD.replace(FLOW_ID, 'another-flow'), '--dry-run'), printed()).toBe(0)
    expect(printed()).toContain('= AEP_ENDPOINT stays')
    expect(printed()).toContain(`~ AEP_FLOW_ID = another-flow (was ${FLOW_ID})`)
    expect(printed()).toContain('- RETENTION_DAYS goes')
    expect(printed()).toContain('= WEBHOOK_KEYS stays')
    expect(printed()).toContain('+ ADMIN_TOKEN will be made')
    expect(worker.deploys).toBe(1)
    expect(worker.secretNames()).toEqual(['WEBHOOK_KEYS'])

    output.length = 0
    expect(await deploy(GOOD), printed()).toBe(0)
    expect(worker.deploys).toBe(2)
    expect(worker.secrets.get('WEBHOOK_KEYS')).toBe(key)
    expect(worker.secretNames()).toEqual(['ADMIN_TOKEN', 'WEBHOOK_KEYS'])
    expect(printed()).not.toContain(key)
    expect(printed()).toContain('YOUR_KEY is the key that Cloudflare already has')
  })
})

describe('--env', () => {
  it('deploys the named environment, with secrets of its own', async () => {
    expect(await deploy('', '--env', 'staging'), printed()).toBe(0)
    expect(cloudflare.worker(NAME)).toBeUndefined()
    expect(cloudflare.worker(`${NAME}-staging`)?.secretNames()).toEqual([
      'ADMIN_TOKEN',
      'WEBHOOK_KEYS',
    ])
    expect(printed()).toContain(`https://${NAME}-staging.local.workers.dev/chatlio/feedback?key=`)
  })

  it('ends with 2 for an environment that is not there', async () => {
    expect(await deploy(GOOD, '--env', 'nowhere')).toBe(2)
    expect(printed()).toContain('nowhere')
  })
})

describe('access to Cloudflare', () => {
  it('ends with 2 and names CLOUDFLARE_API_TOKEN when there is none', async () => {
    vi.stubEnv('CLOUDFLARE_API_TOKEN', '')
    vi.stubEnv('XDG_CONFIG_HOME', directory)
    vi.stubEnv('HOME', directory)
    expect(await deploy(GOOD)).toBe(2)
    expect(printed()).toContain('CLOUDFLARE_API_TOKEN')
  })

  it('ends with 1 when the token is refused', async () => {
    vi.stubEnv('CLOUDFLARE_API_TOKEN', 'another-token')
    expect(await deploy(GOOD)).toBe(1)
    expect(printed()).toContain('token')
    expect(printed()).not.toContain('another-token')
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
    expect(await deploy(vars)).toBe(2)
    expect(printed()).toContain(`  ${name}: `)
    expect(cloudflare.requests).toEqual([])
  })

  it('is a missing AEP_CLIENT_SECRET, where Cloudflare has none and the environment neither', async () => {
    vi.stubEnv('AEP_CLIENT_SECRET', '')
    expect(await deploy(`${GOOD}\nAEP_CLIENT_ID = "client"`)).toBe(2)
    expect(printed()).toContain('  AEP_CLIENT_SECRET: ')
    expect(cloudflare.worker(NAME)).toBeUndefined()
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
    expect(await deploy(''), printed()).toBe(0)
    expect(cloudflare.worker(NAME)?.secretNames()).toEqual([])
    expect(printed()).toContain('AEP_ENDPOINT')
    expect(printed()).not.toContain('?key=')
  })
})
