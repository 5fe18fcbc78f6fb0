/** The plan of a seed: settings, faults and webhooks. */
import { Random } from '../drill/random.ts'
import {
  type AepAnswer,
  type Fault,
  HOUR,
  MINUTE,
  type OperatorAction,
  type Plan,
  type Settings,
  startOf,
  type Webhook,
} from './plan.ts'
import { deathThenWrongSetting, FAULTS, LATER, refusedTogether } from './plan-faults.ts'
import { webhooksOf } from './plan-webhooks.ts'

export function planOf(seed: number, hours: number): Plan {
  const random = new Random(seed, 'plan')
  const ms = Math.round(hours * HOUR)
  const settings = settingsFrom(random)
  const isCalm = random.chance(0.06)
  const isAepAlone = random.chance(0.1)
  const among = isAepAlone ? LATER : FAULTS
  const makers = among.filter(() => random.chance(isAepAlone ? 0.7 : 0.3))
  const faults = isCalm
    ? []
    : makers.flatMap((make) => {
        const count = random.int(1, 3)
        return Array.from({ length: count }, () => make(random, ms, settings)).flat()
      })
  // Too many things together to come by chance.
  const together = new Random(seed, 'together')
  if (together.chance(0.06)) faults.push(...deathThenWrongSetting(together, ms, settings))
  const races = new Random(seed, 'other')
  if (races.chance(0.05)) faults.push(...refusedTogether(races, ms, settings))
  const odd = new Random(seed, 'odd answers')
  if (odd.chance(0.3)) {
    for (const fault of faults) {
      if (fault.what !== 'aep' || fault.ims) continue
      const others = ODD[fault.answer]
      if (others && odd.chance(0.6)) fault.answer = odd.pick(others)
    }
  }
  const sent = webhooksOf(new Random(seed, 'webhooks'), ms, faults)
  const webhooks = repeated(sent, ms, new Random(seed, 'again'))
  const aimed = faults.map((fault) => aimedAt(webhooks, fault, random))
  if (races.chance(0.05)) aimed.push(...racing(webhooks, races))
  return {
    seed,
    ms,
    isolates: random.int(1, 4),
    settings,
    faults: aimed.sort((a, b) => startOf(a) - startOf(b)),
    webhooks,
  }
}

/** In the place of a plain answer, in some runs. */
const ODD: { readonly [answer in AepAnswer]?: readonly [AepAnswer, ...AepAnswer[]] } = {
  '404': ['307'],
  '429': ['429-odd', '408'],
  '500': ['408', 'html'],
  '503': ['html', '429-odd', 'half'],
  empty: ['html', 'half'],
  reset: ['half'],
}

/** In some runs a webhook comes again: while it is under way, while it waits, or long after. */
function repeated(webhooks: readonly Webhook[], ms: number, random: Random): readonly Webhook[] {
  if (!random.chance(0.15)) return webhooks
  return webhooks.map((webhook) => {
    if (!random.chance(0.2)) return webhook
    const late = () => random.int(1, random.pick([80, 5_000, 2 * MINUTE, 2 * HOUR]))
    const again = [webhook.at + late(), webhook.at + late()].slice(random.int(0, 1))
    return { ...webhook, again: again.filter((at) => at < ms) }
  })
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

/** Operators act while webhooks are on their way to the outbox. */
function racing(webhooks: readonly Webhook[], random: Random): Fault[] {
  return Array.from({ length: 12 }, (_, index): Fault[] => {
    const [first] = webhooks
    if (!first) return []
    const { at, person } = random.pick([first, ...webhooks])
    const moment = at + random.int(1, 120)
    const act = (does: OperatorAction, after = 0): Fault => {
      return { what: 'operator', at: moment + after, does }
    }
    switch (index % 3) {
      case 0:
        return [act({ name: 'redrive', state: 'dead' })]
      case 1:
        return [act({ name: 'pause' }), act({ name: 'resume' }, MINUTE)]
      default:
        return [act({ name: 'erase', person, days: 0 })]
    }
  }).flat()
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
    redact: random.pick(['card', 'card', 'none']),
    keys: [0],
    completeHours: random.pick([24, 1, 1]),
  }
}
