/** What an isolate reports, when, and what it hears; and what reports cost the outbox. */
import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import worker from '../../src/worker/index.ts'
import { TIMERS } from '../../src/worker/lib/bounded.ts'
import { RUNTIME } from '../../src/worker/lib/rim.ts'
import {
  EXCHANGE_TIMEOUT_MS,
  INFORMED_MS,
  MAX_BUFFERED_COUNTS,
  MAX_BUFFERED_RECEIPTS,
} from '../../src/worker/limits.ts'
import { INITIAL_AEP } from '../../src/worker/outbox/aep.ts'
import type { Outbox } from '../../src/worker/outbox/outbox.ts'
import { LookupHash } from '../../src/worker/outbox/records/lookup.ts'
import { isOverLimit } from '../../src/worker/outbox/records/records.ts'
import type { Exchanged, Report } from '../../src/worker/outbox/records/reports.ts'
import { type Answered, ReportBuffer, Reporter } from '../../src/worker/report.ts'
import { waits } from '../../src/worker/services.ts'
import { refuseWrites } from './outbox-support.ts'
import {
  BY_ITSELF,
  type Clock,
  conversation,
  drainAll,
  eachTest,
  KEY,
  outbox,
  type Relay,
  startRelay,
} from './support.ts'

let aep: LocalAdobe
let relay: Relay
let clock: Clock
let logs: string[]

eachTest((world) => {
  ;({ clock, aep, relay, logs } = world)
})

const rowsOf = (table: string) =>
  runInDurableObject(outbox(), (_, { storage }) =>
    Number(storage.sql.exec(`SELECT COUNT(*) AS n FROM ${table}`).one().n),
  )

/** What an isolate says of AEP that has asked nothing yet. */
const NOTHING_KNOWN = { accepted: null, settings: '' }

const webhook = (body: unknown) =>
  new Request(`https://relay.example/chatlio/feedback?key=${KEY}`, {
    method: 'POST',
    body: JSON.stringify(body),
  }) as never

const answered = (id: string, more: Partial<Answered> = {}): Answered => {
  const at = clock.now
  const subject = { conversation: 'c', visitors: ['v'], emails: ['e'] }
  const receipt = {
    id,
    kind: 'feedback' as const,
    receivedAt: at,
    settledAt: at,
    bytes: 1,
    subject,
  }
  const counted = { at, ms: 1, kind: 'feedback' as const, outcome: 'forwarded' as const }
  return {
    ...counted,
    key: 'abcdef',
    source: null,
    stranger: null,
    uninformed: false,
    receipt,
    redacted: {},
    ...more,
  }
}
const reporterOf = (
  exchange: (report: Report | null) => Promise<Exchanged>,
  wait: (ms: number) => Promise<void> = () => Promise.reject(new Error('not in tests')),
) =>
  new Reporter({
    exchange,
    learned: () => undefined,
    drift: () => [],
    now: () => clock.now,
    rim: RUNTIME,
    wait,
    isolate: crypto.randomUUID(),
  })
const idOf = (number: number) => number.toString(16).padStart(64, '0')

describe('the first webhook of an isolate', () => {
  it('knows of a pause and of a suppression before it is relayed', async () => {
    await relay.command('/erase', { visitor: 'canary' })
    const suppressed = await startRelay().post(
      'feedback',
      conversation({ visitor: { UUID: 'canary' } }),
    )
    expect(suppressed.body.status).toBe('suppressed')
    await relay.command('/pause')
    const paused = await startRelay().post('feedback', conversation())
    expect(paused.body.status).toBe('buffered')
    expect(aep.requests).toHaveLength(0)
  })

  it('is relayed all the same when the outbox does not answer within a second, and that is counted', async () => {
    let isDown = true
    const getByName = (name: string) => {
      const never = () => new Promise(() => undefined)
      return isDown ? { exchange: never, store: never } : env.OUTBOX.getByName(name)
    }
    const alone = startRelay({ OUTBOX: { getByName } })
    const { set } = TIMERS
    const waited: number[] = []
    vi.spyOn(TIMERS, 'set').mockImplementation((run, ms) => {
      if (!isDown || ms !== EXCHANGE_TIMEOUT_MS) return set(run, ms)
      waited.push(ms)
      return set(run, 0)
    })
    expect((await alone.post('feedback', conversation())).status).toBe(200)
    expect(waited).toEqual([1_000])
    expect(logs.join('\n')).toContain('exchange-failed')
    // Nobody waits for it again before ten seconds have passed.
    expect((await alone.post('feedback', conversation())).status).toBe(200)
    expect(waited).toHaveLength(1)
    isDown = false
    clock.advance(INFORMED_MS)
    await alone.post('feedback', conversation())
    await alone.report()
    const status = await outbox().status()
    expect([status.forwarded, status.uninformed]).toEqual([3, 2])
  })
})

