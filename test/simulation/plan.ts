/**
 * What happens in a run, all of it data: who writes, what fails, what operators do. Made from a seed; a plan with items left
 * out is a plan as well, which is how a failing one is made shorter.
 */
import { createHash } from 'node:crypto'
import { Random } from '../drill/random.ts'

export type AepAnswer =
  | '400'
  | '413'
  | '401'
  | '403'
  | '404'
  | '500'
  | '503'
  | '503-wait'
  | '429'
  | '429-wait'
  | 'silent'
  | 'slow'
  | 'reset'
  | 'lost-answer'
  | 'empty'
  | 'wrong-number'

type Lasting = { from: number; to: number }

export type AepFault = Lasting & {
  what: 'aep'
  answer: AepAnswer
  share: number
  kinds: readonly string[] | null
  /** Of the identity service, not of the endpoint. */
  ims: boolean
}
export type RpcHow = 'lost-there' | 'lost-back' | 'twice' | 'silent' | 'slow' | 'overloaded'
export type RpcFault = Lasting & { what: 'rpc'; how: RpcHow; share: number }
export type StorageTrouble = Lasting & {
  what: 'storage'
  how: 'full' | 'fails' | 'slow'
  share: number
}
export type SenderFault = Lasting & { what: 'sender'; share: number }
export type Moment =
  | { what: 'object'; at: number; how: 'killed' | 'reset' | 'evicted' }
  | { what: 'isolate'; at: number }
  | { what: 'alarm-lost'; at: number }
  | { what: 'clock'; at: number; of: 'object' | 'isolate'; ms: number; forMs: number }
  | { what: 'deploy'; at: number; settings: Settings }
  | { what: 'operator'; at: number; does: OperatorAction }
export type OperatorAction =
  | { name: 'pause' | 'resume' | 'end-suppression' | 'delete-newest' | 'delete-dead' }
  | { name: 'redrive'; state: 'dead' | 'quarantined' }
  | { name: 'erase'; person: number; days: number }
export type Fault = AepFault | RpcFault | StorageTrouble | SenderFault | Moment

export type Settings = {
  format: 'raw' | 'xdm'
  tenant: string
  /** AEP refuses everything that comes under this flow. */
  flow: string
  token: boolean
  forwardMs: number
  maxEventBytes: number
}

export type Quality = 'good' | 'invalid' | `poison-${AepAnswer}`
export type Webhook = {
  at: number
  serial: number
  kind: string
  person: number
  quality: Quality
  body: string
  id: string
}

export type Plan = {
  seed: number
  /** How long there are faults and webhooks; then a calm. */
  ms: number
  isolates: number
  settings: Settings
  faults: readonly Fault[]
  webhooks: readonly Webhook[]
}

export const KINDS = [
  'transcript',
  'offline-message',
  'new-conversation',
  'unanswered',
  'feedback',
] as const
const MINUTE = 60_000
const HOUR = 60 * MINUTE

export function planOf(seed: number, hours: number): Plan {
  const random = new Random(seed, 'plan')
  const ms = Math.round(hours * HOUR)
  const settings = settingsFrom(random)
  const makers = FAULTS.filter(() => random.chance(0.3))
  const isCalm = random.chance(0.06)
  const faults = isCalm
    ? []
    : makers.flatMap((make) => {
        const count = random.int(1, 3)
        return Array.from({ length: count }, () => make(random, ms, settings)).flat()
      })
  const webhooks = webhooksOf(new Random(seed, 'webhooks'), ms, faults)
  const aimed = faults.map((fault) => aimedAt(webhooks, fault, random))
  return {
    seed,
    ms,
    isolates: random.int(1, 4),
    settings,
    faults: aimed.sort((a, b) => startOf(a) - startOf(b)),
    webhooks,
  }
}

