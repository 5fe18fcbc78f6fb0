/** Arbitrary payloads, and the events made from them. */
import fc from 'fast-check'
import { type ChatEvent, readEvent } from '../../../src/worker/chatlio/event.ts'
import type { EventKind, Route } from '../../../src/worker/chatlio/kind.ts'
import type { RawDestination, XdmDestination } from '../../../src/worker/config/config.ts'

export const RECEIVED_AT = Date.parse('2026-11-02T09:30:00.123Z')
export const ID = '0123456789abcdef'.repeat(4)

export const RAW: RawDestination = {
  format: 'raw',
  url: 'https://dcs.example.com/collection/inlet',
  credentials: null,
  flowId: 'flow',
}

export const XDM: XdmDestination = {
  format: 'xdm',
  url: 'https://dcs.example.com/collection/inlet',
  batchUrl: 'https://dcs.example.com/collection/batch/inlet',
  credentials: null,
  flowId: null,
  orgId: 'ORG@AdobeOrg',
  datasetId: 'dataset',
  schemaId: 'https://ns.adobe.com/acme/schemas/chatlio',
  schemaVersion: '1',
  tenant: 'acme',
  visitorNamespace: 'ChatlioVisitor',
  schemaExtras: [],
}

/** A schema with everything that ours may have. */
export const XDM_EXTRAS: XdmDestination = { ...XDM, schemaExtras: ['chat', 'contact'] }

export const SENDING = { now: RECEIVED_AT, source: 'shop', redact: [] }

/** The event of a payload, read from its JSON as a webhook is. */
export function eventOf(kind: Route | EventKind, payload: unknown): ChatEvent {
  const value: unknown = JSON.parse(JSON.stringify(payload))
  const reading = readEvent({ id: ID, kind, receivedAt: RECEIVED_AT }, { ok: true, value })
  if (reading.outcome !== 'valid') throw new Error(JSON.stringify(reading))
  return reading.event
}

const CHARACTERS = [
  ...'ab ,.:/@"\\\n',
  '\0',
  '\x1b',
  'é',
  '漢',
  '😀',
  '\ud83d',
  '\ude00',
  '\u2028',
  '\x7f',
]
const short = fc.string({ unit: fc.constantFrom(...CHARACTERS), maxLength: 12 })
const long = fc
  .tuple(short, fc.integer({ min: 1, max: 900 }))
  .map(([piece, times]) => piece.repeat(times))
export const anyText = fc.oneof({ weight: 4, arbitrary: short }, { weight: 1, arbitrary: long })

const email = fc.constantFrom(
  'Ada@Example.com',
  ' a@b ',
  'nobody',
  'a@b@c',
  `${'x'.repeat(1020)}@y.de`,
)
const url = fc.oneof(
  fc.constantFrom(
    'http://shop.example.com/a?b=c',
    'https://x',
    'about:blank',
    '/orders',
    'http://a b',
  ),
  fc
    .integer({ min: 0, max: 3000 })
    .map((length) => `https://shop.example.com/${'p'.repeat(length)}`),
)
const ip = fc.constantFrom(
  '203.0.113.21',
  '2001:db8::7',
  '::ffff:1.2.3.4',
  '1.2.3',
  '1.2.3.4, 5.6.7.8',
)
const time = fc.constantFrom(
  '2016-02-07T11:02:17.839766-08:00',
  '0001-01-01T00:00:00Z',
  '2999-01-01T00:00:00Z',
  'yesterday',
)
const location = fc.constantFrom(
  'Utrecht, Utrecht, Netherlands',
  'Atlanta, Georgia',
  ', , Peru',
  'x',
)
const json = fc.jsonValue({ maxDepth: 2 })

/** Unknown fields, some named like fields of other objects. */
const unknown = fc.dictionary(
  fc.oneof(
    fc.constantFrom(
      'rating',
      'part',
      'unmapped',
      'index',
      'a.b',
      'a\\',
      '',
      '_id',
      'textBody',
      'name',
    ),
    fc.constantFrom(
      'messages.0.text',
      'visitor.UUID',
      'constructor',
      'toString',
      'identTraitsParsed',
    ),
    short,
  ),
  fc.oneof(json, anyText),
  { maxKeys: 4 },
)

