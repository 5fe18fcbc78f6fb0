/** What the tests of `npm run deploy` share: a configuration, a local Cloudflare API, and what was printed. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest'
import { main } from '../../../src/cli/deploy/main.ts'
import { ROOT, type RunWrangler } from '../../../src/cli/lib/wrangler.ts'
import { ACCOUNT_ID, API_TOKEN, type LocalCloudflare, startLocalCloudflare } from './server.ts'
import { wranglerStandIn } from './wrangler.ts'

export const ENDPOINT = 'https://dcs.adobedc.net/collection/4f9b1c0a7d'
export const FLOW_ID = '7d1f0c2e-55aa-4b1e-9c33-0a1b2c3d4e5f'
export const NAME = 'relay-under-test'
export const GOOD = `AEP_ENDPOINT = "${ENDPOINT}"\nAEP_FLOW_ID = "${FLOW_ID}"`

type DeployTest = {
  readonly cloudflare: LocalCloudflare
  /** Of this test alone; also its TMPDIR. */
  readonly directory: string
  /** Writes a wrangler.toml with these `[vars]` and a staging environment; its path. */
  config(vars: string): string
  /** Resolves with the exit code. */
  deploy(vars: string, ...args: string[]): Promise<number>
  printed(): string
  forgetPrinted(): void
}

/** Call it once in a file, outside any test. */
export function deployTest(wrangler: RunWrangler = wranglerStandIn): DeployTest {
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
      WORKERS_CI: '',
    }
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(directory, { recursive: true, force: true })
  })
  const config = (vars: string) => {
    const file = path.join(directory, 'wrangler.toml')
    writeFileSync(file, configuration(vars))
    return file
  }
  return {
    get cloudflare() {
      return cloudflare
    },
    get directory() {
      return directory
    },
    config,
    deploy: (vars, ...args) => main(['--config', config(vars), ...args], { wrangler }),
    printed: () => output.join('\n'),
    forgetPrinted: () => {
      output.length = 0
    },
  }
}

function configuration(vars: string): string {
  const outbox = 'durable_objects.bindings = [{ name = "OUTBOX", class_name = "Outbox" }]'
  return [
    `name = "${NAME}"`,
    `main = "${path.join(ROOT, 'src/worker/index.ts')}"`,
    'compatibility_date = "2026-10-30"',
    outbox,
    'exports.Outbox = { type = "durable-object", storage = "sqlite" }',
    '[vars]',
    vars,
    ...['[env.staging]', outbox, '[env.staging.vars]', GOOD],
  ].join('\n')
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
}

/** Everything that a deploy keeps in the directory of its secrets file; none of it may stay. */
export function secretsFiles(folder: string): string[] {
  return filesBelow(folder).filter((file) => file.includes('chatlio-edge-relay-secrets-'))
}