describe('an isolate that has not exchanged for longer than commands wait', () => {
  it('asks before it relays; one that has does not', async () => {
    await relay.post('feedback', conversation())
    await relay.report()
    await startRelay().command('/pause')
    clock.advance(INFORMED_MS - 1)
    vi.spyOn(waits, 'wait').mockRejectedValue(new Error('not in tests'))
    expect((await relay.post('feedback', conversation())).body.status).toBe('forwarded')
    clock.advance(INFORMED_MS)
    expect((await relay.post('feedback', conversation())).body.status).toBe('buffered')
  })

  it.each([11, 12, 30, 59, 61, 3_600])(
    'knows who is suppressed since %i seconds',
    async (seconds) => {
      const isolate = startRelay()
      await isolate.post('feedback', conversation())
      await isolate.report()
      await startRelay().command('/erase', { visitor: 'canary' })
      clock.advance(seconds * 1_000)
      const theirs = await isolate.post('feedback', conversation({ visitor: { UUID: 'canary' } }))
      expect(theirs.body.status).toBe('suppressed')
    },
  )

  it('knows it when the body arrives, however slowly that comes', async () => {
    const isolate = startRelay()
    await isolate.post('feedback', conversation())
    await isolate.report()
    let erased = false
    const body = new ReadableStream(
      {
        async pull(controller) {
          if (!erased) await startRelay().command('/erase', { visitor: 'canary' })
          erased = true
          clock.advance(30_000)
          controller.enqueue(
            new TextEncoder().encode(JSON.stringify(conversation({ visitor: { UUID: 'canary' } }))),
          )
          controller.close()
        },
      },
      { highWaterMark: 0 },
    )
    const headers = { 'content-type': 'application/json' }
    const path = `/chatlio/feedback?key=${KEY}`
    const theirs = await isolate.send(path, { method: 'POST', body, headers })
    expect(theirs.body.status).toBe('suppressed')
  })

  it('goes by what it asked last, in whatever order answers come', async () => {
    const answers: ((heard: Exchanged) => void)[] = []
    const reporter = reporterOf(() => new Promise((resolve) => answers.push(resolve)))
    const raw = crypto.getRandomValues(new Uint8Array(32))
    const hash = await new LookupHash(raw, RUNTIME.hmac).of('visitor', 'canary')
    const heard = (version: string, suppressed: boolean): Exchanged => {
      const suppressions = suppressed ? [{ hash, since: 0, until: clock.now + 1_000_000 }] : []
      return { aep: INITIAL_AEP, taken: true, lookup: { key: raw, version, suppressions } }
    }
    const asked = [reporter.report(), reporter.report()]
    await vi.waitFor(() => expect(answers).toHaveLength(2), BY_ITSELF)
    answers[1]?.(heard('second', true))
    answers[0]?.(heard('first', false))
    await Promise.all(asked)
    const theirs = { conversation: null, visitors: ['canary'], emails: [] }
    expect(await reporter.isSuppressed(theirs)).toBe(true)
  })
})

describe('a warm isolate', () => {
  it('asks nothing of the outbox before it answers, and holds up no answer', async () => {
    const asked: string[] = []
    const getByName = (name: string) => {
      asked.push(`after ${aep.requests.length} requests to AEP`)
      return env.OUTBOX.getByName(name)
    }
    const own = startRelay({ OUTBOX: { getByName } })
    await own.post('feedback', conversation())
    expect(asked).toEqual(['after 0 requests to AEP'])
    clock.advance(10_000)
    await own.post('feedback', conversation())
    expect(asked.slice(1)).toEqual(['after 2 requests to AEP'])
    await own.post('feedback', conversation())
    expect(asked).toHaveLength(2)
  })

  it('keeps a request until what it left is reported, at most ten seconds, and one request for all', async () => {
    await relay.post('feedback', conversation())
    const waited: number[] = []
    const released = Promise.withResolvers<void>()
    vi.spyOn(waits, 'wait').mockImplementation((ms) => {
      waited.push(ms)
      return released.promise
    })
    const own = { ...env } as Env
    const send = async () => {
      const ctx = createExecutionContext()
      await worker.fetch(webhook(conversation()), own, ctx)
      return ctx
    }
    const first = await send()
    clock.advance(4_000)
    const second = await send()
    await waitOnExecutionContext(second)
    expect(waited).toEqual([10_000])
    expect(await rowsOf('reports')).toBe(0)
    released.resolve()
    await waitOnExecutionContext(first)
    expect(await rowsOf('reports')).toBe(1)
    expect((await outbox().status()).forwarded).toBe(2)
  })
})

