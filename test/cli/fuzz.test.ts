/** The fuzzer's own judgement: that it would see what it looks for. */
import { describe, expect, it } from 'vitest'
import { tried } from '../../src/cli/lib/run.ts'
import { recordOf } from '../../src/local-adobe/streaming/message.ts'
import { encode } from '../../src/worker/aep/record/encode.ts'
import { readEvent } from '../../src/worker/chatlio/event.ts'
import { parseJson } from '../../src/worker/lib/json.ts'
import type { Sent } from '../fuzz/connection.ts'
import { contentFaults, type Whose } from '../fuzz/contents.ts'
import { type Json, parseExact } from '../fuzz/exact.ts'
import { expectedOf } from '../fuzz/model.ts'
import { readOptions } from '../fuzz/options.ts'
import type { Arrived } from '../fuzz/receiver.ts'
import { KEYS, requestOf } from '../fuzz/requests.ts'
import { shrink } from '../fuzz/shrink.ts'
import { RAW, SENDING, XDM } from '../unit/aep/split-arbitraries.ts'

const DAY = ['2026-11-30']
const RECEIVED_AT = Date.parse('2026-11-30T12:00:00Z')

function webhook(body: string, target = `/chatlio/feedback?key=${KEYS.plain}`): Sent {
  return { method: 'POST', target, headers: [], body: Buffer.from(body), chunks: null }
}

const BODY = `{"visitor":{"UUID":"4b1f7a52-0d3c-4b8e-9f57-6c2e8a1d0b94","email":" Ada@Example.com ","currentPage":"https://x.de/a"},
"message":"${'Where is it? 😀 '.repeat(200)}","rating":9007199254740993,"note":{"list":[1.50,"x",null]},"_id":"mine"}`

/** What the relay sends of it, in one piece or in parts. */
function sentOf(format: 'raw' | 'xdm', limit: number) {
  const expected = expectedOf(webhook(BODY), DAY, false)
  if (expected.answer !== 'taken') throw new Error(expected.answer)
  const id = String(expected.ids[0])
  const arrival = { id, kind: 'feedback', receivedAt: RECEIVED_AT } as const
  const reading = readEvent(arrival, parseJson(Buffer.from(BODY)))
  if (reading.outcome !== 'valid') throw new Error(reading.outcome)
  const sending = { ...SENDING, source: null, now: RECEIVED_AT }
  const encoded = encode(reading.event, format === 'raw' ? RAW : XDM, limit, sending)
  const texts = encoded.split ? encoded.parts : [encoded.record]
  const whose: Whose = {
    ...{ taken: expected.taken, id, format, tenant: XDM.tenant, masks: false },
    ...{ from: RECEIVED_AT, to: RECEIVED_AT },
  }
  return { texts, whose }
}

function arrived(texts: readonly string[]): Map<string, Arrived> {
  return new Map(
    texts.map((text) => {
      const record = recordOf(parseExact(text), 'raw') as Json
      return [String(record._id), { record, faults: [] }]
    }),
  )
}

describe.each(['raw', 'xdm'] as const)('what AEP has of a webhook, in %s', (format) => {
  it.each([
    ['in one piece', 100_000],
    ['in parts', 1_500],
  ])('%s is all that was sent', (_, limit) => {
    const { texts, whose } = sentOf(format, limit)
    expect(texts.length > 1).toBe(limit === 1_500)
    expect(contentFaults(arrived(texts), whose)).toEqual([])
  })

  it.each([
    ['a text that is cut', 'Where is it? 😀 Where', 'Where is it? 😀here', 'message is changed'],
    ['a number that is rounded', '9007199254740993', '9007199254740992', 'rating is changed'],
    ['a list that is shorter', '1.5,', '', 'note is changed'],
    ['a field that is gone', /\\?"rating\\?":9007199254740993,/, '', 'rating is lost'],
    [
      'an address as it was typed',
      /ada@example.com/g,
      'Ada@Example.com',
      'visitor.email is changed',
    ],
    [
      'a page that is another',
      'https://x.de/a',
      'https://x.de/b',
      'visitor.currentPage is changed',
    ],
    ['an identity of somebody else', /4b1f7a52-0d3c-4b8e-9f57-6c2e8a1d0b94/g, 'another', 'visitor'],
    ['an id of its own', /"_id":"[0-9a-f]{64}"/, '"_id":"mine"', 'is called undefined'],
    ['a type that is another', 'chatlio.feedback', 'chatlio.transcript', 'eventType'],
  ])('shows %s', (_, from, to, fault) => {
    const { texts, whose } = sentOf(format, 100_000)
    const changed = texts.map((text) => text.replace(from, to))
    expect(changed).not.toEqual(texts)
    expect(contentFaults(arrived(changed), whose).join()).toContain(fault)
  })

  it('shows what nobody sent', () => {
    const { texts, whose } = sentOf(format, 100_000)
    const changed = texts.map((text) =>
      format === 'raw'
        ? text.replace('{', '{"more":1,')
        : text.replace('{\\"rating', '{\\"more\\":1,\\"rating'),
    )
    expect(changed).not.toEqual(texts)
    expect(contentFaults(arrived(changed), whose)).toEqual(['more was never sent'])
  })

  it('shows a part that is missing in the middle', () => {
    const { texts, whose } = sentOf(format, 1_500)
    const faults = contentFaults(arrived(texts.toSpliced(1, 1)), whose)
    expect(faults.join()).toContain('message is changed')
  })
})

