/** `npm run deploy`, end to end: the real wrangler against a local Cloudflare API, and what arrived there. */
import { spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { parseConfig } from '../../src/worker/config/config.ts'
import {
  deployTest,
  ENDPOINT,
  FLOW_ID,
  filesBelow,
  GOOD,
  NAME,
  ROOT,
  secretsFiles,
} from './local-cloudflare/deploy-test.ts'

const RUN = path.join(ROOT, 'src/cli/run.mjs')
const test = deployTest()

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

  it('shows a secret that was stored although the deploy failed afterwards', async () => {
    test.cloudflare.fail(/^GET .*\/workers\/workers\//, 403)
    expect(await test.deploy(GOOD)).toBe(1)
    const key = test.cloudflare.worker(NAME)?.secrets.get('WEBHOOK_KEYS') ?? 'none was stored'
    expect(test.printed()).toContain(`?key=${key}`)
    expect(secretsFiles(test.directory)).toEqual([])
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

  it('shows no secret when nothing was stored', async () => {
    for (let time = 0; time < 5; time += 1) test.cloudflare.fail(/^PUT .*\/scripts\//, 403)
    expect(await test.deploy(GOOD)).toBe(1)
    expect(test.printed()).not.toContain('?key=')
    expect(secretsFiles(test.directory)).toEqual([])
  })
})

describe('a deploy of a Worker that is there', () => {
  it('says with --dry-run what would change, and changes nothing', async () => {
    const key = 'key-that-is-already-there'
    const worker = test.cloudflare.put(NAME, {
      bindings: [
        { name: 'AEP_ENDPOINT', type: 'plain_text', text: ENDPOINT },
        { name: 'AEP_FLOW_ID', type: 'plain_text', text: FLOW_ID },
        { name: 'RETENTION_DAYS', type: 'plain_text', text: '10' },
        { name: 'WEBHOOK_KEYS', type: 'secret_text', text: key },
      ],
    })
    expect(
      await test.deploy(GOOD.replace(FLOW_ID, 'another-flow'), '--dry-run'),
      test.printed(),
    ).toBe(0)
    expect(test.printed()).toContain('= AEP_ENDPOINT stays')
    expect(test.printed()).toContain(`~ AEP_FLOW_ID = another-flow (was ${FLOW_ID})`)
    expect(test.printed()).toContain('- RETENTION_DAYS goes')
    expect(test.printed()).toContain('= WEBHOOK_KEYS stays')
    expect(test.printed()).toContain('+ ADMIN_TOKEN will be made')
    expect(worker.deploys).toBe(1)
    expect(worker.secretNames()).toEqual(['WEBHOOK_KEYS'])

    test.forgetPrinted()
    expect(await test.deploy(GOOD), test.printed()).toBe(0)
    expect(worker.deploys).toBe(2)
    expect(worker.secrets.get('WEBHOOK_KEYS')).toBe(key)
    expect(worker.secretNames()).toEqual(['ADMIN_TOKEN', 'WEBHOOK_KEYS'])
    expect(test.printed()).not.toContain(key)
    expect(test.printed()).toContain('YOUR_KEY is the key that Cloudflare already has')
  })
})

describe('--env', () => {
  it('deploys the named environment, with secrets of its own', async () => {
    expect(await test.deploy('', '--env', 'staging'), test.printed()).toBe(0)
    expect(test.cloudflare.worker(NAME)).toBeUndefined()
    expect(test.cloudflare.worker(`${NAME}-staging`)?.secretNames()).toEqual([
      'ADMIN_TOKEN',
      'WEBHOOK_KEYS',
    ])
    expect(test.printed()).toContain(
      `https://${NAME}-staging.local.workers.dev/chatlio/feedback?key=`,
    )
  })

  it('ends with 2 for an environment that is not there', async () => {
    expect(await test.deploy(GOOD, '--env', 'nowhere')).toBe(2)
    expect(test.printed()).toContain('nowhere')
  })
})
