import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { type DemoWorld, runDemo } from '../../src/cli/start/demo.ts'
import { readableLine } from '../../src/cli/start/log-lines.ts'
import { readOptions } from '../../src/cli/start/options.ts'
import { guide } from '../../src/cli/start/report.ts'

const RUN = fileURLToPath(new URL('../../src/cli/run.mjs', import.meta.url))
const ESCAPE = '\u001b'

function start(args: string[], env: Record<string, string>) {
  const ports = ['--port', '0', '--aep-port', '0']
  const { NO_COLOR, FORCE_COLOR, ...inherited } = process.env
  return new Promise<{ code: number; output: string }>((resolve) => {
    execFile(
      process.execPath,
      [RUN, 'start', ...args, ...ports],
      { env: { ...inherited, ...env } },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr })
      },
    )
  })
}

const tooWide = (text: string) =>
  stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => line.length > 80)

describe('npm start -- --once', () => {
  let raw: { code: number; output: string }
  let coloured: string
  beforeAll(async () => {
    raw = await start(['--once'], { FORCE_COLOR: '1' })
    coloured = raw.output
    raw.output = stripVTControlCharacters(coloured)
  })

  it('shows that AEP has a sample of each kind, and ends with 0', () => {
    expect(raw.code).toBe(0)
    for (const kind of [
      'Transcript',
      'OfflineMessage',
      'NewConversation',
      'Unanswered',
      'Feedback',
    ]) {
      expect(raw.output).toMatch(new RegExp(`✔ .* 200 forwarded +chatlio.${kind}`, 'i'))
    }
    expect(raw.output).not.toContain('✘')
  })

  it('says which events Profile would drop, and why', () => {
    expect(raw.output).toContain('Profile would drop 1 of them')
    expect(raw.output).toContain('transcript: no identity')
  })

  it('writes colours where they are asked for, and fits 80 columns', () => {
    expect(coloured).toContain(`${ESCAPE}[32m✔`)
    expect(tooWide(coloured)).toEqual([])
  })

  it('fits 80 columns and writes no colour codes where NO_COLOR is set', async () => {
    const { code, output } = await start(['--once', '--format', 'xdm'], { NO_COLOR: '1' })
    expect(code).toBe(0)
    expect(output).toContain('chatlio.transcript')
    expect(tooWide(output)).toEqual([])
    expect(output).not.toContain(ESCAPE)
  })
})

describe('npm start -- --demo', () => {
  it.each(['raw', 'xdm'])('loses nothing in an outage, and ends with 0 (%s)', async (format) => {
    const { code, output } = await start(['--demo', '--format', format], { NO_COLOR: '1' })
    const steps = [...output.matchAll(/^\d\. (.*)$/gm)].map(([, title]) => title)
    expect(steps).toEqual([
      'AEP works',
      'AEP fails',
      'Webhooks keep coming',
      'The relay reports it',
      'AEP returns',
      'The ledger balances',
    ])
    expect(output.match(/✔ \S+: 202 buffered/g)).toHaveLength(5)
    expect(output).toContain('✔ 5 accepted = 5 delivered + 0 pending + 0 dead')
    expect(output).not.toContain('✘')
    expect(output).toContain('Nothing was lost.')
    expect(tooWide(output)).toEqual([])
    expect(code).toBe(0)
  })

  it('holds when everything happens as promised', async () => {
    expect(await demo({})).toMatchObject({ held: true })
  })

  it.each<[string, Partial<Behaviour>, string]>([
    ['AEP lost one of the buffered events', { lost: true }, 'AEP has all 5'],
    ['a webhook of the outage was refused', { refuses: true }, '/chatlio/feedback: 503'],
    ['the ledger does not balance', { dead: 1 }, '5 accepted = 5 delivered'],
    ['/health did not see the outage', { blind: true }, '/health: {"status":"ok"}'],
    ['the outbox never empties', { stuck: true }, 'the outbox is empty'],
  ])('fails when %s, and names it', async (_, behaviour, claim) => {
    const { held, output } = await demo(behaviour)
    expect(held).toBe(false)
    expect(output).toContain(`✘ ${claim}`)
    expect(output).not.toContain('Nothing was lost.')
  })
})

type Behaviour = { lost: boolean; refuses: boolean; dead: number; blind: boolean; stuck: boolean }

