/** `npm run deploy`, end to end: what it says, and what arrives at a local Cloudflare API. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { main } from '../../src/cli/deploy/main.ts'
import { keyNames, missingSecrets } from '../../src/cli/deploy/secrets.ts'
import type { Target } from '../../src/cli/deploy/settings.ts'
import type { RunWrangler } from '../../src/cli/lib/wrangler.ts'
import { parseConfig } from '../../src/worker/config/config.ts'
import {
  deployTest,
  ENDPOINT,
  FLOW_ID,
  GOOD,
  NAME,
  secretsFiles,
} from './local-cloudflare/deploy-test.ts'
import { wranglerStandIn } from './local-cloudflare/wrangler.ts'
import { ADMIN_TOKEN, closeServers, NOBODY, serverThat } from './relay-test.ts'

const test = deployTest()
beforeEach(() => {
  for (const name of ['WEBHOOK_KEYS', 'ADMIN_TOKEN', 'AEP_CLIENT_ID', 'AEP_CLIENT_SECRET']) {
    vi.stubEnv(name, '')
  }
})
afterEach(closeServers)

describe('the first deploy', () => {
  it('takes the keys of several widgets, and the token, out of the environment', async () => {
    const keys = 'shop:key-of-the-shop-0123456789,help:key-of-the-help-0123456789'
    vi.stubEnv('WEBHOOK_KEYS', keys)
    vi.stubEnv('ADMIN_TOKEN', 'token-of-the-operator-01234')
    expect(await test.deploy(GOOD), test.printed()).toBe(0)
    const worker = test.cloudflare.worker(NAME)
    expect(Object.fromEntries(worker?.secrets ?? [])).toEqual({
      WEBHOOK_KEYS: keys,
      ADMIN_TOKEN: 'token-of-the-operator-01234',
    })
    expect(test.printed()).toContain('+ WEBHOOK_KEYS from the environment')
    expect(test.printed()).toContain('+ ADMIN_TOKEN from the environment')
    const base = `https://${NAME}.local.workers.dev/chatlio`
    for (const widget of ['shop', 'help']) {
      expect(test.printed()).toContain(`The widget ${widget}:`)
      expect(test.printed()).toContain(`${base}/unanswered?key=key-of-the-${widget}-0123456789\n`)
    }
    expect(test.printed()).not.toContain('token-of-the-operator-01234')
    expect(test.printed()).not.toContain('stored nowhere else')
  })

  it.each([
    ['WEBHOOK_KEYS', 'shop:key-of-the-shop-0123456789,help:short'],
    ['ADMIN_TOKEN', 'short'],
  ])('refuses a %s of the environment that the relay would not take', async (name, value) => {
    vi.stubEnv(name, value)
    expect(await test.deploy(GOOD)).toBe(2)
    expect(test.printed()).toContain(`  ${name} is a secret that Cloudflare would get from the`)
    expect(test.printed()).not.toContain('short,')
    expect(test.printed()).not.toContain(value)
    expect(test.printed()).not.toContain('Settings are in')
    expect(test.cloudflare.worker(NAME)).toBeUndefined()
  })

  it('shows a secret that was stored although the deploy failed afterwards', async () => {
    test.cloudflare.fail(/^GET .*\/workers\/workers\//, 403)
    expect(await test.deploy(GOOD)).toBe(1)
    const key = test.cloudflare.worker(NAME)?.secrets.get('WEBHOOK_KEYS') ?? 'none was stored'
    expect(test.printed()).toContain(`?key=${key}`)
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

describe('a key that is lost', () => {
  it('is shown again where it is at hand, and nothing is deployed', async () => {
    vi.stubEnv('WEBHOOK_KEYS', 'shop:key-that-is-already-there,blog:another-key-that-is-there')
    expect(await test.deploy(`${GOOD}\nPUBLIC_URL = "https://chat.acme.io"`, '--show-urls')).toBe(0)
    for (const key of ['key-that-is-already-there', 'another-key-that-is-there']) {
      expect(test.printed()).toContain(`https://chat.acme.io/chatlio/feedback?key=${key}`)
    }
    expect(test.printed()).toContain('The widget shop:')
    expect(test.cloudflare.requests).toEqual([])
    vi.stubEnv('WEBHOOK_KEYS', '')
    expect(await test.deploy(GOOD, '--show-urls')).toBe(2)
    expect(test.printed()).toContain('Missing: WEBHOOK_KEYS')
  })

  it('is replaced in one step, not without being asked; a known one works beside it', async () => {
    const old = 'key-that-is-already-there'
    const worker = withKeys(old)
    vi.stubEnv('WEBHOOK_KEYS', '')
    expect(await test.deploy(GOOD, '--new-key'), test.printed()).toBe(4)
    expect([worker.deploys, worker.secrets.get('WEBHOOK_KEYS')]).toEqual([1, old])

    const url = await relayWith([keyOf(old, null)])
    vi.stubEnv('ADMIN_TOKEN', ADMIN_TOKEN)
    vi.stubEnv('WEBHOOK_KEYS', `shop:${old}`)
    expect(await test.deploy(GOOD, '--new-key', '--url', url), test.printed()).toBe(0)
    const { webhookKeys } = parseConfig({ WEBHOOK_KEYS: worker.secrets.get('WEBHOOK_KEYS') })
    expect(webhookKeys.map(({ name }) => name)).toEqual(['shop', 'shop'])
    expect(webhookKeys[1]?.key).toBe(old)
    expect(test.printed()).toContain(`?key=${webhookKeys[0]?.key}`)
    // The old one stands in Chatlio already.
    expect(test.printed()).not.toContain(`?key=${old}`)
    expect(test.printed().replaceAll(/\s+/g, ' ')).toContain(
      'Add the new one to them in the variable WEBHOOK_KEYS, with its name: whatever replaces the secret next keeps only the keys that it is given',
    )
  })

  it('of several widgets is made for the one that is named', () => {
    const environment = {
      WEBHOOK_KEYS: 'shop:key-of-the-shop-of-today,help:key-of-the-help-of-today',
    }
    const deployed = { exists: true, secrets: new Set(['WEBHOOK_KEYS', 'ADMIN_TOKEN']), vars: null }
    const target = { vars: {} } as Target
    const wanted = { target, deployed, environment }
    expect(keyNames([null], environment)).toEqual({ wrong: expect.stringContaining('shop,help') })
    expect(keyNames([null], {})).toEqual([null])
    expect(keyNames(['blog'], environment)).toEqual(['blog'])
    const { WEBHOOK_KEYS = '' } = missingSecrets({ ...wanted, newKeys: ['blog'] })
    expect(WEBHOOK_KEYS).toMatch(new RegExp(`^blog:[0-9a-f]{48},${environment.WEBHOOK_KEYS}$`))
    // Also where there is none yet.
    const first = missingSecrets({
      target,
      deployed: { exists: false, secrets: new Set(), vars: new Map() },
      environment: {},
      newKeys: ['a', 'b'],
    })
    expect(first.WEBHOOK_KEYS).toMatch(/^a:[0-9a-f]{48},b:[0-9a-f]{48}$/)
  })
})

/** Of the relay that runs. */
const relayWith = (keys: readonly object[]) =>
  serverThat((request, response) => {
    const isOperator = request.headers.authorization === `Bearer ${ADMIN_TOKEN}`
    const body = isOperator ? { accepted: 0, keys } : { code: 'unauthorized' }
    response.writeHead(isOperator ? 200 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  })

/** As `GET /admin/status` has it. */
const keyOf = (key: string, name: string | null, lastUsedAt: string | null = null) => {
  const hash = createHash('sha256').update(key).digest('hex')
  return { fingerprint: hash.slice(0, 6), name, lastUsedAt }
}

const withKeys = (text: string) =>
  test.cloudflare.put(NAME, { bindings: [{ name: 'WEBHOOK_KEYS', type: 'secret_text', text }] })

describe('a list of keys that lacks one in use', () => {
  const [SHOP, HELP] = ['key-of-the-shop-0123456789', 'key-of-the-help-0123456789']
  const ALL = `shop:${SHOP},help:${HELP}`
  const AT = '2026-11-24T10:00:00.000Z'
  const RUNNING = [keyOf(SHOP, 'shop', AT), keyOf(HELP, 'help')]
  const words = () => test.printed().replaceAll(/\s+/g, ' ')
  beforeEach(() => {
    vi.stubEnv('ADMIN_TOKEN', ADMIN_TOKEN)
  })

  it('is taken with --yes alone; the key is named by its fingerprint', async () => {
    const worker = withKeys(ALL)
    const args = ['--new-key', 'blog', '--url', await relayWith(RUNNING)]
    vi.stubEnv('WEBHOOK_KEYS', `help:${HELP}`)
    expect(await test.deploy(GOOD, ...args), test.printed()).toBe(4)
    expect([worker.deploys, worker.secrets.get('WEBHOOK_KEYS')]).toEqual([1, ALL])
    const lost = `${keyOf(SHOP, null).fingerprint} (shop, last used ${AT})`
    expect(words()).toContain(`lacks keys that work now: ${lost}. Webhooks with them are refused`)
    for (const key of [SHOP, HELP]) expect(test.printed()).not.toContain(key)

    expect(await test.deploy(GOOD, ...args, '--yes'), test.printed()).toBe(0)
    expect(worker.secrets.get('WEBHOOK_KEYS')).toMatch(
      new RegExp(`^blog:[0-9a-f]{48},help:${HELP}$`),
    )
  })

  it('is named by a dry run too, and one that has all goes through unasked', async () => {
    const worker = withKeys(ALL)
    const args = ['--new-key', 'blog', '--url', await relayWith(RUNNING)]
    vi.stubEnv('WEBHOOK_KEYS', `help:${HELP}`)
    expect(await test.deploy(GOOD, ...args, '--dry-run'), test.printed()).toBe(0)
    expect(words()).toContain('lacks keys that work now')
    expect(worker.deploys).toBe(1)
    test.forgetPrinted()
    vi.stubEnv('WEBHOOK_KEYS', `${ALL};another-key-of-this-test`)
    expect(await test.deploy(GOOD, ...args), test.printed()).toBe(0)
    expect(words()).not.toContain('WEBHOOK_KEYS lacks')
    expect(worker.deploys).toBe(2)
  })

  it('is not taken either where a key would lose its name', async () => {
    const worker = withKeys(ALL)
    const url = await relayWith(RUNNING)
    vi.stubEnv('WEBHOOK_KEYS', `shop:${SHOP},${HELP}`)
    expect(await test.deploy(GOOD, '--new-key', 'shop', '--url', url), test.printed()).toBe(4)
    expect(words()).toContain(`another name, or none, and so has the source of their events: `)
    expect(words()).toContain(`: ${keyOf(HELP, null).fingerprint} (help, not used yet). With every`)
    expect(worker.deploys).toBe(1)
  })

  it.each([
    ['no address', {}, 2, 'without --url'],
    ['no token', { url: NOBODY, ADMIN_TOKEN: '' }, 2, 'without ADMIN_TOKEN'],
    ['another token', { keys: [], ADMIN_TOKEN: 'another-token-of-this-test' }, 4, 'is wrong'],
    ['a relay that does not answer', { url: NOBODY }, 4, 'No connection'],
    ['a relay that does not name its keys', { keys: undefined }, 4, 'without its keys'],
  ])('may be one where the relay cannot be asked: %s', async (_, given, code, why) => {
    const worker = withKeys(ALL)
    const { url = 'keys' in given ? await relayWith(given.keys as never) : undefined, ...more } =
      given as { url?: string; keys?: object[]; ADMIN_TOKEN?: string }
    if (more.ADMIN_TOKEN !== undefined) vi.stubEnv('ADMIN_TOKEN', more.ADMIN_TOKEN)
    vi.stubEnv('WEBHOOK_KEYS', ALL)
    const args = ['--new-key', 'blog', ...(url ? ['--url', url] : [])]
    expect(await test.deploy(GOOD, ...args), test.printed()).toBe(code)
    expect(words()).toContain('has every key that is in use is not known: ')
    expect(words()).toContain(why)
    expect(worker.deploys).toBe(1)
    expect(await test.deploy(GOOD, ...args, '--yes'), test.printed()).toBe(0)
    expect(worker.deploys).toBe(2)
  })
})

describe('a credential that takes the place of another', () => {
  const OLD = [
    { name: 'AEP_CLIENT_ID', type: 'plain_text', text: 'client-one' },
    { name: 'AEP_READ_CLIENT_ID', type: 'plain_text', text: 'reader-one' },
    { name: 'AEP_CLIENT_SECRET', type: 'secret_text', text: 'secret-of-client-one' },
    { name: 'AEP_READ_CLIENT_SECRET', type: 'secret_text', text: 'secret-of-reader-one' },
  ]
  const vars = (client: string, reader: string) =>
    `${GOOD}\nAEP_CLIENT_ID = "${client}"\nAEP_READ_CLIENT_ID = "${reader}"`
  const secretsOf = () => {
    const { secrets } = test.cloudflare.worker(NAME) ?? {}
    return [secrets?.get('AEP_CLIENT_SECRET'), secrets?.get('AEP_READ_CLIENT_SECRET')]
  }

  it.each([
    ['AEP_CLIENT', vars('client-two', 'reader-one'), ['secret-two', 'secret-of-reader-one']],
    ['AEP_READ_CLIENT', vars('client-one', 'reader-two'), ['secret-of-client-one', 'secret-two']],
  ])('brings its secret along, and is not deployed without: %s', async (name, config, after) => {
    const worker = test.cloudflare.put(NAME, { bindings: OLD })
    expect(await test.deploy(config), test.printed()).toBe(2)
    expect(test.printed().replaceAll(/\s+/g, ' ')).toContain(
      `${name}_SECRET is a secret that Cloudflare has for another ${name}_ID: have it in the`,
    )
    expect(test.printed()).not.toContain('Settings are in')
    expect(worker.deploys).toBe(1)

    test.forgetPrinted()
    vi.stubEnv(`${name}_SECRET`, 'secret-two')
    expect(await test.deploy(config), test.printed()).toBe(0)
    expect(secretsOf()).toEqual(after)
    expect(test.printed()).toContain(
      `~ ${name}_SECRET from the environment or --env-file, in place of the one`,
    )
    expect(test.printed()).not.toContain('secret-two')
  })

  it('is not given the secret of a third one, which has its own id beside it', async () => {
    vi.stubEnv('AEP_CLIENT_ID', 'client-of-the-operator')
    vi.stubEnv('AEP_CLIENT_SECRET', 'secret-of-the-operator')
    for (const bindings of [OLD, []]) {
      test.cloudflare.put(NAME, { bindings })
      test.forgetPrinted()
      expect(await test.deploy(`${GOOD}\nAEP_CLIENT_ID = "client-two"`), test.printed()).toBe(2)
      expect(test.printed().replaceAll(/\s+/g, ' ')).toContain(
        'the one that is there goes with another AEP_CLIENT_ID',
      )
    }
  })

  it('is none where the id stays: its secret stays too, whatever the environment has', async () => {
    test.cloudflare.put(NAME, { bindings: OLD })
    vi.stubEnv('AEP_CLIENT_SECRET', 'secret-two')
    expect(await test.deploy(vars(' client-one ', 'reader-one')), test.printed()).toBe(0)
    expect(secretsOf()).toEqual(['secret-of-client-one', 'secret-of-reader-one'])
  })
})

describe('variables that Cloudflare does not give out', () => {
  it.each([
    ['deployments status', 'A request to the Cloudflare API failed. [code: 10013]', 1, 1],
    ['versions view', 'fetch failed', 1, 1],
    ['deployments status', `The Worker ${NAME} has no deployments.`, 0, 2],
  ])(
    'end it before it changes anything: `wrangler %s`, %s',
    async (command, said, code, deploys) => {
      const worker = test.cloudflare.put(NAME, { bindings: [] })
      const wrangler: RunWrangler = async (args, options) =>
        args.join(' ').startsWith(command)
          ? { code: 1, stdout: '', stderr: `✘ [ERROR] ${said}` }
          : wranglerStandIn(args, options)
      expect(await main(['--config', test.config(GOOD)], { wrangler }), test.printed()).toBe(code)
      expect(test.printed().includes(said)).toBe(code === 1)
      expect(worker.deploys).toBe(deploys)
    },
  )
})

describe('Ctrl-C', () => {
  it.each(['secret list', 'deployments status', 'versions view', 'deploy --dry-run'])(
    'during `wrangler %s` ends it, and nothing is deployed',
    async (command) => {
      const worker = test.cloudflare.put(NAME, { bindings: [] })
      const wrangler: RunWrangler = async (args, options) => {
        const isIt = args.join(' ').startsWith(command)
        if (isIt) process.listeners('SIGINT').at(-1)?.('SIGINT')
        // As a process that is ended by it.
        return isIt ? { code: 1, stdout: '', stderr: '' } : wranglerStandIn(args, options)
      }
      const more = command.endsWith('--dry-run') ? ['--dry-run'] : []
      expect(await main(['--config', test.config(GOOD), ...more], { wrangler })).toBe(130)
      expect(test.printed()).toContain('Interrupted. Nothing was changed.')
      expect(worker.deploys).toBe(1)
    },
  )

  it('while the relay is asked does not wait for its answer', async () => {
    const worker = withKeys('key-that-is-already-there')
    vi.stubEnv('WEBHOOK_KEYS', 'key-that-is-already-there')
    vi.stubEnv('ADMIN_TOKEN', ADMIN_TOKEN)
    const url = await serverThat(() => process.listeners('SIGINT').at(-1)?.('SIGINT'))
    expect(await test.deploy(GOOD, '--new-key', '--url', url)).toBe(130)
    expect(test.printed()).toContain('Interrupted. Nothing was changed.')
    expect(worker.deploys).toBe(1)
  })
})

describe('--env-file', () => {
  it('gives access to Cloudflare, as the environment would', async () => {
    const file = path.join(test.directory, 'my.env')
    const names = ['CLOUDFLARE_API_BASE_URL', 'CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_ACCOUNT_ID']
    writeFileSync(file, names.map((name) => `${name}=${process.env[name]}\r\n`).join(''))
    for (const name of names) vi.stubEnv(name, '')
    expect(await test.deploy(GOOD, '--env-file', file), test.printed()).toBe(0)
    expect(test.cloudflare.worker(NAME)?.deploys).toBe(1)
  })
})

describe('an outbox that would be another one', () => {
  /** How many deploys there had been, and what was asked for. */
  const copiedAt: unknown[] = []
  const MOVED = `${GOOD}\nOUTBOX_JURISDICTION = "eu"`
  const worker = () => test.cloudflare.put(NAME, { bindings: [] })
  type Copied = { status: number; body: unknown }
  const relay = (
    pending: number,
    copies: Copied = { status: 200, body: { copied: 2, error: null } },
  ) => {
    copiedAt.length = 0
    const own = worker()
    const server = createServer((request, response) => {
      const isCopy = request.url === '/admin/suppressions/copy'
      if (isCopy) {
        request.setEncoding('utf8').on('data', (body: string) => {
          copiedAt.push([own.deploys, JSON.parse(body)])
        })
      }
      const status = { accepted: 5, pending, dead: 0, quarantined: 0 }
      response.writeHead(isCopy ? copies.status : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(isCopy ? copies.body : status))
    })
    return new Promise<{ url: string; close(): void }>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number }
        resolve({ url: `http://127.0.0.1:${port}`, close: () => server.close() })
      })
    })
  }

  it.each([
    [3, 4, /holds 3 pending/],
    [0, 0, /Deployed/],
  ])('waits for the first one, which holds %i events: %i', async (pending, code, said) => {
    vi.stubEnv('ADMIN_TOKEN', 'admin-token-of-this-test')
    const { url, close } = await relay(pending)
    expect(await test.deploy(MOVED, '--url', url), test.printed()).toBe(code)
    close()
    expect(test.printed().replaceAll(/\s+/g, ' ')).toMatch(said)
  })

  it('knows who is suppressed before it is there, and of those of the moment after', async () => {
    vi.stubEnv('ADMIN_TOKEN', 'admin-token-of-this-test')
    const { url, close } = await relay(0)
    expect(await test.deploy(MOVED, '--url', url), test.printed()).toBe(0)
    close()
    const [before, after] = copiedAt as [number, unknown][]
    expect([before, after]).toEqual([
      [expect.any(Number), { from: null, to: 'eu' }],
      [Number(before?.[0]) + 1, { from: null, to: 'eu' }],
    ])
    expect(copiedAt).toHaveLength(2)
    expect(test.printed()).toContain('2 suppressions came along')
  })

  it('is the first one where only secrets have been stored so far', async () => {
    worker()
    const wrangler: RunWrangler = async (args, options) =>
      args.join(' ').startsWith('deployments status')
        ? { code: 1, stdout: '', stderr: `✘ [ERROR] The Worker ${NAME} has no deployments.` }
        : wranglerStandIn(args, options)
    expect(await main(['--config', test.config(MOVED)], { wrangler }), test.printed()).toBe(0)
    expect(test.printed()).toContain('is not there yet: will be made')
  })

  it('is not touched by a dry run', async () => {
    vi.stubEnv('ADMIN_TOKEN', 'admin-token-of-this-test')
    const { url, close } = await relay(0)
    expect(await test.deploy(MOVED, '--url', url, '--dry-run'), test.printed()).toBe(0)
    close()
    expect(copiedAt).toEqual([])
  })

  it.each([
    [
      'the version that runs cannot',
      { status: 404, body: { code: 'not-found' } },
      'first with the',
    ],
    [
      'the other has things of its own',
      { status: 200, body: { copied: 0, error: 'Own.' } },
      'Own.',
    ],
    ['the relay fails', { status: 500, body: { code: 'unavailable' } }, 'did not bring'],
  ])('is not made where they do not come along: %s', async (_, copies, said) => {
    vi.stubEnv('ADMIN_TOKEN', 'admin-token-of-this-test')
    const { url, close } = await relay(0, copies)
    const { deploys } = worker()
    expect(await test.deploy(MOVED, '--url', url), test.printed()).toBe(4)
    close()
    expect(test.printed().replaceAll(/\s+/g, ' ')).toContain(said)
    expect(copiedAt).toHaveLength(1)
    expect(worker().deploys).toBe(deploys)
  })

  it('is not made when the first one cannot be asked', async () => {
    test.cloudflare.put(NAME, { bindings: [] })
    vi.stubEnv('ADMIN_TOKEN', '')
    expect(await test.deploy(MOVED)).toBe(2)
    expect(test.printed()).toContain('ADMIN_TOKEN')
  })
})

describe('what others have written', () => {
  it('cannot move the terminal, nor show a secret', async () => {
    const value = '\\u001b[8mhidden'
    expect(await test.deploy(`${GOOD}\nSOMETHING = "${value}"`, '--dry-run'), test.printed()).toBe(
      0,
    )
    expect(test.printed()).toContain('\\x1b[8mhidden')
    expect(test.printed()).not.toContain('\u001b[8m')
  })
})
