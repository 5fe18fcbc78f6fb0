/** Each call failing in each documented way: a clear message, the exit code, and nothing half-recorded. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bench, callOf, type Fetch, oneOfEach, TOML, VARIANTS } from './provision-support.ts'

type Failure = {
  name: string
  status: number
  body: unknown
  headers?: Record<string, string>
  /** Must be in the message: Adobe's code, its text, and what to do. */
  says: string[]
}

const flow = (code: string, message: string) => ({
  type: `https://ns.adobe.com/aep/errors/FLOW-${code}`,
  title: 'Title',
  status: Number(code.slice(-3)),
  report: { 'detailed-message': message },
  errorMessage: message,
})

const FAILURES: readonly Failure[] = [
  {
    name: 'a missing permission',
    status: 403,
    body: flow('2118-403', 'Missing permission.'),
    says: ['FLOW-2118-403', 'Missing permission.', 'Permissions'],
  },
  {
    name: 'a gateway that does not know the profile',
    status: 403,
    body: { error_code: '403025', message: 'Profile is not valid' },
    says: ['403025', 'Profile is not valid', 'AEP_ORG_ID'],
  },
  {
    name: 'a token that is not taken',
    status: 401,
    body: { error_code: '401013', message: 'Oauth token is not valid' },
    says: ['401013', 'AEP_CLIENT_ID'],
  },
  {
    name: 'a sandbox that does not exist',
    status: 404,
    body: flow('2101-404', 'The sandbox could not be found.'),
    says: ['FLOW-2101-404', 'AEP_SANDBOX'],
  },
  {
    name: 'a title that is taken',
    status: 400,
    body: {
      type: 'http://ns.adobe.com/aep/errors/XDM-1521-400',
      title: 'Title not unique',
      status: 400,
      report: { 'detailed-message': 'Object titles must be unique.', 'sub-errors': [] },
    },
    says: ['XDM-1521-400', 'Object titles must be unique.', '--name'],
  },
  {
    name: 'a bad request of the catalog',
    status: 400,
    body: { type: '/placeholder/type/uri', status: 400, title: 'BadRequestError', detail: 'no' },
    says: ['400', 'BadRequestError: no', '--dry-run'],
  },
  {
    name: 'a server that is down for good',
    status: 503,
    body: '<html>down</html>',
    says: ['503', 'later'],
  },
  {
    name: 'throttling for good',
    status: 429,
    body: {},
    headers: { 'retry-after': '7' },
    says: ['429', 'Wait some minutes'],
  },
]

let bench: Bench
beforeEach(async () => {
  bench = await Bench.start()
})
afterEach(() => bench.stop())

function failing(isIt: (call: string) => boolean, answer: () => Response): Fetch {
  return (input, init) =>
    isIt(callOf(input, init)) ? Promise.resolve(answer()) : bench.direct(input, init)
}

const answerOf = ({ status, body, headers = {} }: Failure) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })

/** Method and path of all calls of a run from nothing, ids cut off; the token's among them. */
async function callsOf(args: readonly string[]): Promise<readonly string[]> {
  const own = await Bench.start()
  const calls = new Set<string>()
  await own.run(args, {
    fetch: (input, init) => {
      calls.add(withoutIds(callOf(input, init)))
      return own.direct(input, init)
    },
  })
  await own.stop()
  return [...calls]
}

/** As one line: words may stand anywhere on it. */
const words = (text: string) => text.replaceAll(/\s+/g, ' ')

function withoutIds(call: string): string {
  return call.replace(
    /\/(flows|connections|schemas|fieldgroups|mappingSets)\/(?!preview)[^/]+$/,
    '/$1/ID',
  )
}

/** Between them they make every call there is; what both make is tried in the first. */
const [FIRST, SECOND] = [VARIANTS[3], VARIANTS[0]]

