/**
 * `npm run verify` and `npm run send` against a real Worker, which streams into the local Adobe, and against what may
 * stand at an address in the relay's place.
 */
import { readFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createPort } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type LocalWorker, startWorker } from '../../src/cli/lib/local-worker.ts'
import { main as send } from '../../src/cli/send/main.ts'
import { LOCAL_KEY, LOCAL_URL } from '../../src/cli/send/options.ts'
import { main as verify } from '../../src/cli/verify/main.ts'
import { type LocalAdobeServer, startLocalAdobe } from '../../src/local-adobe/server.ts'
import { ROUTE_KINDS } from '../../src/worker/chatlio/kind.ts'

const KEY = 'test-webhook-key-of-this-run'
const ADMIN_TOKEN = 'test-admin-token-of-this-run'
const FLOW_ID = 'flow-of-the-relay'

let aep: LocalAdobeServer
let worker: LocalWorker
let output: string[]

beforeAll(async () => {
  aep = await startLocalAdobe({ mode: 'xdm', flowId: FLOW_ID })
  const { inletId, orgId, datasetId, schemaId, tenant } = aep.adobe.settings
  worker = startWorker(await freePort(), {
    AEP_ENDPOINT: `${aep.url}/collection/${inletId}`,
    AEP_FORMAT: 'xdm',
    AEP_FLOW_ID: FLOW_ID,
    AEP_ORG_ID: orgId,
    AEP_DATASET_ID: datasetId,
    AEP_SCHEMA_ID: schemaId,
    AEP_TENANT: tenant,
    AEP_CLIENT_ID: 'local-client',
    AEP_CLIENT_SECRET: 'local-client-secret',
    AEP_IMS_URL: aep.url,
    WEBHOOK_KEYS: `another-key-of-this-test,${KEY}`,
    ADMIN_TOKEN,
    RETRY_BASE_MS: '20',
    RETRY_CAP_MS: '50',
  })
  await worker.ready(new AbortController().signal)
})
afterAll(async () => {
  await worker.stop()
  await aep.close()
})

const servers: Server[] = []
beforeEach(() => {
  output = []
  for (const method of ['log', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((text: string) => output.push(text))
  }
  for (const name of ['WEBHOOK_KEYS', 'ADMIN_TOKEN']) vi.stubEnv(name, '')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const server of servers.splice(0)) server.close()
})

/** All that was printed, as one line: words may stand anywhere on it. */
const printed = () => output.join('\n').replaceAll(/\s+/g, ' ')

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createPort().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })
}

