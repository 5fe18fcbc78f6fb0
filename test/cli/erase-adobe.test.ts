/** `npm run erase --aep` and `--status`: the relay first, then one job at Adobe's Privacy Service, whatever happens. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { main } from '../../src/cli/erase/main.ts'
import { regulationHint } from '../../src/cli/erase/regulation.ts'
import { Bench, type Fetch } from './provision-support.ts'
import { RelayStandIn, type Suppression } from './relay-stand-in.ts'
import { ADMIN_TOKEN, capturePrinted } from './relay-test.ts'

const printed = capturePrinted()
const EMAIL = 'canary@example.com'
const VISITOR = 'canary-visitor'
const DAY = 86_400_000
const JOBS = '/data/core/privacy/jobs'

let bench: Bench
let relay: RelayStandIn
let directory: string
let inlet: { url: string; flowId: string }

beforeAll(async () => {
  bench = await Bench.start()
  expect((await bench.run(['--profile', '--yes'])).code).toBe(0)
  const value = (name: string) => new RegExp(`^${name} = "(.*)"`, 'm').exec(bench.toml)?.[1] ?? ''
  inlet = { url: value('AEP_ENDPOINT'), flowId: value('AEP_FLOW_ID') }
})
afterAll(() => bench.stop())
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'erase-adobe-'))
  relay = await RelayStandIn.start()
  relay.now = now
  await fetch(`${bench.adobe.url}/_/reset`, { method: 'POST' })
})
afterEach(async () => {
  relay.stop()
  await rm(directory, { recursive: true, force: true })
})

const adobe = () => bench.adobe.adobe
const now = () => Date.parse(clock) + ahead
let clock = new Date().toISOString()
let ahead = 0
/** Adobe's clock, and the command's. */
function days(count: number): void {
  adobe().advance(count * DAY)
  ahead += count * DAY
}
beforeEach(async () => {
  const response = await fetch(`${bench.adobe.url}/_/clock`)
  clock = ((await response.json()) as { now: string }).now
  ahead = 0
})

type Given = { env?: Record<string, string>; fetch?: Fetch; at?: string }
function run(args: readonly string[], { env = {}, fetch = globalThis.fetch, at }: Given = {}) {
  return main(args, {
    env: { ...bench.env, ADMIN_TOKEN, ...env },
    directory: at ?? directory,
    now,
    io: { fetch, sleep: () => Promise.resolve(), random: () => 0 },
  })
}
const erase = (more: readonly string[] = [], given: Given = {}) =>
  run(['--url', relay.url, '--email', EMAIL, '--visitor', VISITOR, '--aep', ...more], given)

/** As the relay sends it: what the mapping makes identities of stands beside the visitor. */
async function post(id: string, visitor: { UUID?: string; email: string }): Promise<void> {
  const identity = { visitor: visitor.UUID, email: visitor.email }
  await fetch(inlet.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-adobe-flow-id': inlet.flowId },
    body: JSON.stringify({ _id: id, timestamp: '2026-11-24T12:00:00.000Z', visitor, identity }),
  })
}
const asked = () =>
  adobe().platformRequests.filter(({ method, path }) => method === 'POST' && path === JOBS)
function onlyReceipt() {
  // Beside it stands what keeps a second run waiting.
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'))
  expect(names).toEqual([expect.stringMatching(/^erase-\d{4}-\d\d-\d\d-[0-9a-f]{16}\.json$/)])
  const file = path.join(directory, names[0] ?? '')
  const text = readFileSync(file, 'utf8')
  return { file, text, receipt: JSON.parse(text) }
}
async function jobs(): Promise<{ key: string; userIDs: { namespace: string; type: string }[] }[]> {
  const { send } = bench.api
  const path = `${JOBS}?regulation=gdpr`
  const answer = (await send({ method: 'GET', path })) as unknown as { jobDetails: Job[] }
  return answer.jobDetails.map(({ userKey, userIds }) => ({ key: userKey, userIDs: userIds }))
}
type Job = { userKey: string; userIds: { namespace: string; type: string }[] }

