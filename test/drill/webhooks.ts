/**
 * Webhooks: bodies as Chatlio posts them, no two alike, and the payload that AEP must have for each.
 *
 * Every one carries a unique mark in a text, so that it can be recognized whatever its `_id`.
 */
import {
  email,
  type Field,
  type Fields,
  type JsonObject,
  join,
  maybe,
  object,
  pastTime,
  same,
  words,
  zeroTime,
} from './fields.ts'
import type { Random } from './random.ts'

export type Webhook = {
  readonly index: number
  /** The path after `/chatlio/`; empty for the URL without a kind. */
  readonly segment: string
  readonly contentType: string | null
  readonly body: Buffer
  /** The status with which the relay must refuse and quarantine it; `null`: it must be accepted. */
  readonly refused: 400 | 422 | null
  readonly mark: string
  /** A body with a conversation or an end has one id for ever, any other a new one every day. */
  readonly namesItself: boolean
  readonly eventType: string
  /** The payload as AEP must have it. */
  readonly payload: JsonObject
  /** Its timestamp; `null`: the time of receipt. */
  readonly happenedAt: string | null
}

type Shape = 'transcript' | 'offline' | 'conversation'
type Source = { readonly segment: string; readonly shape: Shape; readonly eventType: string }

const SOURCES: readonly [Source, ...Source[]] = [
  { segment: 'transcript', shape: 'transcript', eventType: 'chatlio.transcript' },
  { segment: 'offline-message', shape: 'offline', eventType: 'chatlio.offlineMessage' },
  { segment: 'new-conversation', shape: 'conversation', eventType: 'chatlio.newConversation' },
  { segment: 'unanswered', shape: 'conversation', eventType: 'chatlio.unanswered' },
  { segment: 'feedback', shape: 'conversation', eventType: 'chatlio.feedback' },
  { segment: '', shape: 'transcript', eventType: 'chatlio.transcript' },
  { segment: '', shape: 'offline', eventType: 'chatlio.offlineMessage' },
  { segment: '', shape: 'conversation', eventType: 'chatlio.conversation' },
]

const CONTENT_TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'text/plain',
  null,
] as const
const LARGE_SHARE = 0.02
/** Share of the bodies larger than Profile allows for one record. */
const LONG_SHARE = 0.08

export function makeWebhook(index: number, refused: Webhook['refused'], random: Random): Webhook {
  const source = random.pick(SOURCES)
  const mark = `drill-${index}-${random.hex(8)}`
  const fields = { ...FIELDS[source.shape](mark, random), ...unknownFields(random) }
  const { wire, aep } = join(fields)
  if (refused === 422) Object.assign(wire, { channelId: 7, email: 7 })
  const json = JSON.stringify(wire, null, random.chance(0.2) ? 2 : 0)
  const body = Buffer.from(refused === 400 ? json.slice(0, -1) : json)
  const { endedAt } = aep
  return {
    index,
    segment: source.segment,
    contentType: random.pick(CONTENT_TYPES),
    body,
    refused,
    mark,
    namesItself: refused !== 400 && ['conversationUUID', 'endedAt'].some((name) => wire[name]),
    eventType: source.eventType,
    payload: aep,
    happenedAt: typeof endedAt === 'string' ? endedAt : null,
  }
}

const FIELDS: Record<Shape, (mark: string, random: Random) => Fields> = {
  conversation: (mark, random) => ({
    visitor: visitor(random),
    message: same(`${mark} ${words(random, random.int(0, 30))}`),
    conversationUUID: maybe(random, same(uuid(random))),
    channelId: maybe(random, same(`C${random.hex(8)}`)),
    slackChannelName: maybe(random, same('live-chat')),
    slackChannelId: maybe(random, same(`C${random.hex(8)}`)),
  }),
  offline: (mark, random) => {
    const address = email(random)
    return {
      name: maybe(random, same(words(random, 2))),
      // By one of these the URL without a kind recognizes an offline message.
      email: address,
      emailPretty: same(`"A. B." <${String(address.wire).trim()}>`),
      message: same(
        `${mark} ${words(random, random.int(0, random.chance(LONG_SHARE) ? 3_000 : 60))}`,
      ),
      visitor: random.chance(0.3) ? same(undefined) : visitor(random),
    }
  },
  transcript: (mark, random) => {
    const large = random.chance(LARGE_SHARE)
    const most = random.chance(LONG_SHARE) ? 120 : 12
    const count = large ? random.int(200, 800) : random.int(0, most)
    const messages = Array.from({ length: count }, () => message(random, large ? 40 : 12))
    return {
      agentEmail: maybe(random, email(random)),
      agentName: maybe(random, same('Sam Agent')),
      archiveUrl: same(`https://example.slack.com/archives/${mark}`),
      extraData: same(['extra', mark, { deep: [null, '', 0, false] }]),
      channelName: maybe(random, same('utrecht-netherlands-133')),
      conversationUUID: maybe(random, same(uuid(random))),
      startedAt: random.chance(0.1) ? zeroTime : pastTime(random),
      endedAt: random.chance(0.1) ? zeroTime : pastTime(random),
      htmlBody: maybe(random, same(`<p>${words(random, 20)}</p>`)),
      textBody: maybe(random, same(words(random, 20))),
      messages: list(messages),
      visitorEmail: maybe(random, email(random)),
      visitorName: maybe(random, same(words(random, 2))),
      visitorTraits: same({ current_page: 'http://shop.example.com/orders', n: random.int(0, 9) }),
    }
  },
}

function visitor(random: Random): Field {
  const traits = random.chance(0.5) ? { plan: 'gold', seats: random.int(1, 9) } : null
  return object({
    UUID: same(uuid(random)),
    email: maybe(random, email(random)),
    name: maybe(random, same(words(random, 2))),
    identTraits: traits ? same(JSON.stringify(traits)) : { wire: '', aep: undefined },
    identTraitsParsed: { wire: undefined, aep: traits ?? undefined },
    userAgent: maybe(random, same('Mozilla/5.0 (X11; Linux x86_64)')),
    currentPage: maybe(random, same(`http://shop.example.com/?q=${random.hex(4)}`)),
    createdAt: random.chance(0.1) ? zeroTime : pastTime(random),
    IPAddress: maybe(random, same('203.0.113.21')),
  })
}

function message(random: Random, length: number): Field {
  return object({
    text: maybe(random, same(words(random, random.int(1, length)))),
    ts: same(`${random.int(1_400_000_000, 1_500_000_000)}.000005`),
    sentAt: pastTime(random),
    userId: maybe(random, same(`U${random.hex(8)}`)),
    isVisitorMsg: same(random.chance(0.5)),
  })
}

/** Undocumented fields are relayed unchanged, empty or not. */
function unknownFields(random: Random): Fields {
  if (!random.chance(0.3)) return {}
  return { brandNew: same({ empty: '', none: null, list: [1.5, -0.25, words(random, 2)] }) }
}

function list(fields: readonly Field[]): Field {
  return { wire: fields.map(({ wire }) => wire), aep: fields.map(({ aep }) => aep) }
}

function uuid(random: Random): string {
  return [8, 4, 4, 4, 12].map((digits) => random.hex(digits)).join('-')
}
