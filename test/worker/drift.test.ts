/** What Chatlio sends and does not document: seen once a shape, by names and types, and never in the way. */
import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readEvent } from '../../src/worker/chatlio/event.ts'
import type { EventKind } from '../../src/worker/chatlio/kind.ts'
import type { DriftRow } from '../../src/worker/drift/detector.ts'
import { DriftDetector, shapeHash, shownName } from '../../src/worker/drift/detector.ts'
import { parseJson } from '../../src/worker/lib/json.ts'
import { DriftStore } from '../../src/worker/outbox/drift.ts'
import { nothing } from '../../src/worker/outbox/records/reports.ts'
import conversationSample from '../fixtures/conversation.json'
import transcript from '../fixtures/transcript.json'
import { type Clock, conversation, eachTest, outbox, type Relay, startRelay } from './support.ts'

let relay: Relay
let clock: Clock

eachTest((world) => {
  ;({ relay, clock } = world)
})

/** After the isolate has reported. */
async function rows(): Promise<(DriftRow & { firstAt: string; lastAt: string })[]> {
  await relay.report()
  return (await relay.get('/drift')).body.rows as never
}

const brief = async () =>
  (await rows()).map(({ kind, path, change, from, to }) =>
    [kind, change, path, from, to].filter((each) => each !== null).join(' '),
  )

describe('GET /admin/drift', () => {
  it('is empty for what is documented', async () => {
    await relay.post('transcript', transcript)
    await relay.post('new-conversation', conversationSample)
    await relay.post('feedback', { ...conversationSample, message: '', channelId: null })
    expect(await rows()).toEqual([])
  })

  it('names a new field with its type and the shape of its value, never the value', async () => {
    const { body } = await relay.post('feedback', conversation({ rating: 'very-secret!' }))
    expect(await rows()).toEqual([
      {
        kind: 'feedback',
        path: 'rating',
        change: 'new',
        from: null,
        to: 'string',
        count: 1,
        firstAt: expect.stringMatching(/Z$/),
        lastAt: expect.stringMatching(/Z$/),
        eventId: body.id,
        sample: 'string(12)',
        accepted: false,
      },
    ])
  })

  it('names new fields below documented ones, and in the items of lists', async () => {
    await relay.post('transcript', {
      messages: [{ text: 'a' }, { text: 'b', mood: 5 }],
      agentName: 'A',
    })
    await relay.post('feedback', conversation({ visitor: { UUID: 'v', plan: { seats: 3 } } }))
    expect((await brief()).toSorted()).toEqual([
      'feedback new visitor.plan object',
      'transcript new messages.*.mood number',
    ])
  })

  it('says that a documented field has another type, valid or not', async () => {
    const visitor = { UUID: 'v', identTraits: { plan: 'pro' } }
    await relay.post('feedback', conversation({ visitor }))
    await relay.post('feedback', conversation({ message: { text: 'now an object' } }))
    await relay.post('transcript', { messages: [{ text: 'a' }, { text: 7 }] })
    expect((await brief()).toSorted()).toEqual([
      'feedback type message string object',
      'feedback type visitor.identTraits string object',
      'transcript type messages.*.text string number',
    ])
  })

  it('says that a new field has changed its type', async () => {
    for (const rating of [5, null, 'five']) {
      await relay.post('feedback', conversation({ rating }))
      await relay.report()
    }
    expect((await brief()).toSorted()).toEqual([
      'feedback new rating number',
      'feedback type rating number string',
    ])
  })

  it('names the fields of what could not be told apart', async () => {
    await relay.post('auto', { ticket: 1, state: 'open' })
    expect((await brief()).toSorted()).toEqual(['auto new state string', 'auto new ticket number'])
  })

  it('says nothing of what is no JSON', async () => {
    await relay.post('feedback', '{"message": ')
    expect(await rows()).toEqual([])
  })
})

/** Feedback that says something else each time, with these fields. */
async function posted(count: number, fields: object, by = relay): Promise<void> {
  for (let each = 0; each < count; each += 1) {
    await by.post('feedback', conversation({ channelId: undefined, ...fields }))
  }
}
const gone = async () => (await rows()).filter(({ change }) => change === 'gone')