describe('erase --aep', () => {
  it('leaves nothing of the person: not in lake and Profile, in no file, in no line', async () => {
    await post('chat', { UUID: VISITOR, email: EMAIL })
    await post('mail', { email: EMAIL })
    await post('other', { UUID: 'other', email: 'other@example.com' })
    relay.held.set(EMAIL, 2)
    expect(await erase()).toBe(0)
    const { file, text, receipt } = onlyReceipt()
    expect(receipt).toMatchObject({
      relay: relay.url,
      identities: { email: 1, visitor: 1 },
      matched: 2,
      erased: 2,
      nothingLeft: true,
      regulation: 'gdpr',
      suppressions: ['s-1', 's-2'],
      job: { ids: [expect.any(String)], status: 'submitted' },
    })
    expect(printed.text()).toContain(`--status ${file}`)
    expect(await jobs()).toMatchObject([
      {
        key: receipt.key,
        userIDs: [
          { namespace: 'Email', type: 'standard' },
          { namespace: 'Email', type: 'unregistered' },
          { namespace: expect.stringMatching(/^\d+$/), type: 'namespaceId' },
          { namespace: 'ChatlioVisitor', type: 'unregistered' },
        ],
      },
    ])
    expect(await run(['--status', file])).toBe(4)
    days(16)
    expect(await run(['--status', file])).toBe(0)
    expect(adobe().lake.map(({ _id }) => _id)).toEqual(['other'])
    expect(
      adobe()
        .profile()
        .kept.map(({ _id }) => _id),
    ).toEqual(['other'])
    expect(onlyReceipt().receipt.job).toMatchObject({
      status: 'complete',
      products: [{ product: 'aepDataLake', status: 'complete' }, {}, {}],
    })
    const all = printed.text() + text + onlyReceipt().text
    expect(all).not.toContain('canary')
    expect(all).not.toContain(ADMIN_TOKEN)
    expect(all).not.toContain('local-client-secret')
  })

  it('asks the relay first, and Adobe not at all when the relay fails', async () => {
    expect(await erase(['--admin-token', 'wrong'])).toBe(1)
    expect(asked()).toEqual([])
    expect(readdirSync(directory)).toEqual([])
  })

  it('has the key on the disk before the request leaves', async () => {
    let seen = ''
    await erase([], {
      fetch: (input, init) => {
        if (init?.method === 'POST' && String(input).endsWith(JOBS)) {
          seen = JSON.parse(readFileSync(onlyReceipt().file, 'utf8')).key
          expect(JSON.parse(String(init.body)).users[0].key).toBe(seen)
        }
        return fetch(input, init)
      },
    })
    expect(seen).not.toBe('')
  })

  it.each([
    ['is lost', { type: 'reset', recorded: true } as const],
    ['is a 503', { type: 'status', status: 503, recorded: true } as const],
    ['is no JSON', { type: 'garbage', garbage: 'html', recorded: true } as const],
    ['names no job', { type: 'status', status: 202, body: {}, recorded: true } as const],
  ])('makes one job when the answer %s', async (_, answer) => {
    adobe().rule({ on: 'platform', method: 'POST', path: JOBS, times: 1, answer })
    expect(await erase()).toBe(0)
    expect(asked()).toHaveLength(1)
    expect(await jobs()).toHaveLength(1)
    expect(onlyReceipt().receipt.job.ids).toHaveLength(1)
  })

  it('makes one job when the answer is lost at midnight, and Adobe is in the next day', async () => {
    const untilMidnight = DAY - (now() % DAY)
    adobe().advance(untilMidnight + 1_000)
    ahead = untilMidnight - 1_000
    const answer = { type: 'reset', recorded: true } as const
    adobe().rule({ on: 'platform', method: 'POST', path: JOBS, times: 1, answer })
    expect(await erase()).toBe(0)
    expect(asked()).toHaveLength(1)
    expect(onlyReceipt().receipt.job.ids).toHaveLength(1)
  })

  it('asks again when the request itself did not arrive', async () => {
    adobe().rule({
      on: 'platform',
      method: 'POST',
      path: JOBS,
      times: 2,
      answer: { type: 'reset' },
    })
    expect(await erase()).toBe(0)
    expect(await jobs()).toHaveLength(1)
  })

  it('makes one job, killed at any moment and run again', async () => {
    for (const effect of ['before', 'after']) {
      for (let at = 1; at < 20; at += 1) {
        await fetch(`${bench.adobe.url}/_/reset`, { method: 'POST' })
        for (const name of readdirSync(directory)) await rm(path.join(directory, name))
        const ended = await killedAt(at, effect === 'after')
        if (ended === 0) {
          expect(at).toBeGreaterThan(3)
          break
        }
        expect([effect, at, await erase()]).toEqual([effect, at, 0])
        expect([effect, at, await jobs()]).toMatchObject([effect, at, [{}]])
        expect((await jobs())[0]?.key).toBe(onlyReceipt().receipt.key)
      }
    }
  })

  /** The process is gone at its Nth request to Adobe, before or after Adobe has it: nothing more of it happens. */
  function killedAt(at: number, arrives: boolean): Promise<number> {
    let count = 0
    return new Promise((resolve, reject) => {
      const never = new Promise<never>(() => {})
      const dying: Fetch = async (input, init) => {
        count += 1
        if (count !== at) return count > at ? never : fetch(input, init)
        if (arrives) await fetch(input, init)
        resolve(-1)
        return never
      }
      erase([], { fetch: dying }).then(resolve, reject)
    })
  }

  it('asks for another person while the first job runs, and for the same one after its end', async () => {
    expect(await erase()).toBe(0)
    expect(await erase()).toBe(0)
    expect(await jobs()).toHaveLength(1)
    await run(['--url', relay.url, '--email', 'other@example.com', '--aep'])
    expect(await jobs()).toHaveLength(2)
    days(16)
    expect(await erase()).toBe(0)
    expect(await jobs()).toHaveLength(3)
  })

  it('says what is missing when Adobe refuses, and leaves no job open', async () => {
    adobe().rule({
      on: 'platform',
      method: 'POST',
      path: JOBS,
      answer: { type: 'status', status: 403, body: { message: `not for ${EMAIL}` } },
    })
    expect(await erase()).toBe(1)
    expect(printed.text()).toContain('Privacy Read and Privacy Write')
    expect(printed.text()).not.toContain('canary')
    expect(onlyReceipt().receipt.job).toBeNull()
    adobe().clearRules()
    expect(await run(['--status', onlyReceipt().file])).toBe(4)
  })

  it('names a namespace that is not there', async () => {
    expect(await erase([], { env: { AEP_VISITOR_NAMESPACE: 'Other' } })).toBe(1)
    expect(printed.text()).toContain('has no namespace Other')
    expect(printed.text()).not.toContain('Adobe answered')
    expect(asked()).toEqual([])
  })

  it('names AEP_IMS_URL where nothing answers there, and no option that it does not take', async () => {
    expect(await erase([], { env: { AEP_IMS_URL: 'http://127.0.0.1:9' } })).toBe(1)
    expect(printed.text()).toContain('That is AEP_IMS_URL')
    expect(printed.text()).not.toContain('--requests')
  })

  it('passes the regulation on, with a hint where Adobe may not know it', async () => {
    expect(await erase(['--regulation', 'ccpa'])).toBe(0)
    expect(printed.text()).not.toContain('Did you mean')
    printed.forget()
    expect(await erase(['--regulation', 'gdrp'])).toBe(1)
    expect(printed.text()).toContain('Did you mean gdpr?')
  })

  it('is not asked for where no receipt can be written, and says so', async () => {
    expect(await erase([], { at: path.join(directory, 'none') })).toBe(2)
    expect(printed.text()).toContain(`No receipt can be written in ${directory}/none (ENOENT)`)
    expect(asked()).toEqual([])
  })

  it('needs the credential, before anything is done', async () => {
    expect(await erase([], { env: { AEP_CLIENT_SECRET: '' } })).toBe(2)
    expect(printed.text()).toContain('AEP_CLIENT_SECRET')
    expect(relay.requests).toEqual([])
  })
})

