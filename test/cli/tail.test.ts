/** `npm run tail`: what `wrangler tail --format json` prints, as a person reads it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { main } from '../../src/cli/tail/main.ts'

const AT = Date.UTC(2026, 10, 24, 9, 15, 2)
const ID = '3f2a9c1b2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8'
const KEY = 'a-webhook-key-that-must-not-show'
const URL_WITH_KEY = `https://relay.example.com/chatlio/transcript?key=${KEY}`

let directory: string
let output: string[]
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tail-test-'))
  output = []
  vi.stubEnv('NO_COLOR', '1')
  vi.spyOn(console, 'log').mockImplementation((text: string) => output.push(text))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

/** As wrangler prints it: indented by four, an object over many lines. */
function printed(...events: object[]): string {
  return events.map((event) => `${JSON.stringify(event, null, 4)}\n`).join('')
}

/** The lines that come of it. */
async function tail(text: string, ...args: string[]): Promise<string[]> {
  const file = path.join(directory, 'tail.json')
  writeFileSync(file, text)
  expect(await main(['--file', file, ...args])).toBe(0)
  return output.join('\n').split('\n')
}

type Log = { level?: string; message: unknown[] }

function invocation(logs: Log[], more: object = {}): object {
  return {
    wallTime: 12,
    outcome: 'ok',
    scriptName: 'chatlio-edge-relay',
    eventTimestamp: AT,
    exceptions: [],
    logs: logs.map((log) => ({ level: 'log', timestamp: AT, ...log })),
    event: {
      request: { url: URL_WITH_KEY, method: 'POST', headers: { host: 'relay.example.com' } },
      response: { status: 200 },
    },
    ...more,
  }
}

const own = (fields: object, level = 'log'): Log => ({ level, message: [JSON.stringify(fields)] })
const forwarded = {
  event: 'webhook',
  id: ID,
  kind: 'transcript',
  outcome: 'forwarded',
  status: 200,
  ms: 180,
}
const buffered = { ...forwarded, outcome: 'buffered', status: 202, code: 'unavailable' }

describe('one event, one line', () => {
  it('has the time, what it is, kind, outcome, status and a short id', async () => {
    expect(await tail(printed(invocation([own(forwarded)])))).toEqual([
      '09:15:02  webhook     transcript forwarded 200 3f2a9c1b 180 ms',
    ])
  })

  it('reads the relay’s own lines as `wrangler dev` prints them, which has no time', async () => {
    const warning =
      '\u001b[33m▲ \u001b[43;33m[\u001b[43;30mWARNING\u001b[43;33m]\u001b[0m \u001b[1m'
    const text = `${JSON.stringify(forwarded)}\n${warning}${JSON.stringify(buffered)}\u001b[0m\n`
    expect(await tail(text)).toEqual([
      '--:--:--  webhook     transcript forwarded 200 3f2a9c1b 180 ms',
      '--:--:--  webhook     transcript buffered unavailable 202 3f2a9c1b 180 ms',
    ])
    expect((await tail(text, '--errors')).slice(2)).toEqual([expect.stringContaining('buffered')])
  })

  it('reads events that follow each other, over many lines or on one', async () => {
    const lines = await tail(
      printed(invocation([own(forwarded)]), invocation([own(buffered, 'warn')])) +
        `${JSON.stringify(invocation([own(forwarded)]))}\n`,
    )
    expect(lines.map((line) => line.split(/ +/)[3])).toEqual(['forwarded', 'buffered', 'forwarded'])
  })

  it('keeps each line of the relay when one invocation has several', async () => {
    const drain = { event: 'drain', shard: '0', sent: 2, accepted: 1, pending: 3 }
    const dead = {
      event: 'dead-letter',
      shard: '0',
      id: ID,
      kind: 'feedback',
      code: 'rejected',
      status: 400,
    }
    const event = { scheduledTime: new Date(AT).toISOString() }
    expect(
      await tail(printed(invocation([own(dead, 'error'), own(drain, 'warn')], { event }))),
    ).toEqual([
      '09:15:02  dead-letter feedback rejected 400 3f2a9c1b shard=0',
      '09:15:02  drain       shard=0 sent=2 accepted=1 pending=3',
    ])
  })

  it('fits 80 columns in the usual cases, and is never more than one line', async () => {
    const usual = { ...buffered, kind: 'offline-message', id: ID, upstreamStatus: undefined }
    const long = { ...buffered, detail: 'words '.repeat(900) }
    const lines = await tail(printed(invocation([own(usual, 'warn'), own(long, 'warn')])))
    expect(lines).toHaveLength(2)
    expect(lines[0]?.length).toBeLessThanOrEqual(80)
    expect(lines[1]?.length).toBeLessThan(1_100)
  })

  it('shows the fingerprint of a key', async () => {
    expect(await tail(printed(invocation([own({ ...forwarded, key: 'ab12cd' })])))).toEqual([
      expect.stringContaining('key:ab12cd'),
    ])
  })
})

