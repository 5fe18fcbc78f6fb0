/** What Chatlio sends: chats that begin and have a transcript later, other webhooks, bursts, bodies that AEP never takes. */
import type { Random } from '../drill/random.ts'
import { eventId } from '../promises.ts'
import {
  endOf,
  type Fault,
  HOUR,
  KINDS,
  MINUTE,
  type Quality,
  startOf,
  visitorOf,
  type Webhook,
} from './plan.ts'

/** Events that AEP never takes, in a run: each is tried once a minute for a day. */
const MOST_POISONED = 20
const POISONS = ['400', '500', '403', 'silent', '413', '429'] as const

type Draft = Pick<Webhook, 'at' | 'kind' | 'person' | 'conversation'>

export function webhooksOf(random: Random, ms: number, faults: readonly Fault[]): Webhook[] {
  const meanMs = random.pick([MINUTE, MINUTE, 15_000, 5 * MINUTE])
  const moments = [...steady(random, ms, meanMs), ...bursts(random, ms, faults)]
  const poison = random.chance(0.4) ? Math.min(0.04, MOST_POISONED / (moments.length + 1)) : 0
  const large = random.pick([0, 0.002, 0.05])
  const split = random.pick([0.02, 0.2])
  const drafts = moments
    .toSorted((a, b) => a - b)
    .flatMap((at, conversation) => {
      const kind = random.pick(KINDS)
      const person = random.chance(0.5) ? random.int(1, 6) : 1_000 + conversation
      return chat({ at, kind, person, conversation }, ms, faults, random)
    })
  return drafts
    .toSorted((a, b) => a.at - b.at)
    .map((draft, serial) => {
      const bad = random.next()
      const quality: Quality =
        bad < 0.01 ? 'invalid' : bad < 0.01 + poison ? `poison-${random.pick(POISONS)}` : 'good'
      const size = random.chance(large) ? 300_000 : random.chance(split) ? 30_000 : 0
      const body = bodyOf({ ...draft, serial, quality, size })
      const id = eventId(draft.kind, body, null)
      return { ...draft, serial, quality, body, id }
    })
}

function steady(random: Random, ms: number, meanMs: number): number[] {
  const moments: number[] = []
  for (let at = 0; ; ) {
    // In a run of days, nights are quiet.
    const isNight = ms > 12 * HOUR && at % (24 * HOUR) > 12 * HOUR
    at += Math.round(-Math.log(1 - random.next()) * meanMs * (isNight ? 8 : 1))
    if (at >= ms) return moments
    moments.push(at)
  }
}

/** Most of them where something begins, or while AEP fails everything. */
function bursts(random: Random, ms: number, faults: readonly Fault[]): number[] {
  const moments: number[] = []
  const outages = faults.filter((fault) => fault.what === 'aep' && fault.share === 1)
  for (let left = random.int(0, 4); left > 0; left -= 1) {
    const among = random.chance(0.5) && outages.length > 0 ? outages : faults
    const fault = among[random.int(0, Math.max(0, among.length - 1))]
    const at =
      fault && random.chance(0.8)
        ? random.chance(0.5)
          ? startOf(fault) + random.int(-5_000, MINUTE)
          : random.int(startOf(fault), endOf(fault))
        : random.int(MINUTE, ms - MINUTE)
    const count = random.int(10, 120)
    for (let each = 0; each < count; each += 1) {
      moments.push(Math.min(ms - 1, Math.max(0, at + random.int(0, 30_000))))
    }
  }
  return moments
}

/** Most chats that begin have a transcript within half an hour. */
function chat(begun: Draft, ms: number, faults: readonly Fault[], random: Random): Draft[] {
  const isChat = begun.kind === 'new-conversation' || begun.kind === 'unanswered'
  if (!isChat || !random.chance(0.95)) return [begun]
  const at = begun.at + random.int(2 * MINUTE, 30 * MINUTE)
  const isLeftOut = faults.some(
    (fault) => fault.what === 'chatlio' && fault.from <= at && at < fault.to,
  )
  return at < ms && !isLeftOut ? [begun, { ...begun, at, kind: 'transcript' }] : [begun]
}

function bodyOf({
  serial,
  kind,
  person,
  quality,
  size,
  conversation,
}: Draft & { serial: number; quality: Quality; size: number }) {
  const long = 'so much to say, and all of it in one go. '.repeat(Math.ceil(size / 41))
  const visitor = { UUID: visitorOf(person), email: `${visitorOf(person)}@example.com` }
  const conversationUUID = `conversation-${conversation}`
  if (quality === 'invalid') {
    return JSON.stringify({ conversationUUID, visitor: 'nobody', message: 5, messages: 'none' })
  }
  if (kind === 'transcript') {
    const texts = size > 0 ? (long.match(/.{1,900}/g) ?? []) : ['hello', 'hello to you']
    const messages = texts.map((text, index) => ({ text, isVisitorMsg: index % 2 === 0 }))
    return JSON.stringify({ visitor, conversationUUID, messages })
  }
  const message = `message ${serial} ${long}`
  if (kind === 'offline-message') {
    return JSON.stringify({ name: 'Ada', email: visitor.email, message, visitor, conversationUUID })
  }
  return JSON.stringify({ visitor, message, conversationUUID })
}
