/**
 * Written: hostile JSON as text. What `JSON.stringify` cannot write is written here: equal names, numbers of any size,
 * names and texts in escapes, blanks, more nesting than a stack takes. All of it from a seed.
 */
import type { Random } from '../drill/random.ts'

/** In every text that a sender could have written, so that a log that repeats one is seen. */
export const CANARY = 'canary7f3a'

/** What a redaction must not let through, each as it is masked. */
export const PLANTED: ReadonlyMap<string, 'card' | 'iban' | 'email' | 'phone'> = new Map([
  ['4111 1111 1111 1111', 'card'],
  ['5555555555554444', 'card'],
  ['3782-822463-10005', 'card'],
  ['DE89 3704 0044 0532 0130 00', 'iban'],
  ['GB82WEST12345698765432', 'iban'],
  [`${CANARY}@example.com`, 'email'],
  ['+31 20 794 0800', 'phone'],
  ['+12125550123', 'phone'],
])

const PIECES = [
  'parcel',
  'Where is my order?',
  'naïve café',
  '你好，世界',
  'مرحبا \u202Eabc\u202C',
  '👩‍👩‍👧 🏳️‍🌈',
  'e\u0301\u0327\u0302'.repeat(4),
  'Z\u0335\u0321\u0322'.repeat(3),
  '\u0000',
  '\uFEFF',
  '\u2028\u2029',
  '\u200B\u200D\u00AD',
  '\uD83D',
  '\uDE00\uD83D',
  '\uFFFD\uFFFF\uFFFE',
  '\u001B[31m',
  '"quoted" \\back\\',
  '</script><b onclick=x>',
  '&nbsp;&#65;&amp;',
  '%00%ff%zz%41',
  "' OR 1=1; DROP TABLE events--",
  `$\{jndi:ldap://x}`,
  '{{7*7}}',
  '../../etc/passwd',
  '\r\nSet-Cookie: a=b',
  '\t\n\r\b\f',
  'null',
  'undefined',
  '[object Object]',
  'NaN',
  '__proto__',
  '4895167899999999',
  '4.895167899999999',
  '1e400',
  '0001-01-01T00:00:00Z',
  'İIıi ß ẞ ﬁ Å',
] as const

const URLS = [
  'https://shop.example.com/orders?id=7#top',
  'http://a b',
  'javascript:alert(1)',
  'https://user:pw@[::1]:8080/%E0%A4%A',
  'https://shop.example.com/?card=4111111111111111&q=caf%C3%A9;x=1',
  '//x',
  'https://',
] as const

const TIMES = [
  '2026-11-01T12:00:00Z',
  '2016-02-07T11:02:17.839766-08:00',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '2024-02-30T10:00:00Z',
  '2024-12-31T23:59:60Z',
  '2024-06-01T10:00+02:00',
  '1526745489',
  'yesterday',
  '+275760-09-13T00:00:00.001Z',
  '0000-01-01T00:00:00Z',
] as const

const EMAILS = [
  ' Ada@Example.COM ',
  'çelik@exämple.de',
  '"a b"@example.com',
  'a@b@c',
  'anonymous',
  'İ@EXAMPLE.com',
  'Ada <ada@example.com>, bob@example.com',
  `${'x'.repeat(1_020)}@y.de`,
  'x@example.com\u0000',
] as const

const PLACES = ['Utrecht, Utrecht, Netherlands', 'Atlanta, Georgia', ', , Peru', ',,,,'] as const
const ADDRESSES = [
  '203.0.113.21',
  '2001:db8::7',
  '::ffff:1.2.3.4',
  '1.2.3.4, 5.6.7.8',
  '::',
] as const
const TRAITS = [
  '{"plan":"gold","seats":3,"big":9007199254740993}',
  '{"a":{"b":[1,{"c":null}]},"__proto__":{"x":1}}',
  '[1,2,3]',
  '"text"',
  '1e400',
  '{"a":1,"a":2}',
  '{broken',
  '[[[[[[[[[[]]]]]]]]]]',
  '{"consent":"denied"}',
  '{"consent":"given","note":"consent=denied"}',
] as const

const NUMBERS = [
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '0.1',
    '1e400',
    '-1e400',
    '1E+2',
    '1e-400',
    '2.50',
    '100000000000000000000',
  ],
  ...['9007199254740991', '9007199254740993', '-9223372036854775809', '0.30000000000000004'],
  ...['0.1000000000000000055511151231257827', '1.7976931348623157e308', '1.7976931348623159e308'],
  ...['5e-324', '123456789012345678901234567890.123456789', '1e1000000', '4895167899999999'],
] as const

