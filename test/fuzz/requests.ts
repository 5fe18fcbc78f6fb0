/**
 * Requests: request number N of a seed, always the same: webhooks made of the list of fields with hostile values, samples
 * with bytes changed, JSON of no shape, odd HTTP, and operators' reading routes with odd parameters.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { deflateSync, gzipSync } from 'node:zlib'
import { documentedIn, type Field, placeIn } from '../../src/worker/chatlio/fields.ts'
import type { Shape } from '../../src/worker/chatlio/kind.ts'
import { Random } from '../drill/random.ts'
import type { Sent } from './connection.ts'
import {
  anything,
  CANARY,
  Literal,
  Members,
  members,
  nested,
  type Style,
  text,
  textOf,
  written,
  wrong,
} from './written.ts'

export const KEYS = { plain: 'fuzz-webhook-key-0123456789', named: 'fuzz-shop-key+0123456789ab' }
/** The name of the second key. */
export const SOURCE = 'shop'
export const ADMIN_TOKEN = 'fuzz-admin-token-0123456789'

const ROUTES: Record<Shape, readonly [string, ...string[]]> = {
  transcript: ['/transcript', ''],
  'offline-message': ['/offline-message', ''],
  conversation: ['/new-conversation', '/unanswered', '/feedback', ''],
}
const SHAPES = ['conversation', 'offline-message', 'transcript'] as const

/** Shares of a hundred, in this order. */
const MIX = { structured: 58, mutated: 24, shapeless: 8, large: 0.3, operators: 3 } as const
const LARGE_BYTES = 1_572_864

export function requestOf(seed: number, index: number): Sent {
  const random = new Random(seed, `request ${index}`)
  const drawn = random.next() * 100
  let below: number = MIX.structured
  if (drawn < below) return posted(random, structured(random, index))
  below += MIX.mutated
  if (drawn < below) return posted(random, mutated(random, index))
  below += MIX.shapeless
  if (drawn < below) return posted(random, shapeless(random))
  below += MIX.large
  if (drawn < below) return posted(random, large(random, index))
  below += MIX.operators
  if (drawn < below) return operators(random)
  return oddHttp(random, posted(random, structured(random, index)))
}

type Body = { readonly route: string; readonly bytes: Buffer }

// ---- bodies

function structured(random: Random, index: number): Body {
  const shape = random.pick(SHAPES)
  const body = membersOf(random, shape, index)
  return { route: random.pick(ROUTES[shape]), bytes: bytesOf(random, new Members(body)) }
}

function bytesOf(random: Random, value: unknown): Buffer {
  const style: Style = { blanks: random.chance(0.1), escapes: random.chance(0.05) }
  const mark = random.chance(0.03) ? '\uFEFF'.repeat(random.int(1, 2)) : ''
  return Buffer.from(mark + written(value, style))
}

/** Faults are rare enough that most bodies are valid. */
function membersOf(random: Random, shape: Shape, index: number): [string, unknown][] {
  const share = random.pick([0.3, 0.7, 1])
  const mistakes = random.chance(0.2) ? 0.05 : 0
  const at = (holder: string) => {
    const fields = documentedIn(shape).filter((each) => placeIn(each).holder === holder)
    return fieldsOf(random, fields, share, mistakes)
  }
  const body = at('')
  body.unshift(['mark', `${CANARY}-${index}`])
  const visitor = at('visitor').filter(([name]) => name !== 'UUID')
  if (shape !== 'transcript') {
    if (random.chance(0.97)) visitor.unshift(['UUID', uuid(random)])
    if (random.chance(0.98)) body.push(['visitor', new Members(visitor)])
    else body.push(['visitor', random.pick([null, '', [], 'x', 7])])
  } else if (random.chance(0.05)) body.push(['visitor', new Members(visitor)])
  if (shape === 'offline-message' && !body.some(([name]) => name === 'message')) {
    body.push(['message', random.chance(0.9) ? text(random) : ''])
  }
  if (shape === 'transcript') body.push(['messages', messagesOf(random, at)])
  if (random.chance(0.3)) body.push(...members(random, random.int(1, 4)))
  if (random.chance(0.03)) body.push(['deep', nested(random, random.pick([50, 400, 990, 1_001]))])
  if (random.chance(0.05)) body.push(random.pick(body as [[string, unknown]]))
  return random.chance(0.3) ? shuffled(random, body) : body
}