/** Half of the moments come while a webhook is under way, since nothing much happens in between. */
function aimedAt(webhooks: readonly Webhook[], fault: Fault, random: Random): Fault {
  const isErasure = fault.what === 'operator' && fault.does.name === 'erase'
  const isDeletion = fault.what === 'operator' && fault.does.name === 'delete-newest'
  if (!isErasure && !isDeletion && fault.what !== 'object') return fault
  if (random.chance(0.5)) return fault
  const near = webhooks.filter(
    ({ at, body }) =>
      Math.abs(at - fault.at) < 20 * MINUTE && (fault.what === 'object' || body.length > 20_000),
  )
  const [first] = near
  if (!first) return fault
  const { at, person } = random.pick([first, ...near])
  const lateMs = fault.what === 'object' ? random.int(1, 90) : random.int(100, 8_000)
  const moved = { ...fault, at: at + lateMs }
  return moved.what === 'operator' && moved.does.name === 'erase'
    ? { ...moved, does: { ...moved.does, person } }
    : moved
}

export function startOf(fault: Fault): number {
  return 'from' in fault ? fault.from : fault.at
}

/** When it is over; a moment and what follows from it at once. */
export function endOf(fault: Fault): number {
  if ('to' in fault) return fault.to
  return fault.what === 'clock' ? fault.at + fault.forMs : fault.at
}

function settingsFrom(random: Random): Settings {
  const format = random.chance(0.5) ? 'raw' : 'xdm'
  return {
    format,
    tenant: 'acme',
    flow: 'flow',
    token: random.chance(0.3),
    forwardMs: random.pick([3_000, 3_000, 3_000, 1_000, 0]),
    maxEventBytes: random.pick([9_500, 9_500, 4_000]),
  }
}

type Maker = (random: Random, ms: number, settings: Settings) => Fault[]

function lasting(random: Random, ms: number, least: number, most: number): Lasting {
  const from = random.int(MINUTE, Math.max(MINUTE, ms - most))
  return { from, to: Math.min(ms, from + random.int(least, most)) }
}
const moment = (random: Random, ms: number) => random.int(MINUTE, ms - MINUTE)

