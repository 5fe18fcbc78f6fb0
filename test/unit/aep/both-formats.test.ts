/** Raw, after the mapping that `provision` makes, and xdm say the same of an event. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyRows, readRow } from '../../../src/local-adobe/platform/mapping/rows.ts'
import type { Schema } from '../../../src/local-adobe/platform/registry/resolve.ts'
import { validate } from '../../../src/local-adobe/platform/registry/validate.ts'
import { mappingRows } from '../../../src/worker/aep/schema/mapping.ts'
import type { ChatEvent } from '../../../src/worker/chatlio/event.ts'
import type { EventKind } from '../../../src/worker/chatlio/kind.ts'
import { encodeParts } from './encode-parts.ts'
import { eventSchema } from './schema-validator.ts'
import { anyEvent, eventOf, holds, RAW, RECEIVED_AT, XDM_EXTRAS } from './split-arbitraries.ts'
import { entity, type Loose, record } from './split-whole.ts'

const SCHEMA = eventSchema('acme') as Schema
const ROWS = mappingRows('acme', 'ChatlioVisitor', true).map(readRow)

function mapped(raw: Loose): Loose {
  const rows = ROWS.filter((row) => row !== null)
  return applyRows(rows, raw, SCHEMA, RECEIVED_AT).data
}

const rawOf = (event: ChatEvent, limit = 1_000_000) =>
  encodeParts(event, RAW, limit).map((part) => mapped(record(part)))
const xdmOf = (event: ChatEvent, limit = 1_000_000) =>
  encodeParts(event, XDM_EXTRAS, limit).map(entity)

/** Each value of a field, in both formats. */
function both(kind: EventKind, payload: object): [Loose, Loose] {
  const event = eventOf(kind, payload)
  return [rawOf(event)[0], xdmOf(event)[0]]
}

const PERSON = [
  'ada@example.com',
  'Ada.Lovelace+chat@example.co.uk',
  'ada@localhost',
  'ä@bücher.example',
]
const NOBODY = [
  ...['', ' ', '\u00a0', 'n/a', 'N/A', 'none', 'null', 'NULL', 'anonymous', 'Invalid', 'undefined'],
  ...[
    'Ada <ada@example.com>',
    '<ada@example.com>',
    '"ada"@example.com',
    'ada@example.com, bo@x.de',
  ],
  ...['ada@example.com;bo@x.de', 'mailto:ada@example.com', 'ada', '@example.com', 'ada@', 'a@b@c'],
  ...['ada@example..com', 'ada@-', 'ada@.com', 'ada@example.com.', 'ada\u0000@example.com'],
  ...['a b@example.com', `${'a'.repeat(1_020)}@b.de`, 'ada@exa mple.com', 'a\ud83d@b.de'],
]
const NO_UUIDS = [
  ...[' ', '\t', '\u200b', 'null', 'Null', 'ANONYMOUS', 'invalid', 'undefined', 'none', 'n/a'],
  ...['00000000-0000-0000-0000-000000000000', 'u'.repeat(1_025), 'u\u0007', '\udc00'],
]

describe('an identity', () => {
  const item = (id: string, primary: boolean) => ({ id, authenticatedState: 'ambiguous', primary })

  it.each(PERSON)('is an address: %j', (email) => {
    const known = [item(email.toLowerCase(), true)]
    for (const found of both('transcript', { messages: [], visitorEmail: email })) {
      expect(found.identityMap).toEqual({ Email: known })
    }
    for (const found of both('feedback', { visitor: { UUID: 'u1', email } })) {
      expect(found.identityMap).toEqual({
        ChatlioVisitor: [item('u1', true)],
        Email: [{ ...known[0], primary: false }],
      })
    }
  })

  it.each(NOBODY)('is no email that is %j', (email) => {
    for (const found of both('transcript', { messages: [], visitorEmail: email })) {
      expect(found.identityMap).toBeUndefined()
    }
    for (const found of both('offline-message', { message: 'Hi', email })) {
      expect(found.identityMap).toBeUndefined()
    }
    for (const found of both('feedback', { visitor: { UUID: 'u1', email } })) {
      expect(found.identityMap).toEqual({ ChatlioVisitor: [item('u1', true)] })
    }
  })

  it.each(NO_UUIDS)('is no visitor that is %j: a good email is primary then', (UUID) => {
    for (const found of both('feedback', { visitor: { UUID, email: 'ada@example.com' } })) {
      expect(found.identityMap).toEqual({ Email: [item('ada@example.com', true)] })
    }
    for (const found of both('feedback', { visitor: { UUID } })) {
      expect(found.identityMap).toBeUndefined()
    }
  })

  it.each([
    ['the address in it', '"Ada" <Ada@Example.com>', 'ada@example.com'],
    ['an address alone', ' Ada@Example.com ', 'ada@example.com'],
    ['a name', 'Ada', undefined],
    ['two addresses', 'ada@example.com, bo@example.com', undefined],
  ])('is read out of emailPretty where there is no other email: %s', (_, emailPretty, email) => {
    const expected = email === undefined ? undefined : { Email: [item(email, true)] }
    for (const found of both('offline-message', { message: 'Hi', email: '', emailPretty })) {
      expect(found.identityMap).toEqual(expected)
    }
    for (const found of both('offline-message', {
      message: 'Hi',
      email: 'own@b.de',
      emailPretty,
    })) {
      expect(found.identityMap).toEqual({ Email: [item('own@b.de', true)] })
    }
  })

  it.each([
    ['a visitor whom a transcript does not document', { visitor: { UUID: 'u9', email: 'x@y.de' } }],
    ['an agent', { agentEmail: 'agent@example.com' }],
    ['a fallback for replies', { replyToEmail: 'reply@example.com' }],
    ['what the body says of itself', { identity: { visitor: 'u9', email: 'x@y.de' } }],
  ])('is never %s', (_, fields) => {
    for (const found of both('transcript', { messages: [], ...fields })) {
      expect(found.identityMap).toBeUndefined()
    }
  })
})