function fieldsOf(
  random: Random,
  fields: readonly Field[],
  share: number,
  mistakes: number,
): [string, unknown][] {
  return fields
    .filter(() => random.chance(share))
    .map((field) => {
      const { name } = placeIn(field)
      if (random.chance(mistakes)) return [name, wrong(random)]
      if (random.chance(0.08)) return [name, random.pick(['', null])]
      return [name, typedValue(random, field.form)]
    })
}

function typedValue(random: Random, form: Field['form']): unknown {
  if (form === 'boolean') return random.chance(0.5)
  if (form === 'texts') return Array.from({ length: random.int(0, 4) }, () => anything(random, 1))
  if (form === 'traits' && random.chance(0.5)) return new Members(members(random, random.int(0, 4)))
  if (form === 'dateTime' && random.chance(0.5)) {
    return new Date(Date.UTC(2024, 0, 1) + random.int(0, 60_000_000) * 1_000).toISOString()
  }
  return textOf(random, form)
}

function messagesOf(random: Random, at: (holder: string) => [string, unknown][]): unknown {
  if (random.chance(0.03)) return random.pick([null, [], 'x', new Members([])])
  const count = random.chance(0.04) ? random.int(30, 120) : random.int(0, 8)
  return Array.from({ length: count }, () => {
    if (random.chance(0.03)) return random.pick<unknown>([[], new Members([]), null, 7])
    const own = at('messages[*]')
    if (random.chance(0.1)) own.push(...members(random, 2, 1))
    return new Members(own)
  })
}

function shuffled<Item>(random: Random, items: Item[]): Item[] {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = random.int(0, last)
    ;[items[last], items[other]] = [items[other] as Item, items[last] as Item]
  }
  return items
}

function shapeless(random: Random): Body {
  const route = random.pick([...ROUTES.transcript, ...ROUTES.conversation, '/offline-message'])
  const value = random.pick<() => unknown>([
    () => anything(random, 6),
    () =>
      nested(random, random.chance(0.02) ? 200_000 : random.pick([3, 999, 1_000, 1_001, 5_000])),
    () => new Members(members(random, random.int(0, 30), 5)),
    () =>
      new Literal(
        random.pick(['', ' ', '\u0000', 'nul', '{', '[', '"', '-', '01', '{"a":}', '\uFEFF']),
      ),
    () => new Literal(`{"a":1}${text(random)}`),
    () =>
      new Members([['visitor', new Members([['UUID', uuid(random)], ...members(random, 6, 3)])]]),
    () => new Members([['messages', anything(random, 5)], ...members(random, 3, 2)]),
  ])()
  return { route, bytes: bytesOf(random, value) }
}

/** Large in one of the ways in which a body can be: long, many, wide. */
function large(random: Random, index: number): Body {
  const bytes = random.chance(0.85)
    ? random.int(9_000, 60_000)
    : random.pick([200_000, 900_000, LARGE_BYTES - 300, LARGE_BYTES, LARGE_BYTES + 1])
  const piece = `${text(random, 6)} `
  const long = piece.repeat(Math.ceil(bytes / Buffer.byteLength(piece)))
  const mark: [string, unknown] = ['mark', `${CANARY}-${index}`]
  const visitor: [string, unknown] = ['visitor', new Members([['UUID', uuid(random)]])]
  const many = <Value>(count: number, value: () => Value) => Array.from({ length: count }, value)
  const message = (words: string) =>
    new Members([
      ['text', words],
      ['isVisitorMsg', random.chance(0.5)],
    ])
  const body = random.pick<() => [string, unknown][]>([
    () => [mark, visitor, ['message', long]],
    () => [mark, visitor, ['message', 'x'], ['unknown', long]],
    () => [mark, ['messages', [message(long)]]],
    () => [mark, ['messages', many(Math.floor(bytes / 60), () => message(`m${random.hex(4)}`))]],
    () => [
      mark,
      ['messages', [message('x')]],
      ['htmlBody', long],
      ['textBody', long.slice(0, 9_000)],
    ],
    () => [
      mark,
      visitor,
      ['wide', new Members(many(Math.floor(bytes / 16), () => [random.hex(6), 1] as const))],
    ],
    () => [mark, visitor, ['list', many(random.pick([40_000, 99_990, 110_000]), () => 0)]],
  ])()
  const name = body.some(([each]) => each === 'messages') ? '/transcript' : '/feedback'
  return { route: name, bytes: bytesOf(random, new Members(body)) }
}

