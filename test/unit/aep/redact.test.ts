import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '../../../src/worker/aep/record/encode.ts'
import { redactEvent, redactText } from '../../../src/worker/aep/record/redact.ts'
import { FIELDS } from '../../../src/worker/chatlio/fields.ts'
import type { RedactRule } from '../../../src/worker/config/config.ts'
import { anyEvent, anyText, eventOf, holds, RAW, RECEIVED_AT, XDM } from './split-arbitraries.ts'
import type { Loose } from './split-whole.ts'

const ALL = ['card', 'iban', 'email', 'phone'] as const

describe('a card number', () => {
  it.each([
    ['Visa', '4111 1111 1111 1111'],
    ['Visa without blanks', '4111111111111111'],
    ['Visa with hyphens', '4111-1111-1111-1111'],
    ['Visa with dots', '4111.1111.1111.1111'],
    ['Visa with blanks that do not break', '4111\u00a01111\u00a01111\u00a01111'],
    ['Mastercard', '5555555555554444'],
    ['Mastercard of the new range', '2221 0000 0000 0009'],
    ['American Express', '3782 822463 10005'],
    ['Discover', '6011111111111117'],
    ['JCB', '3530111333300000'],
    ['Diners Club', '3056 9309 0259 04'],
    ['UnionPay', '6200000000000005'],
    ['Maestro', '6759649826438453'],
  ])('becomes [card]: %s', (_, number) => {
    expect(redactText(`My card is ${number}, 12/27`, ['card'])).toBe('My card is [card], 12/27')
    expect(redactText(`(${number})`, ['card'])).toBe('([card])')
    expect(redactText(`12 ${number} 123`, ['card'])).toBe('12 [card] 123')
  })

  it('is found more than once', () => {
    const two = '4111111111111111 5555555555554444'
    expect(redactText(two, ['card'])).toBe('[card] [card]')
  })
})

/** What looks like a card number, an IBAN or a phone number, and is none. */
const KEPT = [
  ...['Order 4111111111111112', 'order no. 1234567890123456', 'PO 40001234567890123456'],
  // EAN and ISBN, also those that begin as cards do; GTIN-14; IMEI (a valid checksum) and IMEISV.
  ...['4006381333931', '4012345678901', '5901234123457', '9783161484100', '978-3-16-148410-0'],
  ...['10614141000415', '490154203237518', '35-209900-176148-1', '3520990017614823'],
  // Coordinates, among them one of 16 digits; times of Slack, in milliseconds, microseconds and nanoseconds.
  ...['52.370216, 4.895168', '4.895167899999999', '-74.0059413 40.7127837', '40.7127837,4.8951679'],
  ...['1526745489.000005', '1526745489000', '1526745489000005', '1526745489000005123'],
  ...['2018-05-19T18:14:32.000026941+02:00', '19-05-2018 18:14', '2018051918143200'],
  // Tracking numbers, ids, hashes, networks.
  ...['1Z999AA10123456784', '9400 1000 0000 0000 0000 00', 'JJD014600003123456789'],
  ...['b9d3f0c2-6a1e-4c58-8a34-3f0f7a5d9e10', 'user-4111111111111111x', 'v4111111111111111'],
  ...['203.0.113.21', '2001:db8::7', '00:1B:44:11:3A:B7', '0000000000000000'],
  ...[
    '+1',
    '+12',
    'C++ 2011',
    '1+1=2',
    '+49',
    '0612345678',
    '00 31 20 123 45 67',
    '(020) 123 45 67',
  ],
  ...['NL91 ABNA 0417 1643 01', 'DE00123456789012345678', 'AB12CDEF', 'XX82WEST12345698765432'],
  ...['@ada', 'ada@', 'ada@localhost', 'a @ b.de', '@example.com', 'npm i @scope/pkg@1.2.3'],
]

describe('what is none', () => {
  it.each(KEPT)('stays: %s', (text) => {
    expect(redactText(text, ALL)).toBe(text)
    expect(redactText(`about ${text} please`, ALL)).toBe(`about ${text} please`)
  })
})

describe('an IBAN', () => {
  it.each([
    ...['NL91 ABNA 0417 1643 00', 'NL91ABNA0417164300', 'DE89 3704 0044 0532 0130 00'],
    ...['GB82 WEST 1234 5698 7654 32', 'gb82west12345698765432', 'NO93 8601 1117 947'],
    ...['MT84MALT011000012345MTLCAST001S', 'FR14 2004 1010 0505 0001 3M02 606'],
  ])('becomes [iban]: %s', (iban) => {
    expect(redactText(`IBAN: ${iban}. Thanks`, ['iban'])).toBe('IBAN: [iban]. Thanks')
    expect(redactText(`${iban} please`, ['iban'])).toBe('[iban] please')
  })
})