/** Runs the demo against a relay that is made up: it does what `behaviour` says. */
async function demo(behaviour: Partial<Behaviour>): Promise<{ held: boolean; output: string }> {
  const { lost = false, refuses = false, dead = 0, blind = false, stuck = false } = behaviour
  let outage = false
  let next = 0
  const lake: string[] = []
  const waiting: string[] = []
  let accepted = 0
  const answer = (status: number, body: object) => Response.json(body, { status })
  const routes: Record<string, (init: RequestInit) => Response> = {
    '/_/rule': () => {
      outage = true
      return answer(200, {})
    },
    '/_/rules': () => {
      outage = false
      if (!stuck) lake.push(...waiting.splice(0).slice(lost ? 1 : 0))
      return answer(200, {})
    },
    '/_/lake': () => answer(200, { ids: lake }),
    '/health': () =>
      answer(
        200,
        outage && !blind ? { status: 'degraded', reasons: ['upstream'] } : { status: 'ok' },
      ),
    '/admin/status': () => {
      const pending = waiting.length
      const delivered = accepted - pending
      return answer(200, { accepted, delivered, pending, dead, quarantined: 0, erased: 0 })
    },
  }
  const fetch: DemoWorld['fetch'] = async (input, init = {}) => {
    const { pathname } = new URL(String(input))
    const route = routes[pathname]
    if (route) return route(init)
    next += 1
    const id = `event-${next}`
    if (!outage) {
      lake.push(id)
      return answer(200, { status: 'forwarded', id })
    }
    if (refuses && pathname === '/chatlio/feedback') return answer(503, { code: 'unavailable' })
    accepted += 1
    waiting.push(id)
    return answer(202, { status: 'buffered', id })
  }
  const lines: string[] = []
  const held = await runDemo({
    worker: 'http://worker.test',
    aep: 'http://aep.test',
    key: 'key',
    adminToken: 'token',
    fetch,
    print: (text) => lines.push(text),
    quit: new AbortController().signal,
    recoveryMs: 0,
  })
  return { held, output: stripVTControlCharacters(lines.join('\n')) }
}

describe('the guide', () => {
  it('fits 80 columns with the longest ports', () => {
    const text = guide({
      worker: 'http://127.0.0.1:65535',
      aep: 'http://127.0.0.1:65534',
      key: 'local-demo-webhook-key',
      adminToken: 'local-demo-admin-token',
    })
    expect(text).toContain('/chatlio/new-conversation?key=local-demo-webhook-key')
    expect(tooWide(text)).toEqual([])
  })
})

describe('a log line of the Worker', () => {
  const at = new Date(2026, 10, 24, 9, 5, 7)
  const readable = (line: string) => stripVTControlCharacters(readableLine(line, at) ?? 'nothing')

  it('is a sentence with the time before it', () => {
    const fields = {
      event: 'webhook',
      id: 'a1',
      kind: 'feedback',
      outcome: 'forwarded',
      status: 200,
    }
    const line = JSON.stringify({ ...fields, upstreamStatus: 200, ms: 12, bytes: 240 })
    expect(readable(line)).toBe(
      '09:05:07  feedback: forwarded (200) in 12 ms upstreamStatus=200 bytes=240',
    )
  })

  it('shows the whole id of an event that is stored, within 80 columns', () => {
    const id = 'f'.repeat(64)
    const fields = {
      event: 'webhook',
      id,
      kind: 'new-conversation',
      outcome: 'buffered',
      status: 202,
    }
    const text = readable(JSON.stringify({ ...fields, ms: 3000, bytes: 740, code: 'upstream' }))
    expect(text).toContain(`id=${id}`)
    expect(tooWide(text)).toEqual([])
  })

  it('shows every field of an event that it does not know', () => {
    expect(readable('{"event":"novel","shard":"shard-0","count":3,"list":["a"]}')).toBe(
      '09:05:07  novel shard=shard-0 count=3 list=["a"]',
    )
  })

  it('of wrangler is shown without the key, and only where it says something new', () => {
    expect(readable('[wrangler:info] POST /chatlio 200 OK')).toBe('nothing')
    expect(readable('🪵  Logs were written to "/tmp/x/wrangler.log"')).toBe('nothing')
    expect(readable('failed: http://127.0.0.1:8787/chatlio?key=secret-key&x=1')).toBe(
      'failed: http://127.0.0.1:8787/chatlio?key=…&x=1',
    )
  })

  it('carries no control character to the terminal', () => {
    expect(readable('{"event":"error","name":"a\\u001b[2Jb"}')).toBe('09:05:07  error name=a·[2Jb')
  })
})

describe('the command line', () => {
  it('takes every option, and names the one that is wrong', () => {
    expect(
      readOptions(['--demo', '--port', '9001', '--aep-port', '9002', '--format', 'xdm']),
    ).toEqual({
      demo: true,
      once: false,
      port: 9001,
      aepPort: 9002,
      format: 'xdm',
    })
    expect(readOptions(['--port', '65536'])).toEqual({
      wrong: '--port is a number from 0 to 65535.',
    })
    expect(readOptions(['--port', '0', '--aep-port', '0'])).toMatchObject({ port: 0, aepPort: 0 })
    expect(readOptions(['--port', '9', '--aep-port', '9'])).toEqual({
      wrong: '--port and --aep-port must differ.',
    })
  })
})