describe('a field that no longer comes', () => {
  it('is gone after twenty events without it, where nearly all of fifty had it, until it is back', async () => {
    await posted(48, { channelId: 'C' })
    await posted(2, {})
    await posted(1, { channelId: 'C' })
    await posted(19, {})
    expect(await gone()).toEqual([])
    await posted(1, {})
    expect(await gone()).toMatchObject([{ kind: 'feedback', path: 'channelId', count: 20 }])
    await posted(5, {})
    expect(await gone()).toMatchObject([{ path: 'channelId', count: 25 }])
    await posted(1, { channelId: 'C' })
    expect(await gone()).toEqual([])
  })

  it('that comes back after thousands of events without it is no longer gone', async () => {
    const report = (count: number, channelId: [number, number]) => ({
      kind: 'feedback' as const,
      events: count,
      eventId: 'e',
      fields: { channelId },
      findings: [],
    })
    const changes = await runInDurableObject(outbox(), (_, { storage }) => {
      const store = new DriftStore(storage)
      const seen: number[] = []
      for (const each of [report(60, [60, 0]), report(30, [0, 30]), report(9_000, [0, 9_000])]) {
        store.record([each], clock.now)
        seen.push(store.rows().length)
      }
      store.record([report(1, [1, 0])], clock.now)
      return [...seen, store.rows().length]
    })
    expect(changes).toEqual([0, 1, 1, 0])
  })

  it('is not gone where fewer than fifty came, or it often did not', async () => {
    await posted(49, { channelId: 'C' })
    await posted(30, {})
    expect(await gone()).toEqual([])
    for (let each = 0; each < 20; each += 1) {
      await posted(4, { slackChannelId: 'C' })
      await posted(1, {})
    }
    await posted(40, {})
    expect(await gone()).toEqual([])
  })

  it('is seen by several isolates together, and over a restart of the outbox', async () => {
    const other = startRelay()
    await posted(30, { channelId: 'C' })
    await posted(30, { channelId: 'C' }, other)
    await relay.report()
    await other.report()
    clock.advance(60_000)
    await posted(12, {})
    await relay.report()
    await evictDurableObject(outbox())
    await posted(12, {}, other)
    await other.report()
    expect(await gone()).toMatchObject([{ path: 'channelId', count: 24 }])
  })

  it('is not missed in what is not there', async () => {
    const visitor = { UUID: 'v', email: 'a@example.com' }
    await posted(60, { visitor })
    await posted(30, { visitor: undefined })
    expect((await gone()).map(({ path }) => path)).toEqual(['visitor'])
  })

  it('is not missed in events of verify and the samples, which take no part', async () => {
    await posted(60, { channelId: 'C' })
    await posted(30, { visitor: { UUID: 'relay-test' }, more: 1 })
    for (let each = 0; each < 30; each += 1) {
      await relay.post('feedback', conversation(), { 'user-agent': 'chatlio-edge-relay' })
    }
    expect(await rows()).toEqual([])
  })
})

describe('keys that are data', () => {
  it.each([
    'ada@example.com',
    '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
    'user_20391847',
    'a'.repeat(41),
    'Ada Lovelace',
    '+31612345678',
    'a1b2c3d4',
  ])('%s is shown as *', (key) => expect(shownName(key)).toBe('*'))

  it.each(['rating', 'ipV4', 'address2', 'utm_source', 'x-custom'])('%s is a name', (name) =>
    expect(shownName(name)).toBe(name),
  )

  it('make one row, however many there are', async () => {
    for (let number = 0; number < 5; number += 1) {
      const own = Object.fromEntries(
        Array.from({ length: 60 }, (_, key) => [`word${'abcdefgh'[key % 8]}${number}${key}`, key]),
      )
      await relay.post('feedback', conversation({ visitor: { UUID: 'v', ...own } }))
    }
    expect(await brief()).toEqual(['feedback new visitor.* number'])
  })

  it('never make more than 200 rows of a kind; those accepted stay', async () => {
    const report = (path: string) => ({
      kind: 'feedback' as const,
      events: 1,
      eventId: 'e',
      fields: {},
      findings: [
        {
          path,
          change: 'new' as const,
          from: null,
          to: 'string',
          sample: 'string(1)',
          eventId: 'e',
          count: 1,
        },
      ],
    })
    const record = (number: number) =>
      runInDurableObject(outbox(), (_, { storage }) =>
        new DriftStore(storage).record([report(name(number))], clock.now),
      )
    const name = (number: number) => `field.${number}`
    await record(0)
    await outbox().acceptDrift({ kind: 'feedback', path: name(0), change: 'new' })
    for (let number = 1; number < 250; number += 1) {
      clock.advance(1)
      await record(number)
    }
    const paths = (await rows()).map(({ path }) => path)
    expect(paths).toHaveLength(200)
    expect(paths).toContain(name(0))
    expect(paths).toContain(name(249))
    expect(paths).not.toContain(name(1))
  })
})

it('counts what a report brings once, however often it is sent', async () => {
  const detector = new DriftDetector()
  const body = new TextEncoder().encode(JSON.stringify(conversation({ rating: 'good' })))
  const parsed = parseJson(body)
  const arrival = { id: 'a'.repeat(64), kind: 'feedback', receivedAt: clock.now } as const
  detector.observe(readEvent(arrival, parsed), parsed, arrival.id, clock.now)
  const drift = detector.takeReports(clock.now)
  const report = { isolate: 'one', sequence: 1, ...nothing(), receipts: [], drift }
  for (let sent = 0; sent < 3; sent += 1) {
    await outbox().exchange({ accepted: null, settings: '' }, report, null)
  }
  expect(await rows()).toMatchObject([{ path: 'rating', count: 1 }])
})