describe('what is not the relay’s own', () => {
  it('is shown compactly: a request without a log line, a cron run, an alarm, a call', async () => {
    const quiet = (event: object) => invocation([], { event })
    expect(
      await tail(
        printed(
          invocation([]),
          quiet({ cron: '*/5 * * * *', scheduledTime: AT }),
          quiet({ scheduledTime: new Date(AT).toISOString() }),
          quiet({ rpcMethod: 'wake' }),
        ),
      ),
    ).toEqual([
      '09:15:02  request     POST /chatlio/transcript 200',
      '09:15:02  cron        */5 * * * *',
      '09:15:02  alarm',
      '09:15:02  rpc         wake',
    ])
  })

  it('is shown as text: a foreign log line, and a line that is no JSON', async () => {
    const lines = await tail(
      `Connected.\n${printed(invocation([{ message: ['hello', { a: 1 }] }]))}`,
    )
    expect(lines).toEqual([
      '--:--:--  wrangler    Connected.',
      '09:15:02  log         hello {"a":1}',
    ])
  })

  it('does not hide an object that was cut off', async () => {
    const cut = printed(invocation([own(forwarded)])).slice(0, 200)
    const lines = await tail(`${cut}\n${printed(invocation([own(buffered)]))}`)
    expect(lines[0]).toContain('wrangler')
    expect(lines.at(-1)).toContain('buffered')
  })
})

describe('failures', () => {
  it('shows exceptions, and an outcome that is not ok', async () => {
    const exceptions = [
      { name: 'TypeError', message: `no fetch of ${URL_WITH_KEY}`, timestamp: AT },
    ]
    expect(await tail(printed(invocation([], { outcome: 'exception', exceptions })))).toEqual([
      '09:15:02  exception   TypeError: no fetch of https://relay.example.com/chatlio/transcript?key=…',
      '09:15:02  request     POST /chatlio/transcript 200 exception',
    ])
  })

  it('shows that Cloudflare has begun to drop lines', async () => {
    const event = { type: 'overload', message: 'Tail is currently in sampling mode.' }
    expect(
      await tail(printed({ eventTimestamp: AT, event, logs: [], exceptions: [] }), '--errors'),
    ).toEqual(['09:15:02  sampling    Tail is currently in sampling mode.'])
  })

  it('is all that is left with --errors', async () => {
    const lines = await tail(
      printed(
        invocation([own(forwarded)]),
        invocation([]),
        invocation([own(buffered, 'warn')]),
        invocation([], { outcome: 'exceededCpu' }),
      ),
      '--errors',
    )
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain('buffered')
    expect(lines[1]).toContain('exceededCpu')
  })
})

describe('what never reaches the terminal', () => {
  it('is a webhook key, wherever it stands', async () => {
    const encoded = encodeURIComponent(URL_WITH_KEY)
    await tail(
      `Tailing ${URL_WITH_KEY}\n` +
        printed(
          invocation([{ message: [URL_WITH_KEY, { url: URL_WITH_KEY }, encoded] }]),
          invocation([own({ event: 'new-event', url: URL_WITH_KEY, key: KEY })]),
          invocation([], { exceptions: [{ name: 'Error', message: URL_WITH_KEY }] }),
          invocation([], { event: { request: { url: `not a url?key=${KEY}`, method: 'GET' } } }),
        ),
    )
    expect(output.join('\n')).toContain('new-event')
    expect(output.join('\n')).not.toContain(KEY)
  })

  it('is a control character that came from outside', async () => {
    const evil = '\u001b[2J\u001b]0;owned\u0007 \u202e\u009b31m'
    await tail(
      `${evil}\n` +
        printed(
          invocation([{ message: [evil] }, own({ event: 'webhook', kind: evil, outcome: evil })]),
          invocation([], { outcome: evil, exceptions: [{ name: evil, message: evil }] }),
          { event: { type: 'overload', message: evil } },
        ),
    )
    expect(output.length).toBeGreaterThan(5)
    expect(output.join('').match(/[\p{Cc}\p{Cf}]/u)).toBeNull()
    expect(output.join('')).toContain('\\x1b[2J')
  })
})