async function serverThat(answers: RequestListener): Promise<string> {
  const server = createServer(answers)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function tryRelay(...args: string[]): Promise<number> {
  return verify(['--url', worker.url, '--key', KEY, '--admin-token', ADMIN_TOKEN, ...args])
}

/** AEP takes events again, and everything that waits has reached it. */
async function recovered(settings: Parameters<typeof aep.adobe.set>[0]): Promise<void> {
  aep.adobe.set(settings)
  aep.adobe.clearRules()
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  await vi.waitFor(
    async () => {
      expect(await send(['transcript', '--url', worker.url, '--key', KEY])).toBe(0)
      const status = await fetch(`${worker.url}/admin/status`, { headers })
      expect(await status.json()).toMatchObject({ pending: 0, hold: null })
    },
    { timeout: 20_000, interval: 100 },
  )
  output.length = 0
}

describe('verify', () => {
  it('says that all is well, having sent one event of each kind of a visitor of its own', async () => {
    const before = aep.adobe.lake.length
    expect(await tryRelay(), printed()).toBe(0)
    expect(printed()).toContain('All is well.')
    const events = aep.adobe.lake.slice(before).map(({ record }) => record)
    expect(events).toHaveLength(ROUTE_KINDS.length)
    for (const event of events) expect(JSON.stringify(event)).toContain('relay-test-')
    expect(printed()).toMatch(/npm run erase -- --email relay-test-[0-9a-f]+@example\.com/)
    expect(printed()).not.toContain(KEY)
    expect(printed()).not.toContain(ADMIN_TOKEN)
  })

  it('takes the key and the token from the environment', async () => {
    vi.stubEnv('WEBHOOK_KEYS', `${KEY},another-key-of-this-test`)
    vi.stubEnv('ADMIN_TOKEN', ADMIN_TOKEN)
    expect(await verify(['--url', worker.url]), printed()).toBe(0)
    expect(printed()).toMatch(/admin token +accepted/)
  })

  it('names a wrong key, and sends no second webhook with it', async () => {
    const before = aep.adobe.lake.length
    expect(await verify(['--url', worker.url, '--key', 'not-the-key-of-the-relay'])).toBe(1)
    expect(printed()).toMatch(/✘ key +wrong/)
    expect(aep.adobe.lake.length).toBe(before)
  })

  it('names a wrong admin token', async () => {
    expect(await tryRelay('--admin-token', 'not-the-token-of-the-relay')).toBe(1)
    expect(printed()).toMatch(/✘ admin token +wrong/)
  })

  it.each([
    ['a wrong flow id', { flowId: 'another-flow' }, { flowId: FLOW_ID }, 'Wrong flow id'],
    [
      'a wrong organization',
      { orgId: 'OTHER@AdobeOrg' },
      { orgId: 'LOCAL@AdobeOrg' },
      'Wrong organization',
    ],
    [
      'another inlet',
      { inletId: 'another-inlet' },
      { inletId: 'local-inlet' },
      'AEP has no streaming endpoint at AEP_ENDPOINT',
    ],
  ])('names %s', async (_, wrong, right, words) => {
    aep.adobe.set(wrong)
    expect(await tryRelay('--wait', '1')).toBe(1)
    expect(printed()).toContain(words)
    await recovered(right)
  })

  it('names refused credentials', async () => {
    aep.adobe.set({ auth: true, clientSecret: 'changed-since' })
    aep.adobe.revoke()
    expect(await tryRelay('--wait', '1')).toBe(1)
    expect(printed()).toContain('refuses the credentials')
    await recovered({ auth: false, clientSecret: 'local-client-secret' })
  })

  it('names an AEP that is down, and says that nothing is lost', async () => {
    aep.adobe.rule({ answer: { type: 'status', status: 503 } })
    expect(await tryRelay('--wait', '0')).toBe(1)
    expect(printed()).toContain('AEP is down, slow or throttling')
    expect(printed()).toContain('Nothing is lost')
    await recovered({})
  })

  it.each<[string, RequestListener]>([
    [
      'redirects to its login',
      (_, response) =>
        response
          .writeHead(302, { location: 'https://team.cloudflareaccess.com/cdn-cgi/access/login/x' })
          .end(),
    ],
    [
      'shows its login page',
      (_, response) =>
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<form action="https://team.cloudflareaccess.com/cdn-cgi/access/login">'),
    ],
    [
      'refuses without a page',
      (_, response) =>
        response.writeHead(401, { 'www-authenticate': 'Cloudflare-Access' }).end('{}'),
    ],
    [
      'stands before /chatlio alone',
      ({ url }, response) =>
        url === '/health'
          ? response.end('{"status":"ok"}')
          : response.writeHead(302, { location: 'https://team.cloudflareaccess.com/' }).end(),
    ],
  ])('names a Cloudflare Access that %s, and sends it no key', async (_, answers) => {
    const urls: string[] = []
    const url = await serverThat((request, response) => {
      urls.push(String(request.url))
      answers(request, response)
    })
    expect(await verify(['--url', url, '--key', KEY])).toBe(1)
    expect(printed()).toContain('Cloudflare Access answers before the relay')
    expect(urls.join()).not.toContain(KEY)
  })

  it('names a redirect', async () => {
    const url = await serverThat((_, response) => {
      response.writeHead(301, { location: 'https://relay.example.com/health' }).end()
    })
    expect(await verify(['--url', url, '--key', KEY])).toBe(1)
    expect(printed()).toContain('Redirects to https://relay.example.com/health (301)')
  })

  it('names an address at which something else answers, or nothing', async () => {
    const url = await serverThat((_, response) => {
      response
        .writeHead(404, { 'content-type': 'text/html' })
        .end('<h1>There is nothing here yet</h1>')
    })
    expect(await verify(['--url', url, '--key', KEY])).toBe(1)
    expect(printed()).toContain('it is not deployed at this address')
    output.length = 0
    expect(await verify(['--url', `http://127.0.0.1:${await freePort()}`, '--key', KEY])).toBe(1)
    expect(printed()).toContain('No connection (ECONNREFUSED)')
  })

  it.each([
    [['--key', KEY], '--url'],
    [['--url', 'https://relay.example.com'], 'WEBHOOK_KEYS'],
    [['--url', 'http://relay.example.com', '--key', KEY], 'https'],
    [['--url', 'relay.example.com', '--key', KEY], '--url'],
    [['--nonsense'], '--nonsense'],
  ])('ends with 2 for %j', async (args, named) => {
    expect(await verify(args)).toBe(2)
    expect(printed()).toContain(named)
  })
})

describe('send', () => {
  it.each([...ROUTE_KINDS, 'auto'])('posts a %s', async (kind) => {
    const before = aep.adobe.lake.length
    expect(await send([kind, '--url', worker.url, '--key', KEY]), printed()).toBe(0)
    expect(printed()).toContain('200 forwarded')
    expect(aep.adobe.lake.length).toBe(before + 1)
  })

  it('has the address and the key of npm start by default', async () => {
    const start = await readFile(new URL('../../src/cli/start/main.ts', import.meta.url), 'utf8')
    expect(start).toContain(`'${LOCAL_KEY}'`)
    const options = await readFile(
      new URL('../../src/cli/start/options.ts', import.meta.url),
      'utf8',
    )
    expect(options).toContain(`default: '${new URL(LOCAL_URL).port}'`)
  })

  it('takes a whole webhook URL as it stands in Chatlio', async () => {
    expect(await send(['feedback', '--url', `${worker.url}/chatlio/transcript?key=${KEY}`])).toBe(0)
    expect(aep.adobe.lake.at(-1)?.record).toMatchObject({ eventType: 'chatlio.feedback' })
  })

  it('posts a file byte for byte, and says what is wrong with it', async () => {
    const file = ['--file', 'test/fixtures/transcript.json']
    expect(await send(['feedback', '--url', worker.url, '--key', KEY, ...file])).toBe(1)
    expect(printed()).toContain('422 invalid-payload')
    expect(printed()).toContain('visitor')
  })

  it('ends with 1 when the key is wrong, and never prints it', async () => {
    const key = 'not-the-key-of-the-relay'
    expect(await send(['transcript', '--url', worker.url, '--key', key])).toBe(1)
    expect(printed()).toContain('401 unauthorized')
    expect(printed()).not.toContain(key)
  })

  it.each([
    [[], 'KIND'],
    [['gossip'], 'KIND'],
    [['transcript', '--url', 'https://relay.example.com'], 'WEBHOOK_KEYS'],
    [['transcript', '--file', 'no/such/file'], 'no/such/file'],
  ])('ends with 2 for %j', async (args, named) => {
    expect(await send(args)).toBe(2)
    expect(printed()).toContain(named)
  })
})
