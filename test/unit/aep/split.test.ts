import { describe, expect, it } from 'vitest'
import { encodeRaw } from '../../../src/worker/aep/record/encode.ts'
import { readEvent } from '../../../src/worker/chatlio/event.ts'
import { cutAt, parseJson } from '../../../src/worker/lib/json.ts'
import { encodeParts } from './encode-parts.ts'
import { encodeXdm } from './encode-xdm.ts'
import { joinParts } from './join-parts.ts'
import { eventOf, ID, RAW, XDM } from './split-arbitraries.ts'
import {
  BASE,
  entity,
  expectWholeRaw,
  expectWholeXdm,
  LIMITS,
  record,
  utf8,
} from './split-whole.ts'

describe('an event within the limit', () => {
  it('is one record under the event’s id, without `part`', () => {
    const event = eventOf('feedback', { visitor: { UUID: 'u1' }, message: 'Hi' })
    expect(encodeParts(event, XDM, 9_500)).toEqual([encodeXdm(event, XDM)])
    expect(encodeParts(event, RAW, 9_500)).toEqual([
      `{"delaySeconds":0,${JSON.stringify(encodeRaw(event, 'shop')).slice(1)}`,
    ])
  })

  it('is split only above the limit, to the byte', () => {
    const event = eventOf('feedback', { visitor: { UUID: 'u1' }, message: 'é"😀'.repeat(500) })
    const bytes = utf8(JSON.stringify(entity(encodeXdm(event, XDM))))
    expect(encodeParts(event, XDM, bytes)).toHaveLength(1)
    expect(encodeParts(event, XDM, bytes - 1)).toHaveLength(2)
  })
})

describe('cutAt', () => {
  it.each([
    ['a€😀b', 8, 'a€😀'],
    ['a€😀b', 7, 'a€'],
    ['"\\\n\0x', 11, '"\\\n'],
    ['"\\\n\0x', 12, '"\\\n\0'],
    ['\ud83dx', 5, '\ud83d'],
    ['x\ud83d\ud83d\ude00', 11, 'x\ud83d\ud83d\ude00'],
    ['x\ud83d\ud83d\ude00', 10, 'x\ud83d'],
    ['😀😀', 0, '😀'],
  ])('%j at %i bytes: %j', (text, bytes, piece) => {
    const found = text.slice(0, cutAt(text, 0, bytes))
    expect(JSON.stringify(found)).toBe(JSON.stringify(piece))
  })
})

describe('a number that no double holds', () => {
  const body =
    '{"visitor":{"UUID":"u1","age":1e400},"order":9007199254740993,"list":[0.1234567890123456789],' +
    `"message":"${'m'.repeat(3_000)}"}`
  const reading = readEvent(
    { id: ID, kind: 'feedback', receivedAt: Date.parse('2026-11-02T09:30:00.123Z') },
    parseJson(new TextEncoder().encode(body)),
  )

  it.each([
    ['raw, in one piece', RAW, 9_500],
    ['raw, split', RAW, 2_000],
    ['xdm, in one piece', XDM, 9_500],
    ['xdm, split', XDM, 2_000],
  ])('leaves digit for digit: %s', (_, destination, limit) => {
    if (reading.outcome !== 'valid') throw new Error(reading.outcome)
    const sent = encodeParts(reading.event, destination, limit).join('\n')
    for (const number of ['9007199254740993', '1e400', '0.1234567890123456789']) {
      expect(sent).toMatch(new RegExp(`[:[]${number}[,\\]}]`))
    }
  })
})

