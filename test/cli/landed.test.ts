/**
 * Promise 9 from outside: the Worker in a process of its own, the local Adobe, the cron trigger, and `npm run recover`. What
 * AEP accepted and refused is counted, named and sent again, but for suppressed people; a mapping that keeps nothing is said.
 */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { textAt } from '../../src/cli/lib/platform-request.ts'
import { varsOf } from '../../src/cli/lib/wrangler-toml.ts'
import { main as recover } from '../../src/cli/recover/main.ts'
import { main as verify } from '../../src/cli/verify/main.ts'
import { Bench } from './provision-support.ts'
import { type RelayProcess, startRelayProcess } from './relay-process.ts'
import { ADMIN_TOKEN, capturePrinted, KEY } from './relay-test.ts'

const printed = capturePrinted()
const MINUTE = 60_000

let bench: Bench
let worker: RelayProcess | undefined
let url = ''
let directory: string

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'landed-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))
beforeEach(async () => {
  bench = await Bench.start()
})
afterEach(async () => {
  await worker?.stop()
  await bench.stop()
})

async function provision(): Promise<void> {
  expect((await bench.run([])).code).toBe(0)
}

async function start(): Promise<void> {
  const vars = varsOf(bench.toml)
  const flows = '/data/foundation/flowservice'
  const { send } = bench.api
  const flow = await send({ method: 'GET', path: `${flows}/flows/${vars.AEP_FLOW_ID}` })
  const target = textAt(flow, 'items', 0, 'targetConnectionIds', 0)
  const connection = await send({ method: 'GET', path: `${flows}/targetConnections/${target}` })
  worker = await startRelayProcess({
    ...vars,
    WEBHOOK_KEYS: KEY,
    ADMIN_TOKEN,
    AEP_READ_CLIENT_ID: 'local-reader',
    AEP_READ_CLIENT_SECRET: 'local-reader-secret',
    AEP_ORG_ID: 'LOCAL@AdobeOrg',
    AEP_DATASET_ID: textAt(connection, 'items', 0, 'params', 'dataSetId') ?? '',
    AEP_IMS_URL: bench.adobe.url,
    AEP_PLATFORM_URL: bench.adobe.url,
  })
  url = worker.url
}

/** Returns their ids, in order. */
async function webhooks(count: number): Promise<string[]> {
  const ids: string[] = []
  for (let each = 1; each <= count; each += 1) {
    const response = await fetch(`${url}/chatlio/feedback?key=${KEY}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ visitor: { UUID: `v${each}` }, message: `message ${each}` }),
    })
    const body = (await response.json()) as { id: string; status: string }
    expect(body.status).toBe('forwarded')
    ids.push(body.id)
  }
  return ids
}

const tick = async () => {
  const response = await fetch(`${url}/cdn-cgi/handler/scheduled`)
  expect(response.status).toBe(200)
}

type Loose = Record<string, unknown> & {
  hours: Record<string, number>[]
  failures: Record<string, string>[]
  events: Record<string, unknown>[]
}
async function admin(route: string, body?: object): Promise<Loose> {
  const response = await fetch(`${url}/admin${route}`, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return (await response.json()) as Loose
}

const sum = (hours: Loose['hours'], name: string) =>
  hours.reduce((all, hour) => all + Number(hour[name]), 0)

it('counts, names and finds what failed later, and recover sends it again but of suppressed people', async () => {
  await provision()
  await start()
  const { adobe } = bench.adobe
  adobe.rule({ every: 3, answer: { type: 'failLater' } })
  const ids = await webhooks(20)
  adobe.clearRules()
  adobe.advance(20 * MINUTE)
  await expect.poll(async () => (await admin('/status')).forwarded, { timeout: 60_000 }).toBe(20)
  await tick()
  const { available, hours, failures } = await admin('/compared')
  const totals = ['received', 'ingested', 'failed', 'ours'].map((name) => sum(hours, name))
  expect([available, ...totals]).toEqual([true, 20, 14, 6, 20])
  const failed = ids.filter((_, index) => index % 3 === 2)
  expect(failures.map(({ id }) => id).sort()).toEqual([...failed].sort())
  const [id = '', suppressed = ''] = failed
  const found = await admin('/find', { id })
  expect(found.events).toMatchObject([
    { state: 'failed', code: 'DCVS-1105-400', pointer: '/timestamp' },
  ])
  const { alerts } = await admin('/alerts')
  expect(alerts).toContainEqual(expect.objectContaining({ name: 'not-landed', state: 'firing' }))

  const visitor = `v${ids.indexOf(suppressed) + 1}`
  await admin('/erase', { visitor })
  const env = { ...bench.env, ADMIN_TOKEN, RELAY_URL: url }
  const io = { fetch: globalThis.fetch, sleep: async () => {}, random: () => 0 }
  const now = () => Date.now() + 20 * MINUTE
  const args = ['--config', bench.config, '--sent', path.join(directory, 'sent.ndjson')]
  const lake = () => new Set(adobe.lake.map(({ _id }) => _id))
  expect(await recover(args, { env, now, io })).toBe(0)
  expect(printed.text()).toContain('Not sent, since their people have been erased: 1.')
  expect(lake()).toEqual(new Set(ids.filter((one) => one !== suppressed)))
  expect((await admin('/find', { id })).events).toMatchObject([{ state: 'recovered' }])

  await fetch(`${url}/admin/suppressions`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ visitor }),
  })
  expect(await recover(args, { env, now, io })).toBe(0)
  expect(lake()).toEqual(new Set(ids))
  expect(adobe.lake).toHaveLength(20)
})

it('says within one tick that a mapping as in Adobe’s tutorial keeps nothing, and why', async () => {
  await provision()
  const tutorial = ['visitor.UUID', 'message', 'channelId', 'slackChannelId', 'slackChannelName']
  await bench.editMapping((rows) => {
    const own = rows.filter((row) => tutorial.includes(String(textAt(row, 'source') ?? '')))
    const email = rows.find((row) => textAt(row, 'destination')?.endsWith('.chatlio.visitor.email'))
    const six = [
      ...own,
      { source: 'visitor.email', destination: textAt(email ?? null, 'destination') },
    ]
    expect(six).toHaveLength(6)
    return six
  })
  await start()
  await webhooks(3)
  await tick()
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' })
  const { why } = await admin('/compared')
  expect(why).toMatch(/keeps nothing of what it accepts: of 3 records none is in the dataset/)
  expect(why).toContain('the mapping fills no _id or no timestamp')
  expect(why).toContain('npm run verify')
  const args = ['--url', url, '--key', KEY, '--admin-token', ADMIN_TOKEN, '--wait', '1']
  expect(await verify([...args, '--config', bench.config])).toBe(1)
  expect(printed.text()).toMatch(/landed AEP keeps nothing of what it accepts/)
  // Whatever address the relay knows of itself, or none.
  expect(printed.text()).toContain(`npm run recover -- --config ${bench.config} --url ${url}`)
})
