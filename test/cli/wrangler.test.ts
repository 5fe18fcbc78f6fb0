import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { withVars } from '../../src/cli/lib/wrangler-toml.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const WRANGLER = createRequire(import.meta.url).resolve('wrangler')

const directories: string[] = []
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true })
})

/** Deploys nothing: shows what would be, for a wrangler.toml of this text. */
async function dryRun(toml: string, ...args: string[]) {
  const directory = await mkdtemp(path.join(tmpdir(), 'chatlio-wrangler-'))
  directories.push(directory)
  const config = path.join(directory, 'wrangler.toml')
  const main = path.join(ROOT, 'src/worker/index.ts')
  await writeFile(config, toml.replace('"src/worker/index.ts"', JSON.stringify(main)))
  const deploy = [
    'deploy',
    '--dry-run',
    '--config',
    config,
    '--outdir',
    path.join(directory, 'out'),
  ]
  const env = {
    ...process.env,
    NO_COLOR: '1',
    WRANGLER_SEND_METRICS: 'false',
    WRANGLER_LOG_PATH: directory,
  }
  return new Promise<{ code: number; output: string }>((resolve) => {
    const command = ['--no-warnings', WRANGLER, ...deploy, ...args]
    execFile(process.execPath, command, { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr })
    })
  })
}

const TOML = await readFile(path.join(ROOT, 'wrangler.toml'), 'utf8')

/** As `npm run provision -- --env staging` leaves it. */
const STAGING = withVars(TOML, { AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/x' }, 'staging')

describe('wrangler.toml', () => {
  it('deploys as it is, with the outbox and without a warning', async () => {
    const { code, output } = await dryRun(TOML)
    expect(output).toContain('env.OUTBOX (Outbox)')
    expect(output).not.toContain('WARNING')
    expect(code).toBe(0)
  })

  it('deploys an environment that `provision` has written, without a warning', async () => {
    const { code, output } = await dryRun(STAGING, '--env', 'staging')
    expect(output).toContain('env.OUTBOX (Outbox)')
    expect(output).toContain('env.AEP_ENDPOINT')
    expect(output).toContain('env.SIGN_IN_LIMIT')
    expect(output).not.toContain('WARNING')
    expect(code).toBe(0)
  })

  it('staging does not take the domain of production, which it would inherit', async () => {
    const toml = STAGING.replace(/^# (routes = .*)$/m, '$1')
    expect(toml).toMatch(/^routes = \[\{/m)
    const withItsOwn = await dryRun(toml, '--env', 'staging')
    expect(withItsOwn.output).not.toContain('WARNING')
    const inherited = await dryRun(toml.replace('routes = []\n', ''), '--env', 'staging')
    expect(inherited.output).toContain('WARNING')
  })

  it('warns of a binding that staging would lack, so the test above can fail', async () => {
    const without = STAGING.slice(0, STAGING.indexOf('[[env.staging.durable_objects'))
    const { output } = await dryRun(without, '--env', 'staging')
    expect(output).toContain('"durable_objects" exists at the top level, but not on "env.staging"')
  })
})
