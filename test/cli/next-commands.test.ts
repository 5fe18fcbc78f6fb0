/**
 * What a command tells a person to run works as it is printed. A set-up of a named environment, with a configuration and
 * a file of variables of its own: each command that is printed on the way is run, and each that this one prints.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { ROOT } from '../../src/cli/lib/wrangler.ts'
import { type LocalAdobeServer, startLocalAdobe } from '../../src/local-adobe/server.ts'
import {
  ACCOUNT_ID,
  API_TOKEN,
  type LocalCloudflare,
  startLocalCloudflare,
} from './local-cloudflare/server.ts'
import { wranglerStandIn } from './local-cloudflare/wrangler.ts'
import { TOML } from './provision-support.ts'
import { ADMIN_TOKEN, closeServers, serverThat } from './relay-test.ts'

const KEYS = 'shop:key-of-the-shop-in-this-run'

let adobe: LocalAdobeServer
let cloudflare: LocalCloudflare
let relay: string
let directory: string
let output: string[]

beforeAll(async () => {
  adobe = await startLocalAdobe({ flowEnableMs: 0 })
  cloudflare = await startLocalCloudflare()
  relay = await serverThat((request, response) => {
    const isKnown =
      request.url?.includes('key=') || request.headers.authorization === `Bearer ${ADMIN_TOKEN}`
    const [status, body] =
      request.url === '/health'
        ? [200, { status: 'degraded', reasons: ['configuration'] }]
        : isKnown
          ? [200, { ...LEDGER, status: 'buffered', id: 'a'.repeat(32) }]
          : [401, { code: 'unauthorized' }]
    response.writeHead(status as number, { 'content-type': 'application/json' })
    request.resume().on('end', () => response.end(JSON.stringify(body)))
  })
})
afterAll(async () => {
  closeServers()
  await adobe.close()
  await cloudflare.close()
})

const COUNTS = { pending: 0, dead: 0, quarantined: 0, hold: null, accepted: 0 }
const ERASED = { matched: 0, erased: 0, receipts: 0, mentioned: 0, suppressedUntil: null }
const MISSING = { variable: 'ADMIN_TOKEN', expected: 'a value' }
/** What any of its routes answers; an event is dead at once, so nobody waits for it. */
const LEDGER = { ...COUNTS, ...ERASED, state: 'dead', problems: [MISSING], keys: [] }

beforeEach(() => {
  // With a blank, as on many a disk.
  directory = mkdtempSync(path.join(tmpdir(), 'next commands-'))
  const main = JSON.stringify(path.join(ROOT, 'src/worker/index.ts'))
  writeFileSync(path.join(directory, 'relay.toml'), TOML.replace(/^main = .*$/m, `main = ${main}`))
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
    WEBHOOK_KEYS: '',
    ADMIN_TOKEN: '',
  }
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true, force: true })
})

it('each command that is printed is taken, for the same environment, file and variables', async () => {
  const config = path.join(directory, 'relay.toml')
  const file = path.join(directory, 'my.env')
  const { clientId, clientSecret, orgId } = adobe.adobe.settings
  const variables = {
    AEP_CLIENT_ID: clientId,
    AEP_CLIENT_SECRET: clientSecret,
    AEP_ORG_ID: orgId,
    AEP_IMS_URL: adobe.url,
    AEP_PLATFORM_URL: adobe.url,
    ADMIN_TOKEN,
  }
  const assigned = (values: object) =>
    Object.entries(values).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(file, assigned(variables).join(''))
  const here = ['--env', 'staging', '--config', config, '--env-file', file]

  await run('provision', ['--yes', ...here])
  await run('provision', ['--status', '--format', 'xdm', ...here])
  await run('deploy', ['--show-urls', '--url', relay, ...here])
  await run('deploy', ['--url', relay, ...here])
  // What it says to have at hand.
  writeFileSync(file, assigned({ ...variables, WEBHOOK_KEYS: KEYS }).join(''))
  await run('deploy', ['--url', relay, ...here])
  await run('send', ['feedback', '--url', relay, ...here])

  const tried: string[] = []
  for (let line = next(tried); line !== undefined; line = next(tried)) {
    tried.push(line)
    const [, kind = '', name = '', rest = ''] = /^(npm run|npx) ([\w-]+)(.*)$/.exec(line) ?? []
    const args = wordsOf(rest).filter((word) => word !== '--')
    const code = kind === 'npx' ? await wrangler(args) : await run(name, args)
    expect([line, code], output.join('\n')).toEqual([line, ENDS_WITH[name] ?? 0])
    expect(line).toContain('--env staging')
    expect(line).toContain(config)
  }

  expect(output.join('\n').split('\n').filter(isTooLong)).toEqual([])
  const names = new Set(tried.map((line) => wordsOf(line).slice(0, 3).join(' ')))
  expect([...names].sort()).toEqual([
    'npm run deploy',
    'npm run erase',
    'npm run provision',
    'npm run verify',
    'npx wrangler secret',
  ])
  expect(tried.filter((line) => line.endsWith('--new-key shop')).length).toBeGreaterThan(0)
  expect(tried.some((line) => line.includes('secret put ADMIN_TOKEN'))).toBe(true)
}, 900_000)

/** The next one that has been printed and not tried. */
function next(tried: readonly string[]): string | undefined {
  return printed().find((line) => !tried.includes(line))
}

/** This relay is not well. */
const ENDS_WITH: Readonly<Record<string, number>> = { verify: 1 }

const LONG_WORD = 24

/** For 80 columns, and not for an address, an id or a command, which are copied whole. */
function isTooLong(line: string): boolean {
  const words = line.match(/`[^`]*`|npm run .*|\S+/g) ?? []
  return line.length > 80 && words.every((word) => word.length < LONG_WORD)
}

/** In backticks, or on a line of its own. */
function printed(): string[] {
  const text = output.join('\n')
  const quoted = text.matchAll(/`((?:npm run|npx wrangler) [^`]+)`/g)
  const alone = text.matchAll(/^(?:Next: | +)(npm run .+)$/gm)
  return [...quoted, ...alone].map(([, line = '']) => line)
}

async function run(name: string, given: readonly string[]): Promise<number> {
  const { main } = await import(`../../src/cli/${name}/main.ts`)
  // Where the stand-in for wrangler says that it is: nothing of this may leave the machine.
  const args = given.map((arg) => (arg.endsWith('.local.workers.dev') ? relay : arg))
  return name === 'deploy'
    ? await main([...args, '--allow-loopback'], { wrangler: wranglerStandIn })
    : await main(args)
}

/** Of a line as a shell reads it. */
function wordsOf(line: string): string[] {
  return (line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []).map((word) =>
    word.startsWith('"') ? JSON.parse(word) : word,
  )
}

/** Answers what it asks for. */
function wrangler(args: readonly string[]): Promise<number> {
  const bin = createRequire(import.meta.url).resolve('wrangler')
  const child = spawn(process.execPath, ['--no-warnings', bin, ...args], { cwd: ROOT })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => output.push(String(text)))
  }
  child.stdin.end('https://hooks.example.com/alerts')
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)))
}
