/** `npm run erase --aep`, killed at any moment and run again: one job at Adobe, and one receipt that names it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, watch } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { main as erase } from '../../src/cli/erase/main.ts'
import { Bench } from './provision-support.ts'
import { RelayStandIn } from './relay-stand-in.ts'
import { ADMIN_TOKEN, capturePrinted } from './relay-test.ts'

const printed = capturePrinted()
const JOBS = '/data/core/privacy/jobs'
const COMMAND = fileURLToPath(new URL('../../src/cli/erase/main.ts', import.meta.url))
/** The command itself, in a process of its own that waits for nobody. */
const SCRIPT = `
  const { main } = await import(process.argv[1])
  process.exitCode = await main(process.argv.slice(2), {
    io: { fetch, sleep: () => new Promise(setImmediate), random: () => 0 },
  })
`

let bench: Bench
let relay: RelayStandIn
let directory: string
let between: Server
/** Called before and after each request of the process; what it kills gets no answer. */
let on: (moment: 'before' | 'after') => void
/** What a request waits for. */
let gate = async (_url: string) => {}

beforeAll(async () => {
  bench = await Bench.start()
  expect((await bench.run(['--profile', '--yes'])).code).toBe(0)
  relay = await RelayStandIn.start()
  // One address for both sides, so that steps have one order.
  between = createServer(async (request, response) => {
    on('before')
    await gate(request.url ?? '')
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const base = request.url?.startsWith('/admin') ? relay.url : bench.adobe.url
    const { method = 'GET', url = '/' } = request
    const headers = Object.entries(request.headers)
      .filter(([name]) => !['host', 'connection', 'content-length'].includes(name))
      .map(([name, value]): [string, string] => [name, String(value)])
    const body = method === 'GET' ? null : Buffer.concat(chunks)
    const answer = await fetch(base + url, { method, headers, body })
    const text = await answer.text()
    on('after')
    const type = answer.headers.get('content-type') ?? 'application/json'
    response.writeHead(answer.status, { 'content-type': type }).end(text)
  })
  between.listen(0, '127.0.0.1')
  await once(between, 'listening')
})
afterAll(async () => {
  between.close()
  between.closeAllConnections()
  relay.stop()
  await bench.stop()
})
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'erase-killed-'))
  return () => rm(directory, { recursive: true, force: true })
})

const address = () => `http://127.0.0.1:${(between.address() as AddressInfo).port}`
const args = () => [
  ...['--url', address(), '--admin-token', ADMIN_TOKEN, '--aep'],
  ...['--email', 'canary@example.com', '--visitor', 'canary-visitor'],
]
const environment = () => ({
  ...bench.env,
  AEP_IMS_URL: address(),
  AEP_PLATFORM_URL: address(),
})

function begun(): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, COMMAND, ...args()], {
    cwd: directory,
    env: { ...process.env, ...environment() },
    stdio: 'ignore',
  })
}

/** Resolves with whether it was killed, and not done before. */
async function killed(arm: (kill: () => void) => () => void): Promise<boolean> {
  const child = begun()
  const disarm = arm(() => child.kill('SIGKILL'))
  const [code, signal] = await once(child, 'close')
  disarm()
  expect([code, signal]).toEqual(signal === 'SIGKILL' ? [null, 'SIGKILL'] : [0, null])
  return signal === 'SIGKILL'
}

async function again(what: unknown): Promise<void> {
  on = () => {}
  const code = await erase(args(), {
    env: environment(),
    directory,
    io: { fetch, sleep: () => new Promise((resolve) => setImmediate(resolve)), random: () => 0 },
  })
  expect([what, code], printed.text()).toEqual([what, 0])
  const path_ = `${JOBS}?regulation=gdpr`
  const { jobDetails } = (await bench.api.send({ method: 'GET', path: path_ })) as {
    jobDetails?: { userKey: string }[]
  }
  const names = readdirSync(directory).filter((name) => !name.endsWith('.tmp'))
  const receipts = names.map((name) => JSON.parse(readFileSync(path.join(directory, name), 'utf8')))
  expect([what, jobDetails?.map(({ userKey }) => userKey)]).toEqual([what, [receipts[0]?.key]])
  expect([what, receipts]).toMatchObject([what, [{ job: { ids: [expect.any(String)] } }]])
  const left = readdirSync(directory).map((name) =>
    readFileSync(path.join(directory, name), 'utf8'),
  )
  expect(left.join().includes('canary')).toBe(false)
}

async function anew(): Promise<void> {
  await fetch(`${bench.adobe.url}/_/reset`, { method: 'POST' })
  for (const name of readdirSync(directory)) await rm(path.join(directory, name))
}

it.each(['before', 'after'] as const)('one job, killed %s any request', async (moment) => {
  for (let at = 1; ; at += 1) {
    await anew()
    let count = 0
    const wasKilled = await killed((kill) => {
      on = (now) => {
        if (now !== moment) return
        count += 1
        if (count === at) kill()
      }
      return () => {}
    })
    await again([moment, at])
    if (!wasKilled) {
      // Both identities twice, their suppressions, the token, the namespace, the job.
      expect(at).toBeGreaterThan(7)
      return
    }
  }
})

it('one job, asked for by two at once', async () => {
  await anew()
  on = () => {}
  // The last thing that each looks up before its own receipt.
  const both = Promise.withResolvers<void>()
  let arrived = 0
  gate = async (url) => {
    if (!url.includes('/idnamespace/')) return
    arrived += 1
    if (arrived === 2) both.resolve()
    await both.promise
  }
  const codes = await Promise.all(
    [begun(), begun()].map(async (child) => (await once(child, 'close'))[0]),
  )
  gate = async () => {}
  expect([arrived, codes]).toEqual([2, [0, 0]])
  await again('two at once')
})

it('one job, killed at any change of its directory', async () => {
  for (let at = 1; ; at += 1) {
    await anew()
    on = () => {}
    const wasKilled = await killed((kill) => {
      let count = 0
      const watcher = watch(directory, () => {
        count += 1
        if (count === at) kill()
      })
      return () => watcher.close()
    })
    await again(['change', at])
    if (!wasKilled) {
      expect(at).toBeGreaterThan(2)
      return
    }
  }
})
