import { describe, expect, it } from 'vitest'
import { createLocalAdobe } from '../../../src/local-adobe/app.ts'
import type { Snapshot } from '../../../src/local-adobe/platform/store.ts'

const HEADERS = {
  'x-api-key': 'local-client',
  'x-gw-ims-org-id': 'LOCAL@AdobeOrg',
  'content-type': 'application/json',
}

async function start(snapshot: Snapshot | null = null) {
  const snapshots: Snapshot[] = []
  const onChange = (state: Snapshot) => snapshots.push(structuredClone(state))
  const adobe = createLocalAdobe({ snapshot, onChange })
  const form = 'client_id=local-client&client_secret=local-client-secret&scope=x'
  const token = await adobe.fetch('http://adobe.example/ims/token/v3', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `${form}&grant_type=client_credentials`,
  })
  const { access_token } = (await token.json()) as { access_token: string }
  const call = (method: string, path: string, body?: unknown) =>
    adobe.fetch(`http://adobe.example/data${path}`, {
      method,
      headers: { ...HEADERS, authorization: `Bearer ${access_token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  return { adobe, call, snapshots }
}

const NAMESPACE = { name: 'N', code: 'N', idType: 'EMAIL' }
const IDENTITIES = '/core/idnamespace/identities'

describe('the Platform APIs inside workerd', () => {
  it('work without a server, and hand out a snapshot of each change', async () => {
    const { adobe, call, snapshots } = await start()
    expect((await call('POST', `${IDENTITIES}/`, NAMESPACE)).status).toBe(200)
    expect(snapshots.map(({ resources }) => resources.namespaces.length)).toEqual([1])
    expect(adobe.platformRequests).toMatchObject([{ method: 'POST', status: 200 }])
    expect(adobe.requests).toEqual([])
  })

  it('go on from a snapshot', async () => {
    const first = await start()
    await first.call('POST', IDENTITIES, NAMESPACE)
    const second = await start(first.snapshots[0])
    expect((await second.call('POST', IDENTITIES, NAMESPACE)).status).toBe(409)
  })

  it('let a call take effect whose answer is lost', async () => {
    const { adobe, call, snapshots } = await start()
    adobe.scriptPlatform({ type: 'reset', recorded: true }, { type: 'reset' })
    await expect(call('POST', IDENTITIES, NAMESPACE)).rejects.toThrow('Network connection lost.')
    await expect(call('POST', IDENTITIES, { ...NAMESPACE, code: 'M' })).rejects.toThrow()
    expect(snapshots.at(-1)?.resources.namespaces.map(({ body }) => body.code)).toEqual(['N'])
  })
})
