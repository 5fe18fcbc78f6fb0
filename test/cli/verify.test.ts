/** `npm run verify` against a real Worker, which streams into the local Adobe (xdm, authenticated on demand). */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { main as erase } from '../../src/cli/erase/main.ts'
import { main as send } from '../../src/cli/send/main.ts'
import { main as verify } from '../../src/cli/verify/main.ts'
import { type LocalAdobeServer, startLocalAdobe } from '../../src/local-adobe/server.ts'
import { ROUTE_KINDS } from '../../src/worker/chatlio/kind.ts'
import { HEALTH_CACHE_MS } from '../../src/worker/limits.ts'
import { type RelayProcess, startRelayProcess } from './relay-process.ts'
import { ADMIN_TOKEN, capturePrinted, KEY } from './relay-test.ts'

const FLOW_ID = 'flow-of-the-relay'

const printed = capturePrinted()
let aep: LocalAdobeServer
let worker: RelayProcess

beforeAll(async () => {
  aep = await startLocalAdobe({ mode: 'xdm', flowId: FLOW_ID })
  const { inletId, orgId, datasetId, schemaId, tenant } = aep.adobe.settings
  worker = await startRelayProcess({
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
})
afterAll(async () => {
  await worker.stop()
  await aep.close()
})

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
    { timeout: 60_000, interval: 100 },
  )
  // One answer of /health serves for a while: the next test must not read that of the last.
  await delay(HEALTH_CACHE_MS + 100)
  printed.forget()
}

describe('verify', () => {
  it('says that all is well, having sent one event of each kind of the test person, and how to erase them', async () => {
    const before = aep.adobe.lake.length
    expect(await tryRelay(), printed.text()).toBe(0)
    expect(printed.text()).toContain('All is well.')
    const events = aep.adobe.lake.slice(before).map(({ record }) => record)
    expect(events).toHaveLength(ROUTE_KINDS.length)
    for (const event of events) {
      expect(event).toMatchObject({ eventType: 'chatlio.test' })
      expect(JSON.stringify(event)).toContain('relay-test@example.com')
    }
    const [, command = ''] = /npm run erase -- (--email .*? --url \S+)/.exec(printed.text()) ?? []
    expect(printed.text()).not.toContain(KEY)
    expect(printed.text()).not.toContain(ADMIN_TOKEN)

    // As it stands there.
    vi.stubEnv('ADMIN_TOKEN', ADMIN_TOKEN)
    printed.forget()
    expect(await erase(command.split(' ')), printed.text()).toBe(0)
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const suppressions = await fetch(`${worker.url}/admin/suppressions`, { headers })
    expect(await suppressions.json()).toMatchObject({ count: 0 })
    const find = await fetch(`${worker.url}/admin/find`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ email: 'relay-test@example.com' }),
    })
    expect(await find.json()).toMatchObject({ events: [] })
    printed.forget()
    expect(await tryRelay(), printed.text()).toBe(0)
  })

  it('takes the key and the token from the environment', async () => {
    vi.stubEnv('WEBHOOK_KEYS', `${KEY},another-key-of-this-test`)
    vi.stubEnv('ADMIN_TOKEN', ADMIN_TOKEN)
    expect(await verify(['--url', worker.url]), printed.text()).toBe(0)
    expect(printed.text()).toMatch(/admin token +accepted/)
  })

  it('names a wrong key, and sends no second webhook with it', async () => {
    const before = aep.adobe.lake.length
    expect(await verify(['--url', worker.url, '--key', 'not-the-key-of-the-relay'])).toBe(1)
    expect(printed.text()).toMatch(/✘ key +wrong/)
    expect(aep.adobe.lake.length).toBe(before)
  })

  it('names a wrong admin token', async () => {
    expect(await tryRelay('--admin-token', 'not-the-token-of-the-relay')).toBe(1)
    expect(printed.text()).toMatch(/✘ admin token +wrong/)
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
    expect(printed.text()).toContain(words)
    await recovered(right)
  })

  it('names refused credentials', async () => {
    aep.adobe.set({ auth: true, clientSecret: 'changed-since' })
    aep.adobe.revoke()
    expect(await tryRelay('--wait', '1')).toBe(1)
    expect(printed.text()).toContain('refuses the credentials')
    await recovered({ auth: false, clientSecret: 'local-client-secret' })
  })

  it('names an AEP that is down, and says that nothing is lost', async () => {
    aep.adobe.rule({ answer: { type: 'status', status: 503 } })
    expect(await tryRelay('--wait', '0')).toBe(1)
    expect(printed.text()).toContain('AEP is down, slow or throttling')
    expect(printed.text()).toContain('Nothing is lost')
    await recovered({})
  })
})