describe('an email address', () => {
  it.each([
    ...[
      'ada@example.com',
      'Ada.Lovelace+chat@mail.example.co.uk',
      'ädä@bücher.example',
      "o'x@y.de",
    ],
  ])('becomes [email]: %s', (address) => {
    expect(redactText(`Write to <${address}>.`, ['email'])).toBe('Write to <[email]>.')
  })

  it('that is shorter than the mark becomes the same one', () => {
    expect(redactText('a@b.de, a@b.de', ['email'])).toBe('[email], [email]')
  })
})

describe('a phone number', () => {
  it.each([
    '+31 20 123 45 67',
    '+31201234567',
    '+1 (212) 555-0123',
    '+49/30/123456',
    '+44-20-7946-0958',
  ])('becomes [phone]: %s', (number) => {
    expect(redactText(`Call ${number}!`, ['phone'])).toBe('Call [phone]!')
  })
})

const CARD = '4111 1111 1111 1111'
const rules: readonly RedactRule[] = ['card']
const payloadOf = (kind: Parameters<typeof eventOf>[0], payload: object, by = rules): Loose =>
  redactEvent(eventOf(kind, payload), by).event.payload

describe('in an event', () => {
  it('texts of every place are redacted, ids, names, channels and times are not', () => {
    const id = CARD.replaceAll(' ', '')
    const visitor = {
      ...{ UUID: id, name: CARD, identUserId: id, handle: CARD, userAgent: CARD },
      ...{ vip: { note: [`x ${CARD}`] }, identTraits: `{"note":"${CARD}","age":7}` },
    }
    const redacted = payloadOf('feedback', {
      ...{ visitor, message: CARD, conversationUUID: id, channelId: id, slackChannelName: id },
      ...{ comment: `My ${CARD}`, rating: 5 },
    })
    expect(redacted).toEqual({
      visitor: {
        ...{ UUID: id, name: CARD, identUserId: id, handle: CARD, userAgent: '[card]' },
        ...{ vip: { note: ['x [card]'] }, identTraits: '{"note":"[card]","age":7}' },
        identTraitsParsed: { note: '[card]', age: 7 },
      },
      ...{ message: '[card]', conversationUUID: id, channelId: id, slackChannelName: id },
      ...{ comment: 'My [card]', rating: 5 },
    })
  })

  it('of a transcript messages and text are redacted, and html with a number in it is left out', () => {
    const messages = [{ text: `a ${CARD}`, username: CARD, ts: '1526745489.000005', userId: 'U1' }]
    const fields = { textBody: CARD, visitorTraits: { note: CARD }, extraData: [CARD] }
    const html = (htmlBody: string) => payloadOf('transcript', { messages, ...fields, htmlBody })
    expect(html('<p>Hello</p>')).toEqual({
      messages: [{ ...messages[0], text: 'a [card]' }],
      ...{ textBody: '[card]', visitorTraits: { note: '[card]' }, extraData: ['[card]'] },
      htmlBody: '<p>Hello</p>',
    })
    for (const hidden of [
      CARD,
      '4111&nbsp;1111&nbsp;1111&nbsp;1111',
      '4111 <b>1111</b> 1111 1111',
    ]) {
      expect(html(`<p>${hidden}</p>`).htmlBody).toBeUndefined()
    }
  })

  it.each([
    ['https://shop.example.com/a/4111111111111111?id=7#x', undefined],
    ['https://x.de/?q=4111111111111111&r=1', 'https://x.de/?q=[card]&r=1'],
    ['https://x.de/?q=4111%201111%201111%201111', 'https://x.de/?q=[card]'],
    ['https://x.de/?q=my+4111+1111+1111+1111&r', 'https://x.de/?q=[card]&r'],
    ['https://x.de/#/pay?n=4111111111111111', 'https://x.de/#/pay?n=[card]'],
    ['https://x.de/?q=%E0%A4%A&n=4111111111111111', 'https://x.de/?q=%E0%A4%A&n=[card]'],
  ])('of a URL only values of the query: %s', (url, expected = url) => {
    const visitor = { UUID: 'u1', currentPage: url, referrerURL: url }
    const redacted = payloadOf('feedback', { visitor, link: url })
    expect(redacted).toMatchObject({
      visitor: { currentPage: expected, referrerURL: expected },
      link: expected,
    })
  })

  it.each(['visitor.currentPage', 'visitor.referrerURL', 'archiveUrl'])(
    'of a field for a URL all of it, where it holds something else: %s',
    (path) => {
      const inPage = `pay ${CARD} at https://x.de/?q=4111%201111%201111%201111`
      const kind = path === 'archiveUrl' ? 'transcript' : 'feedback'
      const [name = '', inner] = path.split('.')
      const held = inner ? { UUID: 'u1', [inner]: inPage } : inPage
      const redacted = payloadOf(kind, { messages: [], visitor: { UUID: 'u1' }, [name]: held })
      const masked = 'pay [card] at https://x.de/?q=[card]'
      expect(redacted).toMatchObject({ [name]: inner ? { [inner]: masked } : masked })
    },
  )

  it.each([
    ...['visitor.UUID', 'visitor.createdAt', 'messages[*].ts', 'messages[*].sentAt'],
    ...FIELDS.filter(({ kinds, from }) => kinds.length === 0 && !from.includes('.')).map(
      ({ from }) => from,
    ),
  ])('a field that nobody documents is masked, whatever its name: %s', (name) => {
    const visitor = { UUID: 'u1', [name]: CARD }
    expect(payloadOf('feedback', { visitor, [name]: CARD, list: [{ [name]: CARD }] })).toEqual({
      visitor: { UUID: 'u1', [name]: '[card]' },
      [name]: '[card]',
      list: [{ [name]: '[card]' }],
    })
  })

  it('nor is a key that is written as the items of a list', () => {
    const messages = { '[*]': { ts: CARD } }
    expect(payloadOf('feedback', { visitor: { UUID: 'u1' }, messages })).toMatchObject({
      messages: { '[*]': { ts: '[card]' } },
    })
  })

  it('documented addresses stay, so that the person stays the same', () => {
    const email = 'ada@example.com'
    const payload = {
      message: `I am ${email}`,
      email,
      emailPretty: `"A" <${email}>`,
      visitor: { email },
    }
    expect(payloadOf('offline-message', payload, ['email'])).toEqual({
      ...payload,
      message: 'I am [email]',
    })
    const transcript = { messages: [], visitorEmail: email, replyToEmail: email, agentEmail: email }
    expect(payloadOf('transcript', transcript, ['email'])).toEqual(transcript)
  })

  it('what is found is counted by rule, and nothing found is the same event', () => {
    const event = eventOf('feedback', { visitor: { UUID: 'u1' }, message: `${CARD} ${CARD}` })
    expect(redactEvent(event, ALL).redacted).toEqual({ card: 2 })
    expect(redactEvent(event, []).event).toBe(event)
    const clean = eventOf('feedback', { visitor: { UUID: 'u1' }, message: 'Hi' })
    expect(redactEvent(clean, ALL)).toEqual({ event: clean, redacted: {} })
    expect(redactEvent(clean, ALL).event).toBe(clean)
    expect(redactEvent(event, ['card']).event.payload).not.toBe(event.payload)
    expect(event.payload.message).toBe(`${CARD} ${CARD}`)
  })

  it.each([RAW, XDM])('no part has a piece of a number: $format', (destination) => {
    const message = `${'x'.repeat(37)} ${CARD} `.repeat(600)
    const event = eventOf('feedback', { visitor: { UUID: 'u1' }, message, more: [message] })
    const encoded = encode(event, destination, 2_000, {
      now: RECEIVED_AT,
      source: null,
      redact: rules,
    })
    if (!encoded.split) throw new Error('not split')
    expect(encoded.redacted).toEqual({ card: 1_200 })
    for (const part of encoded.parts) expect(part).not.toMatch(/1111/)
  })
})