/** JSON text that is written as it is. */
export class Literal {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** An object that may have equal names. */
export class Members {
  readonly pairs: readonly (readonly [name: string, value: unknown])[]
  constructor(pairs: Iterable<readonly [string, unknown]>) {
    this.pairs = [...pairs]
  }
}

const NAMES = [
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'valueOf',
    'hasOwnProperty',
    'toJSON',
    'then',
  ],
  ...['length', '0', '', 'a.b', 'a\\b', 'visitor.UUID', 'messages.0.text', 'messages[*].text'],
  ...[
    '_id',
    'timestamp',
    'eventType',
    'receivedAt',
    'source',
    'identity',
    'identityMap',
    'chatMetrics',
  ],
  ...[
    'part',
    'unmapped',
    'delaySeconds',
    'visitorTraitsFlat',
    'visitorTraitsText',
    'identTraitsParsed',
  ],
  ...[
    'index',
    'messages',
    'visitor',
    'email',
    'name',
    'message',
    '_localtenant',
    'web',
    'environment',
  ],
  ...['\u0000', '\uD83D', '\u202E', 'ключ', `${CANARY}-name`],
] as const

export function text(random: Random, most = 8): string {
  const pieces = Array.from({ length: random.int(0, most) }, () => random.pick(PIECES))
  if (random.chance(0.8)) pieces.splice(random.int(0, pieces.length), 0, CANARY as never)
  if (random.chance(0.15)) {
    const planted = random.pick([...PLANTED.keys()] as [string, ...string[]])
    pieces.splice(random.int(0, pieces.length), 0, `so ${planted} it` as never)
  }
  return pieces.join(random.pick([' ', '  ', '\n', ', ']))
}

/** A text of a form of `fields.ts`, or near it. */
export function textOf(random: Random, form: string): string {
  if (random.chance(0.25)) return text(random)
  switch (form) {
    case 'email':
      return random.chance(0.5) ? `${random.hex(6)}.${CANARY}@example.com` : random.pick(EMAILS)
    case 'url':
      return random.pick(URLS)
    case 'dateTime':
      return random.pick(TIMES)
    case 'ip':
      return random.pick(ADDRESSES)
    case 'traits':
      return random.pick(TRAITS)
    case 'longText':
      return text(random, random.chance(0.1) ? 120 : 12)
    default:
      return random.chance(0.1) ? random.pick(PLACES) : text(random, 4)
  }
}

/** Any JSON, `depth` levels at most. */
export function anything(random: Random, depth = 4): unknown {
  const leaf = depth <= 0 || random.chance(0.5)
  if (leaf) {
    return random.pick<() => unknown>([
      () => text(random, 3),
      () => new Literal(random.pick(NUMBERS)),
      () => null,
      () => random.chance(0.5),
      () => '',
      () => [],
      () => new Members([]),
      () => random.int(-1_000, 1_000_000),
    ])()
  }
  if (random.chance(0.4)) {
    return Array.from({ length: random.int(0, 5) }, () => anything(random, depth - 1))
  }
  return new Members(members(random, random.int(0, 5), depth - 1))
}

/** Fields that nobody documents, some named like others. */
export function members(random: Random, count: number, depth = 3): [string, unknown][] {
  return Array.from({ length: count }, () => [nameOf(random), anything(random, depth)])
}

function nameOf(random: Random): string {
  return random.chance(0.6) ? random.pick(NAMES) : `x${random.hex(3)}`
}

/** A value that no documented field has. */
export function wrong(random: Random): unknown {
  return random.pick<() => unknown>([
    () => new Literal(random.pick(NUMBERS)),
    () => random.chance(0.5),
    () => [text(random, 2)],
    () => new Members([['x', text(random, 2)]]),
    () => anything(random),
  ])()
}

/** Nesting of either kind. */
export function nested(random: Random, depth: number): Literal {
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
    ['[{"a":', '}]'],
  ])
  return new Literal(
    `${open.repeat(depth)}${random.pick(['1', '"x"', 'null'])}${close.repeat(depth)}`,
  )
}

export type Style = { readonly blanks: boolean; readonly escapes: boolean }

/** JSON text of a value that is made of the above. */
export function written(value: unknown, style: Style): string {
  if (value instanceof Literal) return value.text
  if (value instanceof Members) {
    const colon = style.blanks ? ' :\n' : ':'
    const pairs = value.pairs.map(
      ([name, held]) => quoted(name, style.escapes) + colon + written(held, style),
    )
    return `{${pairs.join(style.blanks ? '\t, ' : ',')}}`
  }
  if (Array.isArray(value)) {
    return `[${value.map((each) => written(each, style)).join(style.blanks ? ' ,\r\n' : ',')}]`
  }
  return typeof value === 'string' ? quoted(value, false) : JSON.stringify(value)
}

/** `escapes`: every third character as `\\uXXXX`. */
function quoted(value: string, escapes: boolean): string {
  const plain = JSON.stringify(value)
  if (!escapes || /[\\\ud800-\udfff]/.test(plain)) return plain
  return plain.replace(/[^"]/g, (char, at: number) =>
    at % 3 === 0 ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : char,
  )
}