describe('a standard field', () => {
  const visitor = (fields: object) => both('feedback', { visitor: { UUID: 'u1', ...fields } })

  it.each([
    ...['203.0.113.21', '2001:db8::7', '::ffff:1.2.3.4', '::', '1:2:3:4:5:6:7:8', 'fe80::1'],
    ...['1.2.3', '256.1.1.1', '1.2.3.4, 5.6.7.8', 'fe80::1%eth0', '::1]/[', 'localhost', 'unknown'],
    ...[':::', '1:2:3:4:5:6:7:8:9', '::1.2.3', '1.2.3.4.', '12345::'],
  ])('takes an IP address, and leaves out what is none: %s', (IPAddress) => {
    const [raw, xdm] = visitor({ IPAddress })
    expect(raw.environment).toEqual(xdm.environment)
    for (const found of [raw, xdm]) expect(validate(SCHEMA, found)).toEqual([])
  })

  it.each([
    ...['https://shop.example.com/a?b=c#d', 'http://x', 'app+x://y', 'https://bücher.example/ü'],
    ...['/orders', 'about:blank', 'http://a b', 'shop.example.com', 'javascript:alert(1)', '://x'],
  ])('takes a URL, and leaves out what is none: %s', (url) => {
    const [raw, xdm] = visitor({ currentPage: url, referrerURL: url })
    expect(raw.web).toEqual(xdm.web)
  })

  it.each([
    ...['2018-05-19T17:58:02.560106+02:00', '2018-05-19T17:58Z', '2018-05-19', 'yesterday', '5'],
    ...['2018-02-30T10:00:00.000Z', '2018-05-19T25:00:00Z', '2018-05-19T17:58:02'],
  ])('takes a time, and leaves out what is none: %s', (time) => {
    const payload = { messages: [], startedAt: time, endedAt: time }
    const [raw, xdm] = both('transcript', payload)
    for (const name of ['startedAt', 'endedAt']) {
      expect(raw._acme.chatlio[name]).toBe(xdm._acme.chatlio[name])
    }
    for (const found of [raw, xdm]) expect(validate(SCHEMA, found)).toEqual([])
  })

  it('keeps the other traits where one is an object', () => {
    const visitorTraits = { plan: 'gold', seats: 3, more: { a: 1 }, list: [1] }
    const [raw] = both('transcript', { messages: [], visitorTraits })
    expect(raw._acme.chatlio.visitorTraits).toEqual({
      ...{ plan: 'gold', seats: '3', more: '{"a":1}', list: '[1]' },
    })
  })
})

describe('any event', () => {
  it('has the same identities, web, environment, numbers, delay and source in both', () => {
    holds(
      fc.property(anyEvent, (event) => {
        const [raw] = rawOf(event)
        const [xdm] = xdmOf(event)
        for (const name of ['_id', 'timestamp', 'eventType', 'identityMap', 'web']) {
          expect(raw[name]).toEqual(xdm[name])
        }
        expect(raw.customerFeedback).toEqual(xdm.customerFeedback)
        const { type: _, ...environment } = xdm.environment ?? {}
        expect(raw.environment ?? {}).toEqual(environment)
        for (const name of ['receivedAt', 'metrics', 'delaySeconds', 'source']) {
          expect(raw._acme.chatlio[name]).toEqual(xdm._acme.chatlio[name])
        }
      }),
      200,
    )
  })
})

describe('a transcript that is split in both', () => {
  const time = (seconds: number) =>
    new Date(RECEIVED_AT - 7_200_000 + seconds * 1_000).toISOString()
  const chat = (length: number) =>
    Array.from({ length }, (_, index) => ({
      text: 'x',
      sentAt: time(index),
      userId: index % 2 === 0 ? '' : 'U1',
      isVisitorMsg: index % 2 === 0,
    }))
  const sums = (parts: readonly Loose[]) => {
    const numbers: Record<string, number> = {}
    for (const { _acme, customerFeedback } of parts) {
      const all = { ..._acme.chatlio.metrics, ...customerFeedback }
      for (const [name, value] of Object.entries(all)) {
        if (typeof value === 'number') numbers[name] = (numbers[name] ?? 0) + value
      }
    }
    return numbers
  }

  it.each([1, 60, 400, 5_000])('has the sums of the whole: %i messages', (length) => {
    const payload = { messages: chat(length), startedAt: time(0), endedAt: time(length) }
    const event = eventOf('transcript', payload)
    const whole = sums(rawOf(event, 10_000_000))
    expect(whole).toMatchObject({ visitorMessages: Math.ceil(length / 2), chatEnd: 1 })
    const raw = rawOf(event, 9_500)
    expect(raw.length > 1).toBe(length > 60)
    expect(sums(raw)).toEqual(whole)
    expect(sums(xdmOf(event, 9_500))).toEqual(whole)
  })
})