describe.each([
  [FIRST[0], FIRST[1], () => callsOf(FIRST[1])],
  [
    SECOND[0],
    SECOND[1],
    async () => {
      const already = await callsOf(FIRST[1])
      return (await callsOf(SECOND[1])).filter((call) => !already.includes(call))
    },
  ],
])('%s', (_, args, calls) => {
  it.each(FAILURES)('$name, in each call', async (failure) => {
    const tried = await calls()
    expect(tried).not.toEqual([])
    for (const call of tried) {
      if (call.startsWith('POST /ims')) continue
      await bench.stop()
      bench = await Bench.start()
      const isIt = (own: string) => withoutIds(own) === call
      const { code, err, slept } = await bench.run(args, {
        fetch: failing(isIt, () => answerOf(failure)),
      })
      // A list whose filter is not taken is asked for without it, and only fails when that fails too.
      expect([call, code]).toEqual([call, 1])
      for (const text of failure.says)
        expect([call, words(err)]).toEqual([call, expect.stringContaining(text)])
      expect(words(err)).toContain(call.split('/ID')[0])
      expect(err).not.toContain(bench.env.AEP_CLIENT_SECRET)
      if (failure.headers) expect(Math.min(...slept.slice(0, 4))).toBe(7_000)
      expect(slept.length).toBeLessThan(20)
      expect(bench.toml).toBe(TOML)
      expect((await bench.run(args)).code).toBe(0)
      expect([call, await bench.counts()]).toEqual([call, oneOfEach(args)])
    }
  })

  it.each([
    ['a 500', () => new Response('{}', { status: 500 })],
    ['a 429', () => new Response('{}', { status: 429, headers: { 'retry-after': '1' } })],
    ['a connection that is cut', null],
    ['a token that has expired', () => Response.json({ error_code: '401013' }, { status: 401 })],
  ])('%s once in each call is nobody’s concern', async (__, answer) => {
    for (const call of await calls()) {
      if (call.startsWith('POST /ims') && answer?.().status === 401) continue
      await bench.stop()
      bench = await Bench.start()
      let isDue = true
      const { code, err } = await bench.run(args, {
        fetch: (input, init) => {
          if (!isDue || withoutIds(callOf(input, init)) !== call) return bench.direct(input, init)
          isDue = false
          return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError('fetch failed'))
        },
      })
      expect([call, code, err]).toEqual([call, 0, ''])
      expect([call, await bench.counts()]).toEqual([call, oneOfEach(args)])
    }
  })
})

describe('the token', () => {
  it.each([
    [{ AEP_CLIENT_SECRET: 'wrong' }, ['invalid_client', 'AEP_CLIENT_SECRET']],
    [{ AEP_CLIENT_ID: 'wrong' }, ['invalid_client', 'AEP_CLIENT_ID']],
    [{ AEP_ORG_ID: 'wrong@AdobeOrg' }, ['403025', 'AEP_ORG_ID']],
    [{ AEP_SANDBOX: 'nowhere' }, ['AEP_SANDBOX']],
  ])('%j', async (env, says) => {
    const { code, err } = await bench.run([], { env })
    expect(code).toBe(1)
    for (const text of says) expect(words(err)).toContain(text)
    expect(err).toContain('Nothing was changed.')
  })

  it('and nobody at the address: says so', async () => {
    const { code, err } = await bench.run([], { env: { AEP_PLATFORM_URL: 'http://127.0.0.1:9' } })
    expect(code).toBe(1)
    expect(err).toContain('no answer')
    expect(err).toContain('AEP_PLATFORM_URL')
  })
})

it('tells what exists so far', async () => {
  const { err } = await bench.run([], {
    fetch: failing(
      (call) => call === 'POST /data/foundation/catalog/dataSets',
      () => Response.json({ title: 'Forbidden' }, { status: 403 }),
    ),
  })
  expect(err).toContain('Dataset "Chatlio chat events"')
  expect(words(err)).toContain('Data Management: Manage Datasets')
  expect(err).toMatch(/So far there is:\n {2}Identity namespace "ChatlioVisitor", made/)
  expect(err).toMatch(/Schema "Chatlio chat events", made: https:\/\/ns\.adobe\.com/)
  expect(words(err)).toContain('continues from here')
})

it('on a terminal, stops what shows that something is under way', async () => {
  const isTarget = (call: string) =>
    call.endsWith('POST /data/foundation/flowservice/targetConnections')
  const refused = () => Response.json({}, { status: 403 })
  const { code, moving } = await bench.run([], { answer: true, fetch: failing(isTarget, refused) })
  expect([code, moving]).toEqual([1, 0])
})

it('a flow that Adobe does not enable ends with 1, and the next run continues', async () => {
  await bench.stop()
  bench = await Bench.start({ flowEnableMs: 3_600_000 })
  const { code, err, slept } = await bench.run([])
  expect(code).toBe(1)
  expect(err).toContain('initializing')
  expect(slept.length).toBeLessThan(100)
  expect(bench.toml).toBe(TOML)
})