describe('a report', () => {
  it('that was taken, but whose answer was lost, is sent again as it is, and counts once', async () => {
    const sent: (Report | null)[] = []
    let isLost = true
    const reporter = reporterOf(async (report) => {
      sent.push(report)
      const { taken, lookup } = await outbox().exchange(NOTHING_KNOWN, report, null)
      if (isLost) throw new Error('lost')
      return { aep: INITIAL_AEP, taken, lookup: { ...lookup, key: new Uint8Array(32) } }
    })
    reporter.record(answered(idOf(1)))
    await reporter.report()
    reporter.record(answered(idOf(2)))
    isLost = false
    await reporter.report()
    await reporter.report()
    expect(sent[1]).toBe(sent[0])
    expect(sent.map((report) => report?.sequence)).toEqual([1, 1, 2, undefined])
    expect((await outbox().status()).forwarded).toBe(2)
  })

  it.each([
    [0, 1, true],
    [1, 2, true],
    [2, 3, true],
    [3, 3, false],
  ])(
    'that the outbox fails to take %i times is sent %i times by one request, and no webhook need come',
    async (failures, tries, isTaken) => {
      const waited: number[] = []
      let asked = 0
      const reporter = reporterOf(
        async (report) => {
          asked += 1
          if (asked <= failures) throw new Error('no outbox')
          const { taken, lookup } = await outbox().exchange(NOTHING_KNOWN, report, null)
          return { aep: INITIAL_AEP, taken, lookup: { ...lookup, key: new Uint8Array(32) } }
        },
        async (ms) => {
          waited.push(ms)
          clock.advance(ms)
        },
      )
      reporter.record(answered(idOf(1), { receipt: null, outcome: 'unavailable' }))
      const kept: Promise<void>[] = []
      reporter.afterAnswer(clock.now, (work) => kept.push(work))
      await Promise.all(kept)
      expect(asked).toBe(tries)
      expect(waited).toEqual(Array.from({ length: tries - 1 }, () => 10_000))
      expect((await outbox().status()).unavailable).toBe(isTaken ? 1 : 0)
    },
  )

  it('that is sent again is followed by what has come since, and no other webhook need come', async () => {
    const sequences: (number | undefined)[] = []
    let isLost = false
    const reporter = reporterOf(
      async (report) => {
        if (isLost) throw new Error('no outbox')
        sequences.push(report?.sequence)
        const { taken, lookup } = await outbox().exchange(NOTHING_KNOWN, report, null)
        return { aep: INITIAL_AEP, taken, lookup }
      },
      async (ms) => clock.advance(ms),
    )
    await reporter.ready()
    isLost = true
    reporter.record(answered(idOf(1)))
    await reporter.report()
    reporter.record(answered(idOf(2)))
    isLost = false
    clock.advance(60_000)
    const kept: Promise<void>[] = []
    reporter.afterAnswer(clock.now, (work) => kept.push(work))
    await Promise.all(kept)
    expect(sequences).toEqual([undefined, 1, 2])
    expect((await outbox().status()).forwarded).toBe(2)
  })

  it('counts once also when reports have been folded meanwhile, and over an eviction', async () => {
    const report: Report = {
      isolate: 'one',
      sequence: 7,
      forwarded: 1,
      uninformed: 0,
      counts: [],
      receipts: [],
      keys: {},
      strangers: {},
      drift: [],
    }
    await outbox().exchange(NOTHING_KNOWN, report, null)
    clock.advance(3_700_000)
    await relay.scheduled()
    expect(await rowsOf('reports')).toBe(0)
    await outbox().exchange(NOTHING_KNOWN, report, null)
    expect(await rowsOf('reports')).toBe(0)
    expect((await outbox().status()).forwarded).toBe(1)
  })

  it('holds a bounded number of receipts in a burst, and every count', () => {
    const buffer = new ReportBuffer()
    for (let each = 0; each < 10_000; each += 1) {
      buffer.record(answered(idOf(each), { ms: each % 300 }))
      expect(buffer.size).toBeLessThanOrEqual(MAX_BUFFERED_RECEIPTS)
    }
    expect(buffer.takeReceipts()).toHaveLength(MAX_BUFFERED_RECEIPTS)
    const { forwarded, counts } = buffer.takeCounts()
    expect(forwarded).toBe(10_000)
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(10_000)
    expect(buffer.isEmpty).toBe(true)
  })

  it('counts by the hour once many minutes wait, and leaves out none', () => {
    const buffer = new ReportBuffer()
    const minutes = MAX_BUFFERED_COUNTS + 600
    for (let each = 0; each < minutes; each += 1) {
      buffer.record(answered(idOf(each), { at: each * 60_000 }))
    }
    const { counts } = buffer.takeCounts()
    expect(counts.length).toBeLessThanOrEqual(MAX_BUFFERED_COUNTS + 600 / 60 + 1)
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(minutes)
  })
})

