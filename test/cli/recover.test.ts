/** `npm run compare` and `npm run recover`: AEP's counts against the relay's, and what AEP refused later sent again. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { main as compare } from '../../src/cli/compare/main.ts'
import { main as recover } from '../../src/cli/recover/main.ts'
import { recordText } from '../../src/cli/recover/rows.ts'
import { Bench, type Fetch } from './provision-support.ts'
import { RelayStandIn } from './relay-stand-in.ts'
import { ADMIN_TOKEN, capturePrinted } from './relay-test.ts'

const printed = capturePrinted()
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const CANARY = 'canary@example.com'
const idOf = (each: number) => each.toString(16).padStart(64, '0')

let bench: Bench
let relay: RelayStandIn
let directory: string
let vars: Record<string, string>
let clock: number
let ahead: number
const now = () => clock + ahead
const adobe = () => bench.adobe.adobe
/** Adobe's clock, and the commands'. */
function advance(ms: number): void {
  adobe().advance(ms)
  ahead += ms
}

beforeAll(async () => {
  bench = await Bench.start()
  expect((await bench.run([])).code).toBe(0)
  const value = (name: string) => new RegExp(`^${name} = "(.*)"`, 'm').exec(bench.toml)?.[1] ?? ''
  vars = Object.fromEntries(['AEP_ENDPOINT', 'AEP_FLOW_ID'].map((name) => [name, value(name)]))
})
afterAll(() => bench.stop())
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'recover-'))
  relay = await RelayStandIn.start()
  await fetch(`${bench.adobe.url}/_/reset`, { method: 'POST' })
  adobe().set({ failedForm: 'object', failedBody: 'sent' })
  const told = (await (await fetch(`${bench.adobe.url}/_/clock`)).json()) as { now: string }
  // From the beginning of an hour, so that twenty minutes later it is the same one.
  clock = Date.parse(told.now)
  ahead = 0
  advance(HOUR - (clock % HOUR))
  suppressed.clear()
  held.clear()
  recovered.length = 0
  relay.answers.set('GET /admin/activity', () => ({ step: 'hour', lowerBound: true, points: sent }))
  relay.answers.set('POST /admin/screen', (body) => {
    if (Array.isArray(body.recovered)) recovered.push(...(body.recovered as string[]))
    const records = body.records as { visitor?: { UUID?: string } }[]
    return {
      indexes: records.flatMap(({ visitor }, index) =>
        suppressed.has(visitor?.UUID ?? '') ? [index] : [],
      ),
    }
  })
  relay.answers.set('POST /admin/find', ({ id }) => ({
    events: (held.get(String(id)) ?? []).map((each) => ({ ...EVENT, id, ...each })),
    cursor: null,
  }))
  relay.answers.set('POST /admin/redrive', () => ({ matched: 1, redriven: 1, stillInvalid: 0 }))
  sent = []
})
afterEach(async () => {
  relay.stop()
  await rm(directory, { recursive: true, force: true })
})

const suppressed = new Set<string>()
/** What the relay finds, by event. */
const held = new Map<string, object[]>()
const EVENT = {
  kind: 'transcript',
  source: null,
  state: 'delivered',
  attempts: 1,
  receivedAt: '2026-11-01T00:00:00.000Z',
  nextAttemptAt: null,
  lastError: null,
  bytes: 9,
  settledAt: null,
  via: null,
}
const recovered: string[] = []
let sent: object[]

