/**
 * `npm run deploy` with the real wrangler, against a local Cloudflare API: where wrangler's own work matters, its words, its
 * files and how it ends. The other tests of deploy have a stand-in for it, which is held to the real one here.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { type CloudflareFailure, failureOf, readDeployed } from '../../src/cli/deploy/deployed.ts'
import { main } from '../../src/cli/deploy/main.ts'
import { ROOT, type RunWrangler, runWrangler } from '../../src/cli/lib/wrangler.ts'
import { parseConfig } from '../../src/worker/config/config.ts'
import {
  deployTest,
  ENDPOINT,
  FLOW_ID,
  filesBelow,
  GOOD,
  NAME,
  secretsFiles,
} from './local-cloudflare/deploy-test.ts'
import { API_TOKEN } from './local-cloudflare/server.ts'
import { wranglerStandIn } from './local-cloudflare/wrangler.ts'

const RUN = path.join(ROOT, 'src/cli/run.mjs')
const test = deployTest(runWrangler)

/** As the next deploy would find it: what the two see, ask and leave behind. */
async function history(wrangler: RunWrangler) {
  const { cloudflare, directory } = test
  cloudflare.reset()
  const config = path.join(directory, 'small.toml')
  const output = path.join(directory, 'output.ndjson')
  const secretsFile = path.join(directory, 'secrets.json')
  writeFileSync(path.join(directory, 'small.js'), SMALL)
  writeFileSync(secretsFile, JSON.stringify({ WEBHOOK_KEYS: 'key', ADMIN_TOKEN: 'token' }))
  const configure = (staging: string) => {
    const outbox = 'durable_objects.bindings = [{ name = "OUTBOX", class_name = "Outbox" }]'
    const top = [
      `name = "${NAME}"`,
      'main = "small.js"',
      'compatibility_date = "2026-10-30"',
      outbox,
    ]
    const exported = 'exports.Outbox = { type = "durable-object", storage = "sqlite" }'
    const vars = ['[vars]', 'ONE = "1"', '[env.staging]', outbox, '[env.staging.vars]', staging]
    writeFileSync(config, [...top, exported, ...vars].join('\n'))
  }
  const at = (env: string) => ['--config', config, '--env', env]
  const read = (env: string) =>
    readDeployed(at(env), { wrangler, signal: new AbortController().signal })
  const deploy = async (env: string, ...more: string[]) => {
    rmSync(output, { force: true })
    const labels = ['--tag', 'v1', '--message', '0123456789ab']
    const options = { env: { WRANGLER_OUTPUT_FILE_PATH: output } }
    const result = await wrangler(['deploy', ...labels, ...at(env), ...more], options)
    return result.code === 0 ? targetsIn(output) : failureOf(result)
  }
  const steps: Record<string, unknown> = {}
  const step = async (name: string, does: () => Promise<object>) => {
    const { length } = cloudflare.requests
    const result = await does()
    const asked = cloudflare.requests.slice(length).filter(({ path }) => !/verify$/.test(path))
    const workers = [NAME, `${NAME}-staging`].map((name) => {
      const worker = cloudflare.worker(name)
      return worker && [worker.runs, worker.bindings, worker.versions(), [...worker.secrets]]
    })
    steps[name] = { result: essence(result), asked, workers }
  }

  configure('ONE = "1"\nTWO = 2\nTHREE = { four = [5] }')
  await step('nothing is there', () => read('staging'))
  await step('a dry run', () => deploy('staging', '--dry-run'))
  await step('a first deploy', () => deploy('staging', '--secrets-file', secretsFile))
  await step('what it has left', () => read('staging'))
  configure('ONE = "another"')
  await step('the next deploy', () => deploy('staging'))
  cloudflare.fail(/^PUT .*\/scripts\//, 403)
  await step('an upload that is refused', () => deploy('', '--secrets-file', secretsFile))
  cloudflare.fail(/^GET .*\/workers\/workers\//, 403)
  await step('what fails after the upload', () => deploy('', '--secrets-file', secretsFile))
  vi.stubEnv('CLOUDFLARE_API_TOKEN', 'another-token')
  await step('a token that is refused', () => read(''))
  vi.stubEnv('CLOUDFLARE_API_TOKEN', '')
  await step('no token', () => read(''))
  vi.stubEnv('CLOUDFLARE_API_TOKEN', API_TOKEN)
  return steps
}

const SMALL = 'export class Outbox {}\nexport default { fetch: () => new Response() }\n'

function targetsIn(output: string): object {
  const lines = existsSync(output) ? readFileSync(output, 'utf8').trim().split('\n') : []
  const deployed = lines.map((line) => JSON.parse(line)).find(({ type }) => type === 'deploy')
  return { targets: deployed?.targets }
}

/** What wrangler says after what has failed, where it was called from and the like, is its own. */
function essence(result: object): object {
  if (!('reason' in result)) return result
  const { reason, message, ...more } = result as CloudflareFailure
  const lines = message.split('\n')
  const hint = lines.filter((line) => line.startsWith('The token is not valid'))
  return { reason, ...more, message: [...lines.slice(0, 2), ...hint] }
}

describe('the stand-in for wrangler', () => {
  it('asks, answers and leaves behind what the real one does', async () => {
    // No login of this machine's.
    vi.stubEnv('XDG_CONFIG_HOME', test.directory)
    vi.stubEnv('HOME', test.directory)
    const real = await history(runWrangler)
    expect(Object.keys(real)).toHaveLength(9)
    expect(await history(wranglerStandIn)).toEqual(real)
  })
})

describe('a deploy that must go back', () => {
  it('is listed with its tag and commit; a rollback goes to the version before, and another forward again; a delete takes all', async () => {
    const version = (commit: string) => ({
      bindings: [],
      annotations: { 'workers/tag': 'v1', 'workers/message': commit },
    })
    const worker = test.cloudflare.put(NAME, version('0123456789ab'))
    worker.deploy(worker.upload(version('ba9876543210+')))
    const config = test.config(GOOD)
    const run = async (command: string) => {
      const { code, stdout } = await runWrangler([...command.split(' '), '--config', config])
      expect([code, stdout]).toEqual([0, stdout])
      return stdout
    }
    const listed = await run('deployments list')
    expect(listed.match(/Message: +[0-9a-f]{12}\+?$/gm)).toHaveLength(2)
    await run('rollback')
    expect(worker.runs).toBe(worker.versionIds[0])
    await run('rollback')
    expect(worker.runs).toBe(worker.versionIds[1])
    await run('delete')
    expect(test.cloudflare.worker(NAME)).toBeUndefined()
  })
})

describe('the first deploy', () => {
  it('brings new secrets along, shows them once, and leaves them in no file', async () => {
    const modes: number[] = []
    test.cloudflare.watch(({ method }) => {
      if (method !== 'PUT') return
      const file = secretsFiles(test.directory).find((each) => each.endsWith('.json'))
      if (file) modes.push(statSync(file).mode & 0o777)
    })
    vi.stubEnv('AEP_CLIENT_SECRET', 'secret-of-the-client')
    expect(await test.deploy(`${GOOD}\nAEP_CLIENT_ID = "client"`), test.printed()).toBe(0)

    const worker = test.cloudflare.worker(NAME)
    const { WEBHOOK_KEYS = '', ADMIN_TOKEN = '' } = Object.fromEntries(worker?.secrets ?? [])
    expect(worker?.secretNames()).toEqual(['ADMIN_TOKEN', 'AEP_CLIENT_SECRET', 'WEBHOOK_KEYS'])
    expect(worker?.secrets.get('AEP_CLIENT_SECRET')).toBe('secret-of-the-client')
    expect(test.printed()).not.toContain('secret-of-the-client')
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
      expect(test.printed().split(`${base}/${kind}?key=${WEBHOOK_KEYS}`)).toHaveLength(2)
    }
    expect(test.printed().split(ADMIN_TOKEN)).toHaveLength(2)
    expect(test.printed()).toContain(`https://${NAME}.local.workers.dev/admin\n`)
    expect(test.printed()).toContain('Webhook when a new conversation starts')
    expect(test.printed()).toContain('send the transcript to the webhook automatically')

    expect(modes).toEqual([0o600])
    expect(secretsFiles(test.directory)).toEqual([])
    const left = filesBelow(test.directory).map((file) => readFileSync(file, 'latin1'))
    expect(
      left.filter((text) => text.includes(WEBHOOK_KEYS) || text.includes(ADMIN_TOKEN)),
    ).toEqual([])
  })

  it('leaves no file behind when it is ended in the middle', async () => {
    const config = test.config(GOOD)
    const child = spawn(process.execPath, [RUN, 'deploy', '--config', config], { stdio: 'ignore' })
    let held = 0
    test.cloudflare.watch(({ method }) => {
      if (method !== 'PUT') return
      held = secretsFiles(test.directory).filter((each) => each.endsWith('.json')).length
      child.kill('SIGTERM')
    })
    const code = await new Promise((resolve) => child.once('exit', resolve))
    expect({ code, held }).toEqual({ code: 130, held: 1 })
    expect(secretsFiles(test.directory)).toEqual([])
  })
})

describe('what wrangler warns of', () => {
  it('is shown, once, and does not hide what was asked for', async () => {
    const config = test.config(GOOD)
    await writeFile(
      config,
      `${await readFile(config, 'utf8')}\n[observability.traces]\nenabled = true\nnonsense = 1\n`,
    )
    expect(await main(['--config', config]), test.printed()).toBe(0)
    expect(test.printed().match(/Wrangler warns:[\s\S]*?nonsense/g)).toHaveLength(1)
  })
})

describe('the Deploy to Cloudflare button', () => {
  it('runs this command, which then makes no secret, prints no key and waits for AEP’s settings', async () => {
    vi.stubEnv('WORKERS_CI', '1')
    expect(await test.deploy(''), test.printed()).toBe(0)
    expect(test.cloudflare.worker(NAME)?.secretNames()).toEqual([])
    expect(test.printed()).toContain('AEP_ENDPOINT')
    expect(test.printed()).not.toContain('?key=')
  })
})