/** Nothing is heard of AEP but this. */
const outage: Maker = (random, ms) => {
  const answers = ['503', '503', '500', '429', '429-wait', '503-wait', 'silent', 'reset'] as const
  const answer = random.pick(answers)
  return [
    {
      what: 'aep',
      ...lasting(random, ms, 30_000, 40 * MINUTE),
      answer,
      share: 1,
      kinds: null,
      ims: false,
    },
  ]
}
const brownout: Maker = (random, ms) => {
  const answers = ['503', '500', '429', 'silent', 'reset', 'slow', 'lost-answer', 'empty'] as const
  const answer = random.pick(answers)
  const share = random.pick([0.05, 0.3, 0.6, 0.9])
  return [
    {
      what: 'aep',
      ...lasting(random, ms, MINUTE, 60 * MINUTE),
      answer,
      share,
      kinds: null,
      ims: false,
    },
  ]
}
/** For a long time, in which an event can fail dozens of times. */
const longBrownout: Maker = (random, ms) => {
  const answer = random.pick(['503', '500', 'empty', 'reset'])
  const from = random.int(0, Math.round(ms * 0.1))
  return [{ what: 'aep', from, to: ms, answer, share: 0.9, kinds: null, ims: false } as Fault]
}
const refusal: Maker = (random, ms) => {
  const answer = random.pick(['400', '400', '401', '403', '404', '413'])
  return [
    {
      what: 'aep',
      ...lasting(random, ms, 2 * MINUTE, 40 * MINUTE),
      answer,
      share: 1,
      kinds: null,
      ims: false,
    } as Fault,
  ]
}
const kindRefused: Maker = (random, ms) => {
  const answer = random.pick(['400', '400', '500', '403', 'silent', 'slow'])
  const kinds = [random.pick([...KINDS] as [string, ...string[]])]
  const share = random.pick([1, 1, 0.5])
  return [
    {
      what: 'aep',
      ...lasting(random, ms, 5 * MINUTE, 60 * MINUTE),
      answer,
      share,
      kinds,
      ims: false,
    } as Fault,
  ]
}
/** First everything is refused, then AEP is down as well. */
const refusalThenOutage: Maker = (random, ms) => {
  const { from } = lasting(random, ms, 30 * MINUTE, 40 * MINUTE)
  const middle = from + random.int(5 * MINUTE, 15 * MINUTE)
  const to = Math.min(ms, middle + random.int(5 * MINUTE, 25 * MINUTE))
  const answer = random.pick(['503', '429', '401', 'reset', 'silent'])
  const common = { what: 'aep', share: 1, kinds: null, ims: false } as const
  return [
    { ...common, from, to: middle, answer: '400' },
    { ...common, from: middle, to, answer: answer as AepAnswer },
  ]
}
const ims: Maker = (random, ms) => {
  const answer = random.pick(['500', '401', '429', 'silent', 'reset', 'empty'])
  const share = random.pick([0.3, 1])
  return [
    {
      what: 'aep',
      ...lasting(random, ms, MINUTE, 40 * MINUTE),
      answer,
      share,
      kinds: [],
      ims: true,
    } as Fault,
  ]
}
const rpc: Maker = (random, ms) => {
  const hows = ['lost-there', 'lost-back', 'twice', 'silent', 'slow', 'overloaded'] as const
  const share = random.pick([0.05, 0.3, 1])
  return [
    { what: 'rpc', ...lasting(random, ms, 30_000, 15 * MINUTE), how: random.pick(hows), share },
  ]
}
const storage: Maker = (random, ms) => {
  const how = random.pick(['full', 'fails', 'slow'])
  const share = random.pick([0.01, 0.1, 0.5])
  return [{ what: 'storage', ...lasting(random, ms, MINUTE, 20 * MINUTE), how, share } as Fault]
}
const sender: Maker = (random, ms) => {
  const share = random.pick([0.2, 1])
  return [{ what: 'sender', ...lasting(random, ms, MINUTE, 20 * MINUTE), share }]
}
const object: Maker = (random, ms) => {
  const how = random.pick(['killed', 'reset', 'evicted'] as const)
  const first = moment(random, ms)
  const count = random.pick([1, 1, 4, 12])
  return Array.from({ length: count }, () => {
    return { what: 'object', how, at: Math.min(ms, first + random.int(0, 10 * MINUTE)) } as const
  })
}
const isolate: Maker = (random, ms) =>
  Array.from({ length: random.int(1, 5) }, () => ({ what: 'isolate', at: moment(random, ms) }))
/** AEP keeps requests waiting, and the object starts again and again. */
const restartsWhileSlow: Maker = (random, ms) => {
  const lasts = lasting(random, ms, 5 * MINUTE, 20 * MINUTE)
  const answer = random.pick(['silent', 'slow'] as const)
  const how = random.pick(['killed', 'reset'] as const)
  const restarts = Array.from({ length: 12 }, () => {
    return { what: 'object', how, at: random.int(lasts.from, lasts.to) } as const
  })
  return [{ what: 'aep', ...lasts, answer, share: 1, kinds: null, ims: false }, ...restarts]
}
const alarmLost: Maker = (random, ms) => [{ what: 'alarm-lost', at: moment(random, ms) }]
const clock: Maker = (random, ms) => {
  // Less than the retention: what is older than that is erased, whoever says so.
  const size = random.pick([2_000, 30_000, 10 * MINUTE, 5 * HOUR, 3 * 24 * HOUR])
  const forMs = random.int(MINUTE, 20 * MINUTE)
  const at = random.int(MINUTE, ms - forMs)
  const of = random.pick(['object', 'isolate'] as const)
  return [{ what: 'clock', at, of, ms: random.chance(0.6) ? size : -size, forMs }]
}
/** A setting that is right, then wrong for a while, then right: AEP refuses everything, or all of the events are others. */
const deploy: Maker = (random, ms, settings) => {
  const at = random.int(MINUTE, ms - 40 * MINUTE)
  const said = random.pick(['400', '401', '404'])
  const changes: Partial<Settings>[] = [
    {},
    { forwardMs: settings.forwardMs === 0 ? 3_000 : 0 },
    { format: settings.format === 'raw' ? 'xdm' : 'raw' },
    { tenant: 'other' },
    { flow: `wrong-${said}` },
    { flow: `wrong-${said}` },
  ]
  const changed = { ...settings, ...random.pick(changes as [Partial<Settings>]) }
  const first: Fault = { what: 'deploy', at, settings: changed }
  const back = changed.flow !== settings.flow || random.chance(0.5)
  const later = at + random.int(5 * MINUTE, 30 * MINUTE)
  return back ? [first, { what: 'deploy', at: later, settings }] : [first]
}
const operator: Maker = (random, ms) => {
  const at = moment(random, ms)
  const name = random.pick([
    'pause',
    'redrive',
    'redrive',
    'delete-newest',
    'delete-dead',
    'resume',
  ])
  if (name === 'redrive') {
    return [{ what: 'operator', at, does: { name, state: random.pick(['dead', 'quarantined']) } }]
  }
  const does = { name } as OperatorAction
  const acted: Fault = { what: 'operator', at, does }
  if (name !== 'pause') return [acted]
  const later = Math.min(ms, at + random.int(MINUTE, 20 * MINUTE))
  return [acted, { what: 'operator', at: later, does: { name: 'resume' } }]
}
const erasure: Maker = (random, ms) => {
  const at = moment(random, ms)
  const does = { name: 'erase', person: random.int(1, 6), days: random.pick([0, 45, 45]) } as const
  return [{ what: 'operator', at, does }]
}