it('a text that must be masked and is not is shown', () => {
  const { texts, whose } = sentOf('raw', 100_000)
  const said = 'so 4111 1111 1111 1111 it'
  const payload = { ...whose.taken.payload, message: said }
  const faultsOf = (message: string) => {
    const changed = texts.map((text) =>
      JSON.stringify({ ...JSON.parse(text), rating: undefined, message }),
    )
    const taken = { ...whose.taken, payload: { ...payload, rating: undefined } }
    return contentFaults(arrived(changed), { ...whose, taken, masks: true }).filter((each) =>
      each.startsWith('message'),
    )
  }
  expect(faultsOf('so [card] it')).toEqual([])
  expect(faultsOf(said)).toHaveLength(1)
})

describe('the contract, as the fuzzer has it', () => {
  it.each([
    ['a bracket', '{', 'quarantined 400 malformed-json'],
    ['a list', '[]', 'quarantined 422 invalid-payload'],
    ['a number for a text', '{"visitor":{"UUID":7}}', 'quarantined 422 invalid-payload'],
    ['null for a text', '{"visitor":{"UUID":"u"},"message":null}', 'taken'],
    ['nested', `${'['.repeat(1_001)}${']'.repeat(1_001)}`, 'quarantined 422 invalid-payload'],
    ['wide', `[${'0,'.repeat(100_000)}0]`, 'quarantined 422 too-many-values'],
    ['opted out', '{"a":{"identTraits":"{\\"consent\\":\\"denied\\"}"}}', 'suppressed'],
    [
      'opted out in the first of two equal keys',
      '{"visitor":{"UUID":"u","identTraits":"{\\"consent\\":\\"denied\\"}"},"visitor":{"UUID":"u"}}',
      'suppressed',
    ],
    [
      'opted out elsewhere, and taken back',
      '{"visitor":{"UUID":"u"},"x":{"identTraits":{"consent":"denied"}},"x":0}',
      'taken',
    ],
    ['large', ' '.repeat(1_572_865), 'refused 413 payload-too-large'],
  ])('%s is answered well', (_, body, answer) => {
    const expected = expectedOf(webhook(body), DAY, true)
    const { status, codes, code } = { status: '', codes: [], code: '', ...expected }
    expect([expected.answer, status, ...codes, code].filter((each) => each !== '').join(' ')).toBe(
      answer,
    )
  })

  it.each([
    ['/chatlio/feedback', 'refused 401'],
    [`/chatlio/other?key=${KEYS.plain}`, 'refused 404'],
    [`/chatlio?key=wrong&key=${KEYS.plain}`, 'refused 401'],
    [`/chatlio/feedback/?x=1&key=%20${KEYS.plain}%0A`, 'taken '],
  ])('%s: %s', (target, answer) => {
    const expected = expectedOf(webhook('{"visitor":{"UUID":"u"}}', target), DAY, false)
    expect(`${expected.answer} ${'status' in expected ? expected.status : ''}`).toBe(answer)
  })
})

it('a seed and a number are one request', () => {
  const all = (seed: number) => Array.from({ length: 300 }, (_, number) => requestOf(seed, number))
  expect(all(1)).toEqual(all(1))
  expect(all(1)).not.toEqual(all(2))
  const answers = new Set(all(1).map((sent) => expectedOf(sent, DAY, true).answer))
  expect([...answers].sort()).toEqual(['open', 'quarantined', 'refused', 'suppressed', 'taken'])
})

it('the smallest request that fails is found', async () => {
  const body = JSON.stringify({
    visitor: { UUID: 'u', name: 'x'.repeat(50) },
    list: [1, { bad: 'yes' }],
  })
  const smallest = await shrink(
    { ...webhook(body), headers: [['content-type', 'text/plain']], chunks: [3] },
    async (sent) => sent.body.includes('bad'),
  )
  expect(smallest).toEqual({ ...webhook('bad'), headers: [], chunks: null })
})

it.each([
  [['--format', 'csv'], '--format is raw or xdm.'],
  [['--requests', '0'], '--requests is a whole number, 1 or more.'],
  [['--seed', '1.5'], '--seed is a whole number, 0 or more.'],
])('%j is refused: %s', (args, wrong) => expect(tried(() => readOptions(args))).toEqual({ wrong }))
