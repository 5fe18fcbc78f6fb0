import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ADMIN_TOKEN, NOBODY } from './relay-test.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const RUN = fileURLToPath(new URL('../../src/cli/run.mjs', import.meta.url))

/** As npm starts it, and with what it has taken for itself. */
function npm(...args: string[]): Promise<{ code: number; output: string }> {
  return npmWith({}, ...args)
}

function npmWith(
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, CLOUDFLARE_API_BASE_URL: NOBODY, ...env } }
    execFile('npm', ['run', ...args], options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr })
    })
  })
}

function run(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [RUN, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr })
    })
  })
}

describe('an option before which -- is missing', () => {
  it.each([
    [['deploy', '--dry-run'], '--dry-run'],
    [['deploy', '--env=staging'], '--env'],
    [['erase', '--dry-run', '--', '--email', 'a@example.com', '--url', NOBODY], '--dry-run'],
    [['provision', '--status'], '--status'],
  ])('is named, and nothing is done: npm run %j', async (args, option) => {
    const { code, output } = await npm(...args)
    expect(code).toBe(2)
    expect(output).toContain(`npm has taken ${option} for itself, and nothing was done.`)
    expect(output).toContain(`npm run ${args[0]} -- ${option} …`)
  })

  it('is none that npm has from elsewhere, for itself', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'npmrc-'))
    const file = path.join(directory, 'npmrc')
    writeFileSync(file, '; of a registry\n email = me@example.com\n')
    const env = { npm_config_userconfig: file, NPM_CONFIG_KEY: 'of a registry' }
    try {
      const erase = ['--visitor', 'V', '--url', NOBODY, '--admin-token', ADMIN_TOKEN]
      const { output } = await npmWith(env, 'erase', '--', ...erase)
      expect(output).toContain('Nothing is certain to be erased')
      const half = await npmWith(env, 'erase', '--dry-run', '--', ...erase)
      expect([half.code, half.output]).toEqual([
        2,
        expect.stringContaining('npm has taken --dry-run for itself, and nothing was done.'),
      ])
      const verify = await npmWith(env, 'verify', '--', '--url', NOBODY)
      expect(verify.output).not.toContain('npm has taken')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('is none that stands behind it', async () => {
    const { code, output } = await npm('tail', '--', '--file', 'no/such/none.json')
    expect([code, output]).toEqual([2, expect.stringContaining('is not there')])
  })
})

describe('the commands', () => {
  it.each(['start'])('%s explains itself with --help', async (name) => {
    const { code, output } = await run(name, '--help')
    expect(code).toBe(0)
    expect(output).toMatch(/^Usage: npm (start|run)/)
  })

  it.each(['start', 'local-adobe', 'provision', 'deploy'])(
    '%s ends with 2 on an option that it does not know, and says so last, below its usage',
    async (name) => {
      const { code, output } = await run(name, '--no-such-option')
      expect(code).toBe(2)
      expect(output).toMatch(/^Usage: /)
      expect(output.trimEnd().split('\n').at(-1)).toContain('--no-such-option')
    },
  )
})