async function post(each: number, more: object = {}, flow = vars.AEP_FLOW_ID ?? ''): Promise<void> {
  const at = new Date(now()).toISOString()
  const response = await fetch(vars.AEP_ENDPOINT ?? '', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-adobe-flow-id': flow },
    body: JSON.stringify({
      _id: idOf(each),
      timestamp: at,
      receivedAt: at,
      eventType: 'chatlio.transcript',
      visitor: { UUID: `v${each}`, email: CANARY },
      message: `secret words ${each}`,
      ...more,
    }),
  })
  expect(response.status).toBe(200)
}
/** Twenty, of which every third fails later, twenty minutes ago; the relay knows that it has sent them. */
async function twenty(): Promise<void> {
  adobe().rule({ every: 3, answer: { type: 'failLater', message: `[${CANARY}] is wrong` } })
  for (let each = 1; each <= 20; each += 1) await post(each)
  adobe().clearRules()
  const at = new Date(Math.floor(now() / HOUR) * HOUR).toISOString()
  const point = { at, kind: 'transcript', source: null, p50Ms: 9, p99Ms: 99 }
  sent = [
    { ...point, outcome: 'forwarded', count: 15, records: 15 },
    { ...point, outcome: 'drained', count: 3, records: 5 },
    { ...point, outcome: 'quarantined', count: 9 },
  ]
  advance(20 * MINUTE)
}
const failing = [3, 6, 9, 12, 15, 18]

type Given = { fetch?: Fetch; env?: Record<string, string> }
function surroundings({ fetch = globalThis.fetch, env = {} }: Given) {
  return {
    env: { ...bench.env, ...vars, ADMIN_TOKEN, RELAY_URL: relay.url, ...env },
    now,
    io: { fetch, sleep: () => Promise.resolve(), random: () => 0 },
  }
}
const config = () => ['--config', bench.config]
const sentFile = () => path.join(directory, 'sent.ndjson')
const runRecover = (more: readonly string[] = [], given: Given = {}) =>
  recover(['--sent', sentFile(), ...config(), ...more], surroundings(given))
const runCompare = (more: readonly string[] = [], given: Given = {}) =>
  compare([...config(), ...more], surroundings(given))
const inLake = () => new Set(adobe().lake.map(({ _id }) => _id))
const inletPosts = () => adobe().requests.length