describe('an event above the limit', () => {
  const UUID = '7c0e2b1a-52d4-4a7e-9f5e-0d8f4f1c6a21'
  const small = { conversationUUID: 'b9d3f0c2', slackChannelId: 'C1XPVTNKR' }
  const chat = (length: number) =>
    Array.from({ length }, (_, index) => ({
      text: `${index}: Where is my parcel? 📦 `.repeat(1 + (index % 7)),
      username: 'utrecht-netherlands',
      isVisitorMsg: index % 2 === 0,
    }))

  it('repeats its identities and small fields in every part', () => {
    const visitor = { UUID, email: 'ada@example.com' }
    const event = eventOf('feedback', { visitor, message: 'Hi! '.repeat(10_000), ...small })
    const whole = entity(encodeXdm(event, XDM))
    const parts = encodeParts(event, XDM, 9_500).map(entity)
    expect(parts.length).toBeGreaterThan(3)
    for (const part of parts) {
      expect(part.identityMap).toEqual(whole.identityMap)
      expect(part._acme.chatlio).toMatchObject({
        conversationUuid: 'b9d3f0c2',
        visitor: { uuid: UUID },
      })
    }
    for (const part of encodeParts(event, RAW, 9_500).map(record)) {
      expect(part).toMatchObject({ visitor, ...small, timestamp: whole.timestamp })
    }
  })

  it('drops the bodies that repeat a transcript’s messages, and names them', () => {
    const messages = chat(10)
    const bodies = { htmlBody: 'h'.repeat(3_000), textBody: 't'.repeat(3_000) }
    const event = eventOf('transcript', { messages, ...bodies })
    const size = utf8(encodeParts(event, RAW, 1_000_000)[0] ?? '')
    const [htmlGone] = encodeParts(event, RAW, size - 1).map(record)
    expect(htmlGone).toMatchObject({ _id: `${ID}-0`, textBody: bodies.textBody })
    expect(htmlGone.htmlBody).toBeUndefined()
    expect(htmlGone.part).toEqual({ index: 0, count: 1, of: ID, dropped: ['htmlBody'] })
    const [bothGone, ...none] = encodeParts(event, XDM, size - 3_500).map(entity)
    expect(none).toEqual([])
    const part = { index: 0, count: 1, of: ID, dropped: ['htmlBody', 'textBody'] }
    expect(bothGone._acme.chatlio.part).toEqual(part)
    expect(bothGone._acme.chatlio.messages).toHaveLength(10)
  })

  it('keeps both bodies of a transcript whose messages have no text', () => {
    const bodies = { htmlBody: 'h'.repeat(30_000), textBody: 't'.repeat(30_000) }
    const event = eventOf('transcript', { messages: [{}, { username: 'x' }], ...bodies })
    for (const [destination, read, base] of [
      [RAW, record, []],
      [XDM, entity, BASE],
    ] as const) {
      const joined = joinParts(encodeParts(event, destination, 9_500).map(read), base)
      expect(joined.texts).toEqual(bodies)
      expect(joined.dropped).toEqual([])
    }
  })

  it('distributes 400 messages over parts and cuts none of them', () => {
    const event = eventOf('transcript', { messages: chat(400), visitorEmail: 'ada@example.com' })
    const parts = encodeParts(event, XDM, 9_500).map(entity)
    expectWholeXdm(event, parts)
    const indexes = parts.flatMap(({ _acme }) => _acme.chatlio.messages).map(({ index }) => index)
    expect(indexes).toEqual(Array.from({ length: 400 }, (_, index) => index))
    expect(new Set(parts.map(({ _acme }) => _acme.chatlio.messageCount))).toEqual(new Set([400]))
    expectWholeRaw(event, encodeParts(event, RAW, 9_500).map(record))
  })

  it.each([
    ['xdm', XDM],
    ['raw', RAW],
  ])('cuts one message of 300 KB between characters, %s', (_, destination) => {
    const text = '"Ünïcödé" 漢字 😀\n\0'.repeat(10_000)
    const event = eventOf('transcript', { messages: [{ text: 'Hi' }, { text, username: 'ada' }] })
    const parts = encodeParts(event, destination, 9_500)
    for (const part of parts) expect(part).not.toMatch(/\\ud[89a-f]/)
    expect(parts.length).toBeLessThan(60)
    const chatOf = (part: string) =>
      destination === XDM ? entity(part)._acme.chatlio : record(part)
    const pieces = parts.flatMap((part) => chatOf(part).messages ?? [])
    for (const piece of pieces.slice(2)) expect(Object.keys(piece)).toEqual(['index', 'text'])
    if (destination === XDM) expectWholeXdm(event, parts.map(entity))
    else expectWholeRaw(event, parts.map(record))
  })

  it.each(LIMITS)('fits forty long URLs into parts of %i bytes', (limit) => {
    const url = (n: number) => `https://shop.example.com/${n}?${'utm_source=x&'.repeat(60)}`
    const urls = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`link${n}`, url(n)]))
    const visitor = { UUID, currentPage: url(40), referrerURL: url(41), ...urls }
    const event = eventOf('feedback', { visitor, ...urls })
    for (const part of encodeParts(event, XDM, limit)) {
      expect(utf8(JSON.stringify(entity(part)))).toBeLessThanOrEqual(limit)
      expect(entity(part).identityMap.ChatlioVisitor[0].id).toBe(UUID)
    }
    const parts = encodeParts(event, XDM, limit).map(entity)
    // Common fields leave at least half of a part for the content.
    expect(parts.length).toBeLessThan((84 * 850 * 2) / limit)
    expectWholeXdm(event, parts)
    expectWholeRaw(event, encodeParts(event, RAW, limit).map(record))
  })

  it('stays within AEP’s request limit with its envelope, also alone in a batch', () => {
    const partsOf = (length: number) =>
      encodeParts(
        eventOf('feedback', { visitor: { UUID }, message: 'x'.repeat(length) }),
        XDM,
        1_000_000,
      )
    const around = utf8(partsOf(1_000)[0] ?? '') - 1_000 + '{"messages":[]}'.length
    expect(partsOf(1_000_000 - around)).toHaveLength(1)
    expect(partsOf(1_000_001 - around)).toHaveLength(2)
    for (const part of partsOf(1_400_000)) {
      expect(utf8(`{"messages":[${part}]}`)).toBeLessThanOrEqual(1_000_000)
    }
  })

  it('repeats the many small fields rather than the few large ones', () => {
    const few = { large: 'x'.repeat(3_700), larger: 'y'.repeat(3_800) }
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`n${n}`, 'z'.repeat(90)]))
    const event = eventOf('feedback', {
      visitor: { UUID },
      ...few,
      ...many,
      message: 'm'.repeat(9_000),
    })
    const parts = encodeParts(event, RAW, 9_500).map(record)
    for (const part of parts) expect(part).toMatchObject(many)
    expectWholeRaw(event, parts)
  })

  it('stays within the limit with identities of any length', () => {
    for (let length = 400; length < 560; length++) {
      const event = eventOf('feedback', {
        visitor: { UUID: '漢'.repeat(length) },
        message: 'm'.repeat(900),
      })
      for (const part of encodeParts(event, XDM, 2_000)) {
        expect(utf8(JSON.stringify(entity(part)))).toBeLessThanOrEqual(2_000)
      }
    }
  })

  it('drops identities that leave no room, the email first, and keeps their values in `unmapped`', () => {
    const email = `${'e'.repeat(1_000)}@x`
    const event = eventOf('feedback', {
      visitor: { email, UUID: 'u'.repeat(600) },
      message: 'm'.repeat(2_000),
    })
    const parts = encodeParts(event, XDM, 2_000).map(entity)
    for (const part of parts) expect(Object.keys(part.identityMap)).toEqual(['ChatlioVisitor'])
    expect(joinParts(parts, BASE).unmapped['visitor.email']).toBe(email)
    const raw = encodeParts(event, RAW, 2_000).map(record)
    for (const { identity } of raw) expect(identity).toEqual({ visitor: 'u'.repeat(600) })
    expect(joinParts(raw, []).unmapped['visitor.email']).toBe(email)
    expectWholeRaw(event, raw)
  })

  it('ends even if the tenant’s name alone fills a part', () => {
    const names = { tenant: 't'.repeat(3_000), visitorNamespace: 'n'.repeat(3_000) }
    const message = '\ud83d\0"'.repeat(400)
    const event = eventOf('feedback', { visitor: { UUID }, message })
    const parts = encodeParts(event, { ...XDM, ...names }, 2_000).map(entity)
    expect(parts.length).toBeLessThan(250)
    expect(joinParts(parts, [`_${names.tenant}`, 'chatlio']).texts).toEqual({ message })
  })

  it.each([
    ['one text', { messages: [{ text: 'x "é😀\n'.repeat(130_000) }] }],
    [
      'many messages',
      { messages: Array.from({ length: 12_000 }, () => ({ text: 'y'.repeat(100) })) },
    ],
    ['an unknown field', { messages: [], x: '"'.repeat(750_000) }],
  ])('splits 1.5 MiB of %s', (_, payload) => {
    const event = eventOf('transcript', payload)
    const parts = encodeParts(event, XDM, 9_500).map(entity)
    expectWholeXdm(event, parts)
    expect(parts.length).toBeLessThan(500)
  })
})