type Fields = Record<string, fc.Arbitrary<unknown>>

/** The required fields, some optional ones (also empty or null), and unknown ones. */
function object(optional: Fields, required: Fields = {}) {
  const maybe = Object.entries(optional).map(([key, arbitrary]) => [
    key,
    fc.oneof({ weight: 5, arbitrary }, { weight: 1, arbitrary: fc.constantFrom('', null) }),
  ])
  return fc
    .tuple(
      unknown,
      fc.record(Object.fromEntries(maybe) as Fields, { requiredKeys: [] }),
      fc.record(required),
    )
    .map((objects) => Object.assign({}, ...objects) as Record<string, unknown>)
}

const texts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, anyText]))

const visitorFields = {
  ...texts('name', 'identUserId', 'userAgent', 'handle'),
  identTraits: fc.constantFrom('{"plan":"gold","list":[1,null]}', 'gold', '[', '""'),
  email,
  currentPage: url,
  referrerURL: url,
  createdAt: time,
  IPAddress: ip,
  location: fc.oneof(location, anyText),
}
const uuid = fc.oneof(
  fc.uuid(),
  anyText.map((text) => `u${text}`),
)

const conversation = object(
  texts('message', 'conversationUUID', 'channelId', 'slackChannelName', 'slackChannelId'),
  { visitor: object(visitorFields, { UUID: uuid }) },
)

const offlineMessage = object(
  { ...texts('name', 'subject', 'emailPretty'), email },
  { message: anyText, visitor: object({ ...visitorFields, UUID: uuid }) },
)

const message = fc.oneof(
  { weight: 1, arbitrary: fc.constant({}) },
  {
    weight: 5,
    arbitrary: object(
      { ...texts('text', 'ts', 'userId', 'username'), sentAt: time },
      { isVisitorMsg: fc.boolean() },
    ),
  },
)

const transcript = object(
  {
    ...texts('agentName', 'archiveUrl', 'channelId', 'channelName', 'conversationUUID', 'htmlBody'),
    ...texts('textBody', 'visitorName', 'slackTeamID'),
    agentEmail: email,
    visitorEmail: email,
    replyToEmail: email,
    startedAt: time,
    endedAt: time,
  },
  { messages: fc.array(message, { maxLength: 12 }) },
)

const payloads: [EventKind, fc.Arbitrary<unknown>][] = [
  ['transcript', transcript],
  ['offline-message', offlineMessage],
  ['new-conversation', conversation],
  ['unanswered', conversation],
  ['feedback', conversation],
  ['conversation', conversation],
]

/** An event of any kind, from any payload that the schemas accept. */
export const anyEvent: fc.Arbitrary<ChatEvent> = fc
  .oneof(...payloads.map(([kind, payload]) => payload.map((held) => tryEvent(kind, held))))
  .filter((event) => event !== null)

/** An unknown field may have the name of a known one, and then a wrong type. */
function tryEvent(kind: EventKind, payload: unknown): ChatEvent | null {
  try {
    return eventOf(kind, payload)
  } catch {
    return null
  }
}

/**
 * Like `fc.assert`, but reports a failure as well-formed text: a lone surrogate in an error breaks the connection over
 * which workerd reports it, and the failure would stay invisible.
 */
export function holds<T>(property: fc.IProperty<T>, numRuns: number): void {
  const { failed, seed, counterexamplePath, counterexample, errorInstance } = fc.check(property, {
    numRuns,
  })
  if (!failed) return
  const found = JSON.stringify(counterexample).slice(0, 3_000)
  const where = `seed ${seed}, path ${counterexamplePath}`
  throw new Error(`${where}: ${found}\n${errorInstance}`.toWellFormed().slice(0, 8_000))
}