// ---- samples with bytes changed

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SAMPLES = samples()

function samples(): [Body, ...Body[]] {
  const folders = ['test/fixtures', 'docs/samples']
  const files = folders.flatMap((folder) =>
    readdirSync(path.join(ROOT, folder))
      .filter((name) => name.endsWith('.json') && name !== 'field-group.json')
      .sort()
      .map((name) => path.join(folder, name)),
  )
  return files.map((file) => {
    const kind = ['transcript', 'offline-message', 'unanswered', 'feedback'].find((name) =>
      file.includes(name),
    )
    // Blanks would take most of the changes.
    const json = JSON.stringify(JSON.parse(readFileSync(path.join(ROOT, file), 'utf8')))
    return { route: kind ? `/${kind}` : '/new-conversation', bytes: Buffer.from(json) }
  }) as [Body, ...Body[]]
}

const TOKENS = [
  ...[
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    'null',
    'true',
    '""',
    '{}',
    '[]',
    '\\u0000',
    '\\ud83d',
    '\\u',
  ],
  ...['1e400', '-0', '9007199254740993', '\u0000', '\uFEFF', '\u202E', '__proto__', '"UUID":', ' '],
] as const
const BAD_BYTES: readonly [readonly number[], ...(readonly number[])[]] = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xe2, 0x82],
  [0x80],
]

function mutated(random: Random, index: number): Body {
  const { route, bytes } = random.pick(SAMPLES)
  const marked = bytes.toString().replace('{', `{"mark":"${CANARY}-${index}",`)
  if (random.chance(0.4)) return { route, bytes: Buffer.from(tokensChanged(random, marked)) }
  let changed: Buffer = Buffer.from(marked)
  for (let left = random.int(1, 5); left > 0; left -= 1) changed = bytesChanged(random, changed)
  return { route, bytes: changed }
}