describe('erase --status', () => {
  it('says that nobody was found, instead of done', async () => {
    await post('chat', { UUID: 'somebody', email: 'else@example.com' })
    expect(await erase()).toBe(0)
    const { file } = onlyReceipt()
    days(16)
    printed.forget()
    expect(await run(['--status', file, '--env', 'staging'])).toBe(4)
    expect(printed.text()).toContain('has found nobody')
    expect(printed.text()).toContain('`npm run provision -- --env staging --status`')
  })

  type UserId = { namespace: string; value: string; type: string }
  const visitorAs = (namespace: string, type: string) => (one: UserId) =>
    one.type === 'namespaceId' ? { ...one, namespace, type } : one
  const never = (one: UserId) => (one.type === 'unregistered' ? { ...one, type: 'custom' } : one)

  it.each([
    ['its code as a name', visitorAs('ChatlioVisitor', 'custom'), {}],
    ['its name as one of Adobe’s', visitorAs('Chatlio Visitor', 'standard'), {}],
    ['a number that is none', visitorAs('99999999', 'namespaceId'), {}],
    ['a name as a code', visitorAs('Chatlio Visitor', 'integrationCode'), {}],
    ['another namespace, by its number', (one: UserId) => one, { AEP_VISITOR_NAMESPACE: 'Phone' }],
  ])(
    'says that nobody was found by %s, and finds them once that is right',
    async (_, wrong, env) => {
      await post('chat', { UUID: VISITOR, email: EMAIL })
      const altered: Fetch = (input, init) => {
        if (init?.method !== 'POST' || !String(input).endsWith(JOBS)) return fetch(input, init)
        const body = JSON.parse(String(init.body))
        body.users[0].userIDs = body.users[0].userIDs.map(wrong).map(never)
        return fetch(input, { ...init, body: JSON.stringify(body) })
      }
      const args = ['--url', relay.url, '--visitor', VISITOR, '--aep']
      expect(await run(args, { env, fetch: altered })).toBe(0)
      const { file } = onlyReceipt()
      days(16)
      printed.forget()
      expect(await run(['--status', file])).toBe(4)
      expect(printed.text()).toContain('has found nobody')
      expect(printed.text()).toContain('nothing was deleted')
      expect(adobe().lake).toHaveLength(1)
      expect(adobe().profile().kept).toHaveLength(1)
      await rm(file)
      expect(await run(args)).toBe(0)
      days(16)
      expect(await run(['--status', onlyReceipt().file])).toBe(0)
      expect(adobe().lake).toEqual([])
      expect(adobe().profile().kept).toEqual([])
    },
  )

  it('does not say done when Adobe knew a part of the namespaces only', async () => {
    await post('mail', { email: EMAIL })
    const altered: Fetch = (input, init) =>
      fetch(input, {
        ...init,
        ...(init?.body && { body: String(init.body).replace('namespaceId', 'custom') }),
      })
    expect(await erase([], { fetch: altered })).toBe(0)
    days(16)
    printed.forget()
    expect(await run(['--status', onlyReceipt().file])).toBe(4)
    expect(printed.text()).toContain('a part of the identities')
    expect(printed.text()).toContain('AEP_VISITOR_NAMESPACE')
  })

  it('warns when the job outlives the suppression, and extends it when asked', async () => {
    expect(await erase(['--suppress-days', '10'])).toBe(0)
    const { file } = onlyReceipt()
    printed.forget()
    expect(await run(['--status', file, '--env', 'staging'])).toBe(4)
    expect(printed.text()).toContain('may stay in Adobe')
    expect(relay.requests.some(({ path }) => path === 'POST /admin/suppressions')).toBe(false)
    const [, extend = ''] = /`npm run erase -- ([^`]+)` extends it/.exec(printed.text()) ?? []
    printed.forget()
    expect(extend).toBe(`--env staging --status ${file} --extend`)
    expect(await run(extend.split(' '))).toBe(4)
    expect(printed.text()).toContain('Extended until')
    for (const { until } of relay.suppressed.values()) {
      expect(Date.parse(until)).toBeGreaterThan(now() + 44 * DAY)
    }
    printed.forget()
    expect(await run(['--status', file])).toBe(4)
    expect(printed.text()).toContain('as long as the job may take')
  })

  it('says how far Adobe is, also where it cannot keep it', async () => {
    expect(await erase()).toBe(0)
    const { file, text } = onlyReceipt()
    // In the way of what is written beside it.
    mkdirSync(`${file}.tmp`)
    printed.forget()
    days(16)
    await post('chat', { UUID: VISITOR, email: EMAIL })
    expect(await run(['--status', file])).toBe(4)
    expect(printed.text()).toContain('what follows is kept nowhere')
    expect(printed.text()).toContain('has found nobody')
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  it('is content with the default', async () => {
    expect(await erase()).toBe(0)
    printed.forget()
    expect(await run(['--status', onlyReceipt().file])).toBe(4)
    expect(printed.text()).toContain('as long as the job may take')
  })

  it('finds the suppression of this person among thousands', async () => {
    for (let other = 0; other < 3_000; other += 1) {
      const [since, until] = [0, 60].map((day) => new Date(now() + day * DAY).toISOString())
      relay.suppressed.set(`other-${other}`, { id: `o-${other}`, since, until } as Suppression)
    }
    expect(await erase(['--suppress-days', '10'])).toBe(0)
    printed.forget()
    expect(await run(['--status', onlyReceipt().file, '--extend'])).toBe(4)
    expect(printed.text()).toContain('Extended until')
  })

  it('says what to do where the relay lists no suppressions', async () => {
    relay.listsSuppressions = false
    expect(await erase(['--suppress-days', '10'])).toBe(0)
    printed.forget()
    expect(await run(['--status', onlyReceipt().file, '--extend'])).toBe(4)
    expect(printed.text()).toContain('suppresses anew')
  })

  it('ends with 2 on a file that is no receipt', async () => {
    expect(await run(['--status', bench.config])).toBe(2)
    expect(await run(['--status', path.join(directory, 'none.json')])).toBe(2)
    expect(await run(['--status', bench.config, '--email', EMAIL])).toBe(2)
  })
})

describe('the printed request', () => {
  it('has all identities, by name where nothing can be looked up', async () => {
    const env = { AEP_CLIENT_ID: '', AEP_ORG_ID: '' }
    const args = ['--url', relay.url, '--email', 'Ada@Example.com', '--visitor', VISITOR]
    expect(await run(args, { env })).toBe(0)
    const [, request = ''] = printed.text().split(`POST https://platform.adobe.io${JOBS}`)
    expect(JSON.parse(request)).toMatchObject({
      companyContexts: [{ namespace: 'imsOrgID', value: 'YOUR_ORG_ID@AdobeOrg' }],
      users: [
        {
          action: ['delete'],
          userIDs: [
            { namespace: 'Email', value: 'ada@example.com', type: 'standard' },
            { namespace: 'Email', value: 'ada@example.com', type: 'unregistered' },
            { namespace: 'Chatlio Visitor', value: VISITOR, type: 'custom' },
            { namespace: 'ChatlioVisitor', value: VISITOR, type: 'unregistered' },
          ],
        },
      ],
      include: ['aepDataLake', 'ProfileService', 'identity'],
      regulation: 'gdpr',
    })
    expect(readdirSync(directory)).toEqual([])
  })

  it('has the number of the namespace where it can, and is one that Adobe takes', async () => {
    const args = ['--url', relay.url, '--visitor', VISITOR, '--visitor', 'second', '--dry-run']
    expect(await run(args)).toBe(0)
    const [, request = ''] = printed.text().split(`POST https://platform.adobe.io${JOBS}`)
    const body = JSON.parse(request)
    expect(body.users[0].userIDs.map(({ type }: { type: string }) => type)).toEqual([
      'namespaceId',
      'unregistered',
      'namespaceId',
      'unregistered',
    ])
    await bench.api.send({ method: 'POST', path: JOBS, body })
    expect(await jobs()).toHaveLength(1)
    expect(relay.suppressed.size).toBe(0)
  })

  it.each([
    [
      'Andre\u0301\uff20b\u00fccher.example',
      ['andr\u00e9@b\u00fccher.example', 'andr\u00e9@xn--bcher-kva.example'],
    ],
    ['ADA@XN--BCHER-KVA.example', ['ada@b\u00fccher.example', 'ada@xn--bcher-kva.example']],
    ['Ada@example.com', ['ada@example.com']],
  ])('has each spelling under which it can have been sent: %s', async (typed, spellings) => {
    expect(await run(['--url', relay.url, '--email', typed, '--dry-run'])).toBe(0)
    const [, request = ''] = printed.text().split(`POST https://platform.adobe.io${JOBS}`)
    const values = JSON.parse(request).users[0].userIDs.map(({ value }: { value: string }) => value)
    expect(values).toEqual(spellings.flatMap((each) => [each, each]))
    printed.forget()
    const three = ['--visitor', 'a', '--visitor', 'b', '--visitor', 'c']
    const most = await run(['--url', relay.url, '--email', typed, ...three])
    expect(most).toBe(spellings.length === 1 ? 0 : 2)
  })

  it('holds at most four identities', async () => {
    const five = Array.from({ length: 5 }, (_, each) => ['--visitor', `v${each}`]).flat()
    expect(await run(['--url', relay.url, ...five])).toBe(2)
    expect(printed.text()).toContain('At most 4')
    const twice = ['--email', 'a@b.c', '--email', 'A@B.C ', '--visitor', 'v', '--visitor', 'v']
    printed.forget()
    expect(await run(['--url', relay.url, ...twice])).toBe(0)
    expect(printed.text()).toContain('"email": 1, "visitor": 1')
  })
})

describe('the hint at a regulation', () => {
  it.each([
    ['gdpr', null],
    ['ccpa', null],
    ['GDPR', 'gdpr'],
    ['cpra', 'cpra_ca_usa'],
    ['cpra_usa', 'cpra_ca_usa'],
    ['lgpd', 'lgpd_bra'],
    ['vcpda_va_usa', 'vcdpa_va_usa'],
  ])('%s: %s', (given, meant) => {
    if (meant === null) expect(regulationHint(given)).toBeNull()
    else expect(regulationHint(given)).toContain(`Did you mean ${meant}`)
  })

  it('names nothing where nothing is near', () => {
    expect(regulationHint('something_new')).toBe(
      "Adobe's list of regulations has no something_new; it is passed on as it is.",
    )
  })
})