describe('compare', () => {
  it('shows the hours, names what failed, and ends with 4', async () => {
    await twenty()
    expect(await runCompare()).toBe(4)
    const text = printed.text()
    expect(text).toMatch(/\d\d:00 20 20 14 6 not settled yet/)
    expect(text).toContain('DCVS-1105-400 /timestamp 6 000000000000 000000000000 000000000000 …')
    expect(text).toContain('npm run recover')
    expect(text).not.toContain('canary')
    expect(text).not.toContain('secret')
    expect(text).not.toContain(ADMIN_TOKEN)
  })

  it('says that AEP has fewer than it acknowledged, once the hours are settled', async () => {
    adobe().rule({ times: 5, answer: { type: 'lose' } })
    await twenty()
    adobe().clearRules()
    advance(4 * HOUR)
    await runCompare()
    expect(printed.text()).toContain('AEP has 5 fewer than it acknowledged')
  })

  it('is content where AEP has more, and ends with 0', async () => {
    for (let each = 1; each <= 5; each += 1) await post(each)
    advance(4 * HOUR)
    expect(await runCompare()).toBe(0)
    expect(printed.text()).toContain('AEP has what it acknowledged')
  })

  it('shows nothing of another flow in the same dataset', async () => {
    adobe().rule({ answer: { type: 'failLater' } })
    const { inletId } = adobe().settings
    await fetch(`${bench.adobe.url}/collection/${inletId}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-adobe-flow-id': 'foreign' },
      body: JSON.stringify({ _id: idOf(1) }),
    })
    advance(20 * MINUTE)
    expect(await runCompare()).toBe(0)
    expect(printed.text()).toContain('Nothing was sent')
  })

  it('says which right is missing', async () => {
    const path = '/data/foundation/flowservice/runs'
    adobe().rule({ on: 'platform', path, answer: { type: 'status', status: 403 } })
    expect(await runCompare()).toBe(1)
    expect(printed.text()).toContain('View Sources')
    adobe().rule({ on: 'platform', answer: { type: 'status', status: 403 } })
    printed.forget()
    expect(await runCompare()).toBe(1)
    expect(printed.text()).toContain('View Sources')
    expect(printed.text()).not.toMatch(/\bManage\b/)
  })

  it.each([
    [{ AEP_CLIENT_ID: '' }, 'AEP_CLIENT_ID'],
    [{ ADMIN_TOKEN: '' }, 'ADMIN_TOKEN'],
    [{ RELAY_URL: '' }, '--url'],
    [{ AEP_ENDPOINT: 'http://example.com/collection/x' }, 'AEP_ENDPOINT'],
  ])('ends with 2 without what it needs: %j', async (env, named) => {
    expect(await runCompare([], { env })).toBe(2)
    expect(printed.text()).toContain(named)
  })

  it.each(['24', '0h', '91d', 'x'])('ends with 2 for --since %s', async (since) => {
    expect(await runCompare(['--since', since])).toBe(2)
    expect(printed.text()).toContain('--since')
  })
})

describe('recover', () => {
  it('brings the lake to twenty distinct ids', async () => {
    await twenty()
    expect(inLake().size).toBe(14)
    expect(await runRecover()).toBe(0)
    expect(inLake().size).toBe(20)
    expect(recovered.sort()).toEqual(failing.map(idOf))
    expect(printed.text()).toContain('6 of 6 sent again')
    for (const each of failing) expect(printed.text()).toContain(idOf(each))
    const all = printed.text() + readFileSync(sentFile(), 'utf8')
    for (const word of ['canary', 'secret', ADMIN_TOKEN, 'is wrong'])
      expect(all).not.toContain(word)
  })

  it.each([
    ['raw, values as text', [], 'text'],
    ['xdm, authenticated', ['--format', 'xdm', '--authenticated'], 'object'],
  ] as const)('sends the very records again: %s', async (_, args, failedForm) => {
    const own = await Bench.start({ failedForm })
    try {
      expect((await own.run(args)).code).toBe(0)
      const value = (name: string) => new RegExp(`^${name} = "(.*)"`, 'm').exec(own.toml)?.[1] ?? ''
      const isRaw = args.length === 0
      const record = {
        _id: idOf(7),
        timestamp: new Date().toISOString(),
        eventType: 'chatlio.feedback',
        ...(isRaw && { receivedAt: new Date().toISOString(), visitor: { UUID: 'v' } }),
      }
      const schemaRef = {
        id: value('AEP_SCHEMA_ID'),
        contentType: 'application/vnd.adobe.xed-full+json;version=1',
      }
      const header = { schemaRef, imsOrgId: 'LOCAL@AdobeOrg', datasetId: value('AEP_DATASET_ID') }
      const flowId = value('AEP_FLOW_ID')
      const message = isRaw
        ? record
        : {
            header: { ...header, flowId, source: { name: 'Chatlio' } },
            body: { xdmMeta: { schemaRef }, xdmEntity: record },
          }
      const { access_token } = (await (
        await fetch(`${own.adobe.url}/ims/token/v3`, {
          method: 'POST',
          body: new URLSearchParams({
            client_id: 'local-client',
            client_secret: 'local-client-secret',
            grant_type: 'client_credentials',
            scope: 'openid',
          }),
        })
      ).json()) as { access_token: string }
      own.adobe.adobe.rule({ times: 1, answer: { type: 'failLater' } })
      const first = await fetch(value('AEP_ENDPOINT'), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-adobe-flow-id': flowId,
          authorization: `Bearer ${access_token}`,
        },
        body: JSON.stringify(message),
      })
      expect([first.status, own.adobe.adobe.failed.length]).toEqual([200, 1])
      own.adobe.adobe.advance(20 * MINUTE)
      const env = { ...own.env, ADMIN_TOKEN, RELAY_URL: relay.url }
      const later = () => Date.now() + 20 * MINUTE
      const args2 = ['--sent', sentFile(), '--config', own.config]
      const io = { fetch: globalThis.fetch, sleep: async () => {}, random: () => 0 }
      expect(await recover(args2, { env, now: later, io })).toBe(0)
      const [landed] = own.adobe.adobe.lake
      expect(isRaw ? landed?.source : landed?.record).toEqual(record)
    } finally {
      await own.stop()
    }
  })

  it('sends nothing of a suppressed person', async () => {
    await twenty()
    suppressed.add('v6').add('v18')
    expect(await runRecover()).toBe(0)
    expect(inLake().size).toBe(18)
    expect(inLake().has(idOf(6))).toBe(false)
    expect(printed.text()).toContain('Not sent, since their people have been erased: 2.')
  })

  it('sends nothing at all when the relay cannot say whose they are', async () => {
    await twenty()
    relay.answers.delete('POST /admin/screen')
    const before = inletPosts()
    expect(await runRecover()).toBe(1)
    expect(inletPosts()).toBe(before)
    expect(printed.text()).toContain('nothing is sent')
  })

  it('sends nothing where it cannot keep what it has sent', async () => {
    await twenty()
    const before = inletPosts()
    expect(await runRecover(['--sent', path.join(directory, 'none', 'sent.ndjson')])).toBe(2)
    expect(printed.text()).toContain('none/sent.ndjson (--sent) cannot be written (ENOENT)')
    expect(inletPosts()).toBe(before)
  })

  it('only names with --dry-run, and takes one cause with --code', async () => {
    await twenty()
    const before = inletPosts()
    expect(await runRecover(['--dry-run'])).toBe(0)
    expect(printed.text()).toContain('Without --dry-run these are sent again: 6.')
    expect(inletPosts()).toBe(before)
    printed.forget()
    expect(await runRecover(['--code', 'DCVS-1111-400'])).toBe(0)
    expect(printed.text()).toContain('refused nothing that can be sent again')
    expect(inletPosts()).toBe(before)
  })

  it('goes on where it stopped, and sends no event twice', async () => {
    await twenty()
    adobe().rule({ skip: 2, times: 5, answer: { type: 'status', status: 503 } })
    expect(await runRecover()).toBe(1)
    expect(printed.text()).toContain('goes on where it stopped')
    expect(inLake().size).toBe(16)
    printed.forget()
    expect(await runRecover()).toBe(0)
    expect(printed.text()).toContain('Sent again before, and not refused since: 2.')
    expect(adobe().lake).toHaveLength(20)
    printed.forget()
    expect(await runRecover()).toBe(0)
    expect(adobe().lake).toHaveLength(20)
  })

  it('killed at any moment and run again brings all, one of them twice at most, and tells the relay of each', async () => {
    const all = [1, 2, 3].map(idOf)
    let runs = 0
    for (const effect of ['before', 'after']) {
      for (let at = 1; at < 40; at += 1) {
        await fetch(`${bench.adobe.url}/_/reset`, { method: 'POST' })
        await rm(sentFile(), { force: true })
        recovered.length = 0
        adobe().rule({ answer: { type: 'failLater' } })
        for (const each of [1, 2, 3]) await post(each)
        adobe().clearRules()
        advance(20 * MINUTE)
        const ended = await killedAt(at, effect === 'after')
        if (ended === 0) break
        runs += 1
        expect([effect, at, await runRecover()]).toEqual([effect, at, 0])
        expect([effect, at, [...inLake()].sort()]).toEqual([effect, at, all])
        expect(adobe().lake.length).toBeLessThanOrEqual(4)
        expect([effect, at, [...new Set(recovered)].sort()]).toEqual([effect, at, all])
      }
    }
    expect(runs).toBeGreaterThan(20)
  })

  /** The process is gone at its Nth request to AEP or the relay, before or after it arrives: nothing more of it happens. */
  function killedAt(at: number, arrives: boolean): Promise<number> {
    let count = 0
    const real = globalThis.fetch
    return new Promise<number>((resolve, reject) => {
      const never = new Promise<never>(() => {})
      const dying: Fetch = async (input, init) => {
        count += 1
        if (count !== at) return count > at ? never : real(input, init)
        if (arrives) await real(input, init)
        resolve(-1)
        return never
      }
      vi.stubGlobal('fetch', dying)
      runRecover([], { fetch: dying }).then(resolve, reject)
    }).finally(() => vi.unstubAllGlobals())
  }

  it('asks again whose events they are after a wait, and sends nothing of who has been erased in it', async () => {
    await twenty()
    adobe().rule({ skip: 2, times: 1, answer: { type: 'status', status: 429, retryAfter: 30 } })
    const sleep = async (ms: number) => {
      advance(ms)
      if (ms >= 30_000) for (const each of [9, 12, 18]) suppressed.add(`v${each}`)
    }
    const given = { ...surroundings({}), io: { fetch: globalThis.fetch, random: () => 0, sleep } }
    expect(await recover(['--sent', sentFile(), ...config(), '--rate', '50'], given)).toBe(0)
    expect([3, 6, 9, 12, 15, 18].filter((each) => inLake().has(idOf(each)))).toEqual([3, 6, 15])
    expect(printed.text()).toContain('Not sent, since their people have been erased: 3.')
  })

  it('reads on where Adobe throttles, and says what is older than its files', async () => {
    await twenty()
    const throttled = { type: 'status', status: 429, retryAfter: 1 } as const
    adobe().rule({ on: 'platform', every: 2, answer: throttled })
    expect(await runRecover(['--dry-run'])).toBe(0)
    expect(printed.text()).toContain('these are sent again: 6.')
    adobe().clearRules()
    printed.forget()
    advance(31 * 24 * HOUR)
    expect(await runRecover(['--since', '40d'])).toBe(0)
    expect(printed.text()).toContain('no longer has the rows of 1 failed batches')
    expect(inLake().size).toBe(14)
  })

  it('sends the others where Adobe does not give out one batch, and ends with 1', async () => {
    await twenty()
    adobe().rule({ answer: { type: 'failLater' } })
    await post(21)
    adobe().clearRules()
    advance(20 * MINUTE)
    const all = '/data/foundation/catalog/batches?status=failed&orderBy=asc:created'
    const [first] = Object.keys((await bench.api.send({ method: 'GET', path: all })) ?? {})
    const path = `/data/foundation/export/batches/${first}/failed`
    adobe().rule({ on: 'platform', path, answer: { type: 'status', status: 500 } })
    expect(await runRecover()).toBe(1)
    expect(printed.text()).toContain('1 failed batches could not be read')
    expect([inLake().has(idOf(21)), inLake().size]).toEqual([true, 15])
    expect(await runCompare(['--sent', sentFile()])).toBe(1)
    adobe().clearRules()
    expect(await runRecover()).toBe(0)
    expect(inLake().size).toBe(21)
  })

  it('is over for compare as soon as all has been sent again', async () => {
    await twenty()
    const compareSent = () => runCompare(['--sent', sentFile()])
    expect(await compareSent()).toBe(4)
    await runRecover()
    printed.forget()
    expect(await compareSent()).toBe(0)
    expect(printed.text()).toContain('6 of them were sent again, and not refused since')
    printed.forget()
    // Whatever this machine's clock says.
    ahead -= 40 * MINUTE
    expect(await runRecover()).toBe(0)
    expect(printed.text()).toContain('Sent again before, and not refused since: 6.')
    expect(adobe().lake).toHaveLength(20)
  })

  it('waits as long as AEP asks, and tries again what passes', async () => {
    await twenty()
    const slept: number[] = []
    adobe().script({ type: 'status', status: 429, retryAfter: 7 }, { type: 'reset' })
    const io = {
      fetch: globalThis.fetch,
      random: () => 0,
      sleep: async (ms: number) => void slept.push(ms),
    }
    const given = { ...surroundings({}), io }
    expect(await recover(['--sent', sentFile(), ...config(), '--rate', '2'], given)).toBe(0)
    expect(inLake().size).toBe(20)
    expect(slept).toContain(7_000)
    expect(slept.filter((ms) => ms === 500).length).toBeGreaterThanOrEqual(6)
  })

  it('sends again what AEP refused once more', async () => {
    await twenty()
    adobe().rule({ answer: { type: 'failLater' } })
    expect(await runRecover()).toBe(0)
    expect(inLake().size).toBe(14)
    adobe().clearRules()
    advance(40 * MINUTE)
    expect(await runCompare(['--sent', sentFile()])).toBe(4)
    expect(await runRecover()).toBe(0)
    expect(inLake().size).toBe(20)
  })

  it('leaves to the outbox what the outbox holds', async () => {
    await twenty()
    const path = '/data/foundation/catalog/batches?status=failed'
    const [batch] = Object.keys((await bench.api.send({ method: 'GET', path })) ?? {})
    held.set(idOf(3), [{ state: 'dead' }])
    held.set(idOf(6), [{ state: 'failed', batch }, { state: 'pending' }])
    held.set(idOf(9), [{ state: 'recovered', batch }])
    // Recovered once, and refused again since.
    held.set(idOf(12), [{ state: 'recovered', batch: 'an-earlier-one' }])
    expect(await runRecover()).toBe(0)
    expect(inLake().size).toBe(17)
    expect(inLake().has(idOf(12))).toBe(true)
    expect(relay.requests.filter(({ path: own }) => own === 'POST /admin/redrive')).toMatchObject([
      { body: { state: 'dead', ids: [idOf(3)] } },
    ])
    expect(printed.text()).toContain('Parked in the outbox, and redriven there: 1.')
    expect(printed.text()).toContain('Pending in the outbox, which sends them itself: 1.')
    expect(printed.text()).toContain('Recovered before: 1.')
  })

  it.each(['-0', '-12', '-r1-0', '-r12-3'])('asks for the event of the part %s', async (part) => {
    adobe().rule({ answer: { type: 'failLater' } })
    await post(1, { _id: `${idOf(1)}${part}` })
    adobe().clearRules()
    advance(20 * MINUTE)
    held.set(idOf(1), [{ state: 'pending' }])
    expect(await runRecover()).toBe(0)
    expect(inLake().size).toBe(0)
    expect(printed.text()).toContain('Pending in the outbox, which sends them itself: 1.')
  })

  it.each([
    ['mapped', 'AEP shows what the mapping made of it'],
    ['cut', 'AEP cut its text'],
  ] as const)('lists and never sends what is %s', async (failedBody, words) => {
    adobe().set({ failedBody })
    await twenty()
    const before = inletPosts()
    expect(await runRecover()).toBe(0)
    expect(inletPosts()).toBe(before)
    expect(printed.text()).toContain('These cannot be sent again')
    expect(printed.text()).toContain(words)
    expect(printed.text()).toContain(idOf(3))
  })

  it('names what AEP refuses at once, goes on, and ends with 1', async () => {
    await twenty()
    adobe().rule({ id: idOf(9), answer: { type: 'status', status: 400 } })
    expect(await runRecover()).toBe(1)
    expect(inLake().size).toBe(19)
    expect(printed.text()).toContain('AEP refused 1 at once')
  })

  it('sends nothing of another flow, nor of another sender in ours', async () => {
    adobe().rule({ answer: { type: 'failLater' } })
    await post(1, { eventType: 'other.event' })
    await post(2, { _id: 'not-ours' })
    adobe().clearRules()
    advance(20 * MINUTE)
    const before = inletPosts()
    expect(await runRecover()).toBe(0)
    expect(inletPosts()).toBe(before)
    expect(printed.text()).toContain('in a form that the relay does not send')
    expect(printed.text()).toContain(
      'Failed rows that name no event of this relay, and cannot be sent again: 1.',
    )
  })

  it.each([
    ['--rate', '0'],
    ['--rate', 'x'],
    ['--nonsense', 'x'],
  ])('ends with 2 for %s %s', async (...args) => {
    expect(await runRecover(args)).toBe(2)
  })
})

describe('the text of a record', () => {
  it('keeps every digit, in both forms', () => {
    const record = '{"_id":"x","n":9007199254740993,"e":1e400,"s":"1.0","f":1.50}'
    const object = `{"body":${record},"_errors":[]}`
    const text = JSON.stringify({ body: record, _errors: '[]' })
    const bare = record.replace('}', ',"_errors":[]}')
    for (const line of [object, text, bare]) expect(recordText(line, 'raw')).toBe(record)
    const xdm = `{"body":{"xdmMeta":{},"xdmEntity":${record}}}`
    expect(recordText(xdm, 'xdm')).toBe(record)
  })
})