const FAULTS: readonly Maker[] = [
  outage,
  brownout,
  longBrownout,
  refusal,
  kindRefused,
  kindRefused,
  refusalThenOutage,
  ims,
  rpc,
  rpc,
  storage,
  sender,
  object,
  object,
  restartsWhileSlow,
  isolate,
  alarmLost,
  clock,
  deploy,
  operator,
  operator,
  erasure,
  erasure,
]

function webhooksOf(random: Random, ms: number, faults: readonly Fault[]): Webhook[] {
  const meanMs = random.pick([MINUTE, MINUTE, 15_000, 5 * MINUTE])
  const poison = random.chance(0.4)
  const poisons = ['400', '500', '403', 'silent', '413', '429'] as const
  const large = random.pick([0, 0.002, 0.05])
  const split = random.pick([0.02, 0.2])
  const moments: number[] = []
  for (let at = 0; ; ) {
    at += Math.round(-Math.log(1 - random.next()) * meanMs)
    if (at >= ms) break
    moments.push(at)
  }
  // Bursts, some of them where something happens.
  for (let bursts = random.int(0, 3); bursts > 0; bursts -= 1) {
    const fault = faults[random.int(0, Math.max(0, faults.length - 1))]
    const at =
      fault && random.chance(0.8) ? startOf(fault) + random.int(-5_000, MINUTE) : moment(random, ms)
    const count = random.int(10, 120)
    for (let each = 0; each < count; each += 1) {
      moments.push(Math.min(ms - 1, Math.max(0, at + random.int(0, 30_000))))
    }
  }
  return moments
    .sort((a, b) => a - b)
    .map((at, serial) => {
      const kind = random.pick(KINDS)
      const person = random.chance(0.5) ? random.int(1, 6) : 1_000 + serial
      const bad = random.next()
      const quality: Quality =
        bad < 0.01 ? 'invalid' : poison && bad < 0.05 ? `poison-${random.pick(poisons)}` : 'good'
      const size = random.chance(large) ? 300_000 : random.chance(split) ? 30_000 : 0
      const body = bodyOf({ serial, kind, person, quality, size })
      const id = createHash('sha256').update(`${kind}\n${body}`).digest('hex')
      return { at, serial, kind, person, quality, body, id }
    })
}

export const visitorOf = (person: number) => `visitor-${person}`

function bodyOf(
  webhook: Pick<Webhook, 'serial' | 'kind' | 'person' | 'quality'> & { size: number },
) {
  const { serial, kind, person, quality, size } = webhook
  const long = 'so much to say, and all of it in one go. '.repeat(Math.ceil(size / 41))
  const visitor = { UUID: visitorOf(person), email: `${visitorOf(person)}@example.com` }
  const conversationUUID = `conversation-${serial}`
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