describe('POST /admin/drift/accept', () => {
  it('silences one difference, which is counted on', async () => {
    await relay.post('feedback', conversation({ rating: 5, mood: 'fine' }))
    await relay.report()
    const key = { kind: 'feedback', path: 'rating', change: 'new' }
    const accepted = await relay.command('/drift/accept', key)
    expect(accepted).toMatchObject({ status: 200, body: { ...key, accepted: true } })
    expect((await outbox().alertFacts()).drift).toMatchObject([{ change: 'new', count: 1 }])
    const other = startRelay()
    await other.post('feedback', conversation({ rating: 5, mood: 'fine' }))
    await other.report()
    expect(await rows()).toMatchObject([
      { path: 'mood', count: 2, accepted: false },
      { path: 'rating', count: 2, accepted: true },
    ])
  })

  it('takes all of them at once', async () => {
    await relay.post('feedback', conversation({ rating: 5, mood: 'fine' }))
    await relay.report()
    const { body } = await relay.command('/drift/accept', {})
    expect(body).toMatchObject({ accepted: 2, rows: [{ accepted: true }, { accepted: true }] })
    expect((await outbox().alertFacts()).drift).toEqual([])
    expect((await relay.command('/drift/accept', { kind: 'feedback' })).status).toBe(400)
  })

  it('answers 404 where there is none, and 400 to what it does not know', async () => {
    const key = { kind: 'feedback', path: 'rating', change: 'new' }
    expect((await relay.command('/drift/accept', key)).status).toBe(404)
    const wrong = await relay.command('/drift/accept', { ...key, change: 'other' })
    expect(wrong).toMatchObject({ status: 400, body: { code: 'invalid-request' } })
    expect(wrong.body.detail).toContain('change')
    expect((await relay.command('/drift/accept', key.path)).status).toBe(400)
  })
})

/** Reports of a detector that has seen these bodies. */
function detect(
  kind: EventKind,
  bodies: readonly unknown[],
  detector = new DriftDetector(),
  now = 0,
) {
  for (const value of bodies) {
    const parsed = { ok: true as const, value }
    const reading = readEvent({ id: `id-${now}`, kind, receivedAt: now }, parsed)
    detector.observe(reading, parsed, `id-${now}`, now)
  }
  return detector.takeReports(now)
}

describe('the detector', () => {
  it('reports a shape once, then what goes on, with its count, at most every five minutes', () => {
    const detector = new DriftDetector()
    const body = () => ({ visitor: { UUID: crypto.randomUUID() }, message: 'm', rating: 1 })
    const seen = (bodies: unknown[], now: number) =>
      detect('feedback', bodies, detector, now).flatMap(({ findings }) => findings)
    expect(seen([body()], 0)).toHaveLength(1)
    expect(seen([body(), body()], 1_000)).toEqual([])
    const [later] = seen([body()], 300_000)
    expect(later).toMatchObject({ count: 3, eventId: 'id-300000' })
    expect(seen([body()], 300_001)).toEqual([])
    expect(detect('feedback', [], detector, 900_000)).toEqual([])
  })

  it('looks at a bounded number of new shapes, whatever is sent', () => {
    const detector = new DriftDetector()
    const random = Array.from({ length: 500 }, (_, number) => ({
      visitor: { UUID: 'v' },
      [`field_${number.toString(36)}`]: 1,
    }))
    const [report] = detect('feedback', random, detector)
    expect(report?.findings.length).toBeLessThanOrEqual(60)
  })

  it('sees every new field in any event that is valid, and holds no value', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z]{5,12}$/).filter((name) => !(name in conversationSample)),
        fc.jsonValue(),
        (name, value) => {
          const secret = 'value-of-a-visitor'
          const body = { ...conversationSample, message: secret, [name]: [value, secret] }
          const [report] = detect('feedback', [body])
          expect(report?.findings.map(({ path, change }) => `${change} ${path}`)).toEqual([
            `new ${name}`,
          ])
          expect(JSON.stringify(report)).not.toContain(secret)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('never throws and never changes the event', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const before = JSON.stringify(value)
        detect('transcript', [value, { messages: [value] }])
        expect(JSON.stringify(value)).toBe(before)
      }),
      { numRuns: 200 },
    )
    let deep: unknown = 'end'
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    expect(() => detect('feedback', [deep])).not.toThrow()
  })
})

describe('the number of a shape', () => {
  it('is that of names and types: not of values, nor of how many items there are', () => {
    const shape = (text: string, items: number) =>
      shapeHash({ a: text, list: Array.from({ length: items }, () => ({ b: 1 })) })
    expect(shape('x', 1)).toBe(shape('another', 500))
    const others = [{ a: 1 }, { a: null }, { b: 'x' }, { a: { a: 'x' } }, { a: ['x'] }, ['a'], 'a']
    expect(new Set([{ a: 'x' }, ...others].map((each) => shapeHash(each))).size).toBe(8)
  })
})
