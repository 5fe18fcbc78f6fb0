/** The kinds of faults that a plan is made of; each makes some at random moments. */
import type { Random } from '../drill/random.ts'
import {
  type AepAnswer,
  type Fault,
  HOUR,
  KINDS,
  type Lasting,
  MINUTE,
  type OperatorAction,
  type Settings,
} from './plan.ts'

/** What makes faults of one kind, each so many. */
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
  const to = Math.min(ms, from + 4 * HOUR)
  return [{ what: 'aep', from, to, answer, share: 0.9, kinds: null, ims: false } as Fault]
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
  const answer = random.pick(['500', '401', '429', 'silent', 'slow', 'reset', 'empty'])
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
  const said = random.pick(['400', '400', '401', '404'])
  const changes: Partial<Settings>[] = [
    {},
    { forwardMs: settings.forwardMs === 0 ? 3_000 : 0 },
    { format: settings.format === 'raw' ? 'xdm' : 'raw' },
    { tenant: 'other' },
    { redact: settings.redact === 'card' ? 'none' : 'card' },
    { keys: [1] },
    { keys: [0, 1] },
    { flow: `wrong-${said}` },
    { flow: `wrong-${said}` },
    { flow: `wrong-${said}` },
  ]
  const changed = { ...settings, ...random.pick(changes as [Partial<Settings>]) }
  const first: Fault = { what: 'deploy', at, settings: changed }
  const back = changed.flow !== settings.flow || !changed.keys.includes(0) || random.chance(0.5)
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
    'end-suppression',
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

/** A person is erased while AEP takes its time for what is sent of them. */
const erasureWhileSlow: Maker = (random, ms) => {
  const at = random.int(Math.min(26 * MINUTE, ms / 2), ms - MINUTE)
  const lasts = { from: Math.max(0, at - 25 * MINUTE), to: Math.min(ms, at + 10 * MINUTE) }
  const does = { name: 'erase', person: random.int(1, 6), days: 45 } as const
  return [
    { what: 'aep', ...lasts, answer: 'slow', share: 1, kinds: null, ims: false },
    { what: 'operator', at, does },
  ]
}
/** AEP accepts, and refuses or loses it afterwards. */
const landed: Maker = (random, ms) => {
  const how = random.pick(['fails', 'fails', 'lost'] as const)
  const share = random.pick([1, 0.3, 0.05])
  return [{ what: 'landed', ...lasting(random, ms, 5 * MINUTE, 90 * MINUTE), how, share }]
}
/** What AEP counts cannot be read. */
const unread: Maker = (random, ms) => {
  const how = random.pick(['403', '500', 'silent', 'slow'] as const)
  const share = random.pick([1, 0.3])
  return [{ what: 'landed', ...lasting(random, ms, 5 * MINUTE, 90 * MINUTE), how, share }]
}
const noTranscripts: Maker = (random, ms) => [
  { what: 'chatlio', ...lasting(random, ms, 20 * MINUTE, 150 * MINUTE) },
]

/** One kind is refused, and dies; later a setting is wrong for a while, and everything is refused. */
export const deathThenWrongSetting: Maker = (random, ms, settings) => {
  const from = random.int(5 * MINUTE, Math.max(6 * MINUTE, ms - 80 * MINUTE))
  const to = from + 15 * MINUTE
  const kinds = [random.pick(KINDS)]
  const at = to + random.int(5 * MINUTE, 10 * MINUTE)
  const back = at + random.int(10 * MINUTE, 20 * MINUTE)
  return [
    { what: 'aep', from, to, answer: '400', share: 1, kinds, ims: false },
    { what: 'deploy', at, settings: { ...settings, flow: 'wrong-400' } },
    { what: 'deploy', at: back, settings },
  ]
}

/** A backlog goes out in batches, of which AEP refuses some of the events now and takes them later. */
export const refusedTogether: Maker = (random, ms) => {
  const from = random.int(5 * MINUTE, Math.max(6 * MINUTE, ms - 60 * MINUTE))
  const middle = from + random.int(10 * MINUTE, 20 * MINUTE)
  const common = { what: 'aep', kinds: null, ims: false } as const
  return [
    { ...common, from, to: middle, answer: '503', share: 1 },
    { ...common, from: middle, to: middle + 20 * MINUTE, answer: '400', share: 0.1 },
  ]
}

/** Those that nothing of the relay itself is troubled by. */
export const LATER: readonly Maker[] = [landed, unread, noTranscripts]

export const FAULTS: readonly Maker[] = [
  ...LATER,
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
  erasureWhileSlow,
]