describe('any text', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(CARD, '4111111111111111', '378282246310005', '4111', '1111', '12', ' ', '-'),
      fc.constantFrom(
        'NL91ABNA0417164300',
        'NL91',
        '+31201234567',
        '+',
        'ada@example.com',
        'a@b.de',
      ),
      fc.constantFrom('@', '.', 'de', '[card]', 'x', '(', '\u00a0', '%20', 'é', ...KEPT),
      anyText,
    ),
    { maxLength: 12 },
  )
  const someRules = fc.subarray([...ALL])

  it('grows by one character an email address at most, and is the same when it is redacted again', () => {
    holds(
      fc.property(pieces, someRules, (texts, by) => {
        const text = texts.join('')
        const once = redactText(text, by)
        const addresses = once.split('[email]').length - 1
        expect(once.length).toBeLessThanOrEqual(text.length + addresses)
        expect(redactText(once, by)).toBe(once)
      }),
      1_000,
    )
  })

  it('of any event: the same again, and every identity stays', () => {
    holds(
      fc.property(anyEvent, someRules, (event, by) => {
        const once = redactEvent(event, by).event
        expect(redactEvent(once, by)).toEqual({ event: once, redacted: {} })
      }),
      100,
    )
  })

  it.each([
    ['digits', '1'],
    ['card digits', '4'],
    ['digits with blanks', '4 '],
    ['groups', '4111 '],
    ['near-matches', '4111 1111 1111 1112 '],
    ['cards', '4111 1111 1111 1111 '],
    ['dots', '1.'],
    ['at signs', 'a@'],
    ['domains', 'a@b.'],
    ['one domain', 'b.'],
    ['IBANs', 'NL91 ABNA 0417 1643 01 '],
    ['IBAN beginnings', 'NL91'],
    ['plus signs', '+1 '],
    ['phones', '+31 (0'],
    ['tags', '<'],
    ['queries', '?a=&'],
    ['escapes', '%4'],
  ])('takes time in proportion to its length, whose square would be minutes: %s', (_, piece) => {
    const text = piece.repeat(1_000_000 / piece.length)
    const event = eventOf('transcript', {
      messages: [],
      ...{ textBody: text, htmlBody: text, note: `x://${text}`, at: `ada@${text}` },
    })
    expect(redactEvent(event, ALL).event.kind).toBe('transcript')
  })
})