describe('what strangers send, and what is lost', () => {
  it('is told apart from what a good key was refused', async () => {
    await relay.send('/chatlio/feedback?key=wrong', { method: 'POST', body: '{}' })
    await relay.send(`/chatlio/feedback?key=${KEY}`, { method: 'PUT', body: '{}' })
    await relay.post('feedback', conversation())
    const full = (name: string) => {
      const store = () => Promise.reject(new Error('no'))
      const { exchange } = env.OUTBOX.getByName(name)
      return { exchange: (...sent: Parameters<typeof exchange>) => exchange(...sent), store }
    }
    aep.rule({ answer: { type: 'status', status: 503 } })
    const lost = startRelay({ OUTBOX: { getByName: full } })
    expect((await lost.post('feedback', conversation())).status).toBe(503)
    await lost.report()
    await relay.report()
    expect((await relay.get('/status')).body.unavailable).toBe(1)
    const { points } = (await relay.get('/activity')).body as {
      points: { outcome: string; count: number }[]
    }
    expect(points.map(({ outcome, count }) => [outcome, count])).toEqual([
      ['unauthorized', 1],
      ['refused', 1],
      ['unavailable', 1],
      ['forwarded', 1],
    ])
  })
})

describe('when the platform refuses to write for a limit', () => {
  const LIMIT = 'Exceeded allowed rows written in Durable Objects free tier.'

  it('receipts and counts stop until the next UTC day, events do not, and status says so', async () => {
    aep.rule({ answer: { type: 'status', status: 503 } })
    await relay.post('feedback', conversation())
    await runInDurableObject(outbox(), (_, { storage }) => {
      const real = storage.sql.exec.bind(storage.sql)
      vi.spyOn(storage.sql, 'exec').mockImplementation(((query: string, ...values: unknown[]) => {
        if (/INTO reports/.test(query)) throw new Error(LIMIT)
        return real(query, ...values)
      }) as typeof storage.sql.exec)
    })
    aep.clearRules()
    await drainAll(clock)
    const midnight = (Math.floor(clock.now / 86_400_000) + 1) * 86_400_000
    const { body } = await relay.get('/status')
    expect(body).toMatchObject({
      delivered: 1,
      pending: 0,
      recordsPausedUntil: new Date(midnight).toISOString(),
    })
    expect(logs.filter((line) => line.includes('records-paused'))).toHaveLength(1)
    vi.restoreAllMocks()
    await runInDurableObject(outbox(), async (instance: Outbox) => {
      clock.set(midnight)
      expect(instance.status().pausedUntil).toBeNull()
    })
  })

  it('isolates go on hearing of pauses, whatever they have to report', async () => {
    for (const table of ['reports', 'drift', 'drift_fields']) {
      await refuseWrites(`INSERT ON ${table}`, LIMIT)
    }
    for (const each of [1, 2]) {
      await relay.post('feedback', conversation({ undocumented: each }))
      await outbox().pause(true)
      await relay.report()
    }
    expect(logs.filter((line) => line.includes('exchange-failed'))).toEqual([])
    expect((await relay.post('feedback', conversation())).body.status).toBe('buffered')
  })

  it.each([
    [LIMIT, true],
    ["Exceeded the account's spending cap for Durable Objects.", true],
    ['database or disk is full: SQLITE_FULL', false],
  ])('%s: %s', (message, isLimit) => {
    expect(isOverLimit(new Error(message))).toBe(isLimit)
  })
})
