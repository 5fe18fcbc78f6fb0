/** `npm run verify` with Platform credentials: a Worker set up by `provision` alone, and what AEP has of its events. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { textAt } from '../../src/cli/lib/platform-request.ts'
import { varsOf } from '../../src/cli/lib/wrangler-toml.ts'
import { main as verify } from '../../src/cli/verify/main.ts'
import { Bench } from './provision-support.ts'
import { type RelayProcess, startRelayProcess } from './relay-process.ts'
import { ADMIN_TOKEN, capturePrinted, KEY } from './relay-test.ts'

const printed = capturePrinted()
let bench: Bench
let worker: RelayProcess

beforeAll(async () => {
  bench = await Bench.start()
  expect((await bench.run([])).code).toBe(0)
  worker = await startRelayProcess({
    ...varsOf(bench.toml),
    WEBHOOK_KEYS: KEY,
    ADMIN_TOKEN,
    RETRY_BASE_MS: '20',
    RETRY_CAP_MS: '50',
  })
})
afterAll(async () => {
  await worker.stop()
  await bench.stop()
})

function tryRelay(...args: string[]): Promise<number> {
  const key = ['--key', KEY, '--admin-token', ADMIN_TOKEN]
  return verify(['--url', worker.url, ...key, '--wait', '2', '--config', bench.config, ...args])
}

function envFile(variables: Record<string, string>): string {
  const file = path.join(bench.directory, 'adobe.env')
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  writeFileSync(file, lines.join('\n'))
  return file
}

const withoutRow = (destination: string) =>
  bench.editMapping((rows) => rows.filter((row) => textAt(row, 'destination') !== destination))

describe('verify', () => {
  it('says that the mapping is complete and that the dataset got the records', async () => {
    expect(await tryRelay('--env-file', envFile(bench.env)), printed.text()).toBe(0)
    expect(printed.text()).toMatch(/✔ mapping +complete; _id and timestamp are filled/)
    expect(printed.text()).toMatch(/✔ dataset +got the 5 records/)
    expect(printed.text()).not.toContain(bench.env.AEP_CLIENT_SECRET)
  })

  it('says what it lacks to look at AEP, and calls that neither good nor bad', async () => {
    const { AEP_CLIENT_SECRET: _, ...rest } = bench.env
    expect(await tryRelay('--env-file', envFile(rest)), printed.text()).toBe(0)
    expect(printed.text()).toMatch(/– mapping +not checked: it needs AEP_CLIENT_SECRET/)
    expect(printed.text()).toMatch(/– dataset +not checked/)
  })

  it('says that no dataflow of the id is there', async () => {
    vi.stubEnv('AEP_FLOW_ID', '00000000-1111-2222-3333-444444444444')
    expect(await tryRelay('--env-file', envFile(bench.env))).toBe(1)
    expect(printed.text()).toMatch(
      /✘ mapping +GET \S+\/flows\/00000000-1111\S+: Adobe answered 404/,
    )
  })

  it('says where it looked for the dataflow in vain', async () => {
    const toml = path.join(bench.directory, 'empty.toml')
    writeFileSync(toml, 'name = "relay"\n')
    expect(await tryRelay('--env-file', envFile(bench.env), '--config', toml)).toBe(1)
    expect(printed.text()).toMatch(/✘ mapping +not checked: AEP_FLOW_ID is set neither/)
  })

  it('names a field that is not mapped', async () => {
    await withoutRow('_localtenant.chatlio.subject')
    expect(await tryRelay('--env-file', envFile(bench.env))).toBe(1)
    expect(printed.text()).toMatch(/✘ mapping +_localtenant\.chatlio\.subject is not mapped/)
    expect(printed.text()).toMatch(/✔ dataset +got the 5 records/)
  })

  it('names an _id that is not mapped, and the records that AEP dropped for it', async () => {
    await withoutRow('_id')
    expect(await tryRelay('--env-file', envFile(bench.env))).toBe(1)
    expect(printed.text()).toMatch(/✘ mapping +_id is not mapped/)
    expect(printed.text()).toContain('AEP accepts the events and drops them')
    expect(printed.text()).toMatch(/✘ dataset +AEP accepted 5 records and then failed 5/)
  })
})