/** A value for another: the JSON stays one. */
function tokensChanged(random: Random, json: string): string {
  const spots = [...json.matchAll(/:("(?:[^"\\]|\\.)*"|[\d.-]+|true|false)/g)]
  let changed = json
  for (let left = random.int(1, 3); left > 0; left -= 1) {
    const spot = spots[random.int(0, spots.length - 1)]?.[0]
    if (spot?.includes('-') && spot.includes(CANARY)) continue
    const value = written(random.chance(0.7) ? text(random) : wrong(random), {
      blanks: false,
      escapes: false,
    })
    if (spot) changed = changed.replace(spot, () => `:${value}`)
  }
  return changed
}

function bytesChanged(random: Random, bytes: Buffer): Buffer {
  const at = random.int(0, Math.max(bytes.length - 1, 0))
  const end = Math.min(at + random.int(1, 12), bytes.length)
  const join = (...parts: (Buffer | string)[]) =>
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  switch (random.int(0, 7)) {
    case 0: {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ (1 << random.int(0, 7))
      return copy
    }
    case 1:
      return join(bytes.subarray(0, at), bytes.subarray(end))
    case 2:
      return join(bytes.subarray(0, end), bytes.subarray(at))
    case 3:
      return join(bytes.subarray(0, at), Buffer.from(random.pick(BAD_BYTES)), bytes.subarray(at))
    case 4:
      return random.chance(0.3) ? bytes.subarray(0, at) : bytes
    case 5: {
      const other = random.pick(SAMPLES).bytes
      const from = random.int(0, other.length - 1)
      return join(
        bytes.subarray(0, at),
        other.subarray(from, from + random.int(1, 60)),
        bytes.subarray(at),
      )
    }
    default:
      return join(bytes.subarray(0, at), random.pick(TOKENS), bytes.subarray(at))
  }
}

// ---- HTTP

const TYPES = [
  ...[
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'text/json',
    'text/plain',
  ],
  ...[
    'application/vnd.api+json',
    'application/json, application/json',
    'application/x-www-form-urlencoded',
  ],
  ...[
    'multipart/form-data; boundary=x',
    'application/xml',
    'application',
    '',
    'json',
    '*/*',
    'text/html',
  ],
  ...[`application/${CANARY}`, 'application/json-seq', 'application/jsonp', 'text/plainer'],
] as const
const ENCODINGS = ['identity', 'br', 'gzip, gzip', 'zstd', 'GZIP ', 'x', `x-${CANARY}`] as const

function posted(random: Random, { route, bytes }: Body): Sent {
  const named = random.chance(0.3)
  const key = named ? encodeURIComponent(KEYS.named) : KEYS.plain
  const headers: [string, string][] = []
  const type = random.chance(0.9)
    ? random.pick(['application/json', 'text/plain', null])
    : random.pick(TYPES)
  if (type !== null) headers.push(['content-type', type])
  let body = bytes
  const drawn = random.next()
  if (drawn < 0.06) body = compressed(random, bytes, headers)
  else if (drawn < 0.07) headers.push(['content-encoding', random.pick(ENCODINGS)])
  const chunks = random.chance(0.1) ? [random.int(1, 7), random.int(40, 3_000), 100_000] : null
  return { method: 'POST', target: `/chatlio${route}?key=${key}`, headers, body, chunks }
}

function compressed(random: Random, bytes: Buffer, headers: [string, string][]): Buffer {
  const encoding = random.pick(['gzip', 'deflate', 'x-gzip'])
  const pack = encoding === 'deflate' ? deflateSync : gzipSync
  headers.push(['content-encoding', encoding])
  const isBomb = random.chance(0.02)
  const packed = pack(
    isBomb ? Buffer.alloc(random.pick([LARGE_BYTES + 1, 40_000_000]), ' ') : bytes,
    { level: 1 },
  )
  switch (random.int(0, 9)) {
    case 0:
      return packed.subarray(0, random.int(0, packed.length - 1))
    case 1:
      return Buffer.concat([packed, Buffer.from(random.pick(['x', '\0\0', '{}']))])
    case 2: {
      const at = random.int(0, packed.length - 1)
      packed[at] = (packed[at] ?? 0) ^ (1 << random.int(0, 7))
      return packed
    }
    case 3:
      return bytes
    default:
      return packed
  }
}

const METHODS = [
  'GET',
  'HEAD',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'QUERY',
] as const
const PATHS = [
  ...[
    '/chatlio/',
    '/chatlio/feedback/',
    '/chatlio//feedback',
    '/chatlio/Feedback',
    '/chatlio/feedback/x',
  ],
  ...[
    `/chatlio/${CANARY}`,
    '/chatlio/%66eedback',
    '/chatlio/%zz',
    '/chatlio/feedback%00',
    '/chatlio/%2e%2e/health',
  ],
  ...[
    '/CHATLIO',
    '/chatlio.',
    '/',
    '//',
    '/health',
    '/favicon.ico',
    '/chatlio/feedback;x=1',
    `/${'a'.repeat(4_000)}`,
  ],
  ...['/chatlio/auto', '/chatlio/conversation', '/chatlio/__proto__', '/chatlio/constructor'],
] as const

function queries(random: Random): string {
  const { plain, named } = KEYS
  return random.pick([
    '',
    '?',
    '?key=',
    '?key',
    '?key=wrong-key-of-twenty-characters',
    `?key=${CANARY}`,
    `?key=${plain}&key=wrong`,
    `?key=wrong&key=${plain}`,
    `?x=1&key=${plain}`,
    `?key=%20${plain}%0A`,
    `?key=${named.replace('+', ' ').replace(' ', '%20')}`,
    `?key=${named}`,
    `?key=${SOURCE}%3A${encodeURIComponent(named)}`,
    `?key=%zz${plain}`,
    `?key=${plain}%zz`,
    `?KEY=${plain}`,
    `?key[]=${plain}`,
    `?a=%ff%00&b=${CANARY}&key=${plain}&&&==`,
    `?${'&'.repeat(500)}key=${plain}`,
    `?key=${plain
      .split('')
      .map((char) => `%${char.charCodeAt(0).toString(16)}`)
      .join('')}`,
  ])
}

function oddHttp(random: Random, usual: Sent): Sent {
  const [path_ = '', query = ''] = usual.target.split('?')
  const target =
    (random.chance(0.5) ? random.pick(PATHS) : path_) +
    (random.chance(0.6) ? queries(random) : `?${query}`)
  const headers = [...usual.headers]
  const more: [string, string][] = [
    ['user-agent', `${CANARY}/1.0`],
    ['cookie', `session=${CANARY}`],
    ['authorization', `Bearer ${CANARY}`],
    ['x-forwarded-for', '203.0.113.7, 10.0.0.1'],
    ['accept', 'text/html'],
    ['content-type', 'text/html'],
    ['expect', '100-continue'],
    ['x-long', 'x'.repeat(7_000)],
    ['x-latin', 'caf\u00e9'],
    ['range', 'bytes=0-0'],
    ['if-none-match', '*'],
  ]
  if (random.chance(0.5)) headers.push(random.pick(more as [[string, string]]))
  const method = random.chance(0.5) ? 'POST' : random.pick(METHODS)
  return { ...usual, method, target, headers }
}

// ---- operators' routes that change nothing

const READING = [
  ...[
    '/status',
    '/events',
    '/events/{id}',
    '/events/{id}/body',
    '/events/{id}/preview',
    '/causes',
    '/activity',
  ],
  ...[
    '/summary',
    '/completeness',
    '/compared',
    '/log',
    '/alerts',
    '/drift',
    '/support',
    '/openapi.json',
  ],
  ...['/suppressions', '/', '', '/nothing', '/overview', '/people', '/records', '/export'],
] as const
const ASKING = ['/find', '/screen'] as const
const PARAMETERS: Record<string, readonly [string, ...string[]]> = {
  state: ['pending', 'dead', 'quarantined', 'all', 'delivered', CANARY, ''],
  kind: ['transcript', 'auto', '__proto__', ''],
  code: ['malformed-json', 'invalid-payload', "' OR 1=1", '%00'],
  limit: ['1', '200', '201', '0', '-1', '1e3', '1.5', 'NaN', '99999999999999999999'],
  cursor: ['', '0', 'AAAA', '%00', `${CANARY}`, '9007199254740993', '{}'],
  order: ['oldest', 'newest', 'x'],
  day: ['2026-11-30', '2026-02-30', '0000-00-00', 'x'],
  path: ['visitor.UUID', '%', '__proto__'],
  id: ['0', 'ffffffff', 'zz', `${'a'.repeat(65)}`],
  from: ['2026-11-01T00:00:00Z', '0001-01-01T00:00:00Z', '+275760-09-13T00:00:00Z', '9e99', 'x'],
  to: ['2026-12-01T00:00:00Z', '1969-12-31T23:59:59Z', '-1'],
  step: ['minute', 'hour', 'day', 'year'],
  days: ['1', '90', '91', '-1', 'x'],
}

function operators(random: Random): Sent {
  const isAsking = random.chance(0.35)
  const id = random.pick([random.hex(64), random.hex(8), '%00', '..%2f', CANARY])
  const route = (isAsking ? random.pick(ASKING) : random.pick(READING)).replace('{id}', id)
  const parameters = Object.entries(PARAMETERS) as [[string, readonly [string, ...string[]]]]
  const query = Array.from({ length: random.int(0, 4) }, () => {
    const [name, values] = random.pick(parameters)
    return `${name}=${encodeURIComponent(random.pick(values))}`
  })
  const token = random.chance(0.9) ? ADMIN_TOKEN : random.pick(['', CANARY, `${ADMIN_TOKEN}x`])
  const headers: [string, string][] = [['authorization', `Bearer ${token}`]]
  if (random.chance(0.3)) headers.push(['accept', 'text/html'])
  const asked = new Members(
    random.chance(0.7)
      ? [
          [
            random.pick(['id', 'conversation', 'visitor', 'email']),
            random.chance(0.7) ? textOf(random, 'email') : anything(random, 2),
          ],
          ...(random.chance(0.3) ? members(random, 1, 1) : []),
        ]
      : members(random, 3, 3),
  )
  const body = isAsking
    ? bytesOf(random, random.chance(0.9) ? asked : anything(random))
    : Buffer.alloc(0)
  if (isAsking) headers.push(['content-type', 'application/json'])
  const target = `/admin${route}${query.length > 0 ? `?${query.join('&')}` : ''}`
  return { method: isAsking ? 'POST' : 'GET', target, headers, body, chunks: null }
}

function uuid(random: Random): string {
  return [8, 4, 4, 4, 12].map((digits) => random.hex(digits)).join('-')
}
