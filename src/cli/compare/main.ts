/**
 * `npm run compare`: what AEP has against what the relay has sent, for a flow whose owner gives the Worker no credential.
 *
 * Promises: it only reads. Fewer in AEP than it acknowledged counts once hours are settled; more is no fault, since the
 * relay's figure is a lower bound and repeats count twice. Events by id, code and place; nothing of what they say.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { LandedFailure, LandedHour } from '../../worker/aep/landed.ts'
import type { Environment } from '../lib/env-file.ts'
import type { Io } from '../lib/platform-client.ts'
import { printable } from '../lib/printable.ts'
import { mark, wrap } from '../lib/style.ts'
import { table } from '../lib/terminal.ts'
import { aepSide, explain, readEverything } from './aep.ts'
import { type Common, readOptions, USAGE } from './options.ts'
import { sentByHour } from './relay.ts'

export type Surroundings = {
  readonly env: Environment
  readonly now: () => number
  readonly io: Io
}

export const SURROUNDINGS: Surroundings = {
  env: process.env,
  now: Date.now,
  io: { fetch: globalThis.fetch, sleep: (ms) => delay(ms), random: Math.random },
}

const HOUR_MS = 3_600_000

/** Resolves with the exit code. */
export async function main(
  args: readonly string[],
  given: Partial<Surroundings> = {},
): Promise<number> {
  const surroundings = { ...SURROUNDINGS, ...given }
  const options = readOptions(args, surroundings.env)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  if ('wrong' in options) {
    console.error(`${options.wrong}\n\n${USAGE}`)
    return 2
  }
  return compare(options, surroundings)
}

async function compare(options: Common, { io, now }: Surroundings): Promise<number> {
  const aep = await aepSide(options, io)
  if ('wrong' in aep) return complain(aep.wrong, aep.usage ? 2 : 1)
  const from = Math.floor((now() - options.sinceMs) / HOUR_MS) * HOUR_MS
  const landed = await readEverything(aep, from, now())
  if ('reason' in landed) return complain(explain(landed), 1)
  const sent = await sentByHour(options, from, now() + 1)
  if ('wrong' in sent) return complain(sent.wrong, 1)
  const { hours, failures, unnamed } = landed
  if (aep.flow.flowId === null) {
    console.log(wrap('Without AEP_FLOW_ID there are no counts of AEP, only what it refused.'))
  } else console.log(shown(hours, sent))
  if (failures.length > 0) console.log(`\n${causes(failures)}`)
  if (unnamed > 0) {
    console.log(`\n${wrap(`${unnamed} failed rows name no event of this relay.`)}`)
  }
  return verdict(hours, sent, failures)
}

function shown(hours: readonly LandedHour[], sent: ReadonlyMap<number, number>): string {
  const rows = hours
    .filter(({ at, received }) => received > 0 || (sent.get(at) ?? 0) > 0)
    .map(({ at, received, ingested, failed, settled }) => [
      new Date(at).toISOString().slice(0, 16).replace('T', ' '),
      String(sent.get(at) ?? 0),
      String(received),
      String(ingested),
      String(failed),
      settled ? '' : 'not settled yet',
    ])
  if (rows.length === 0) return 'Nothing was sent, and nothing was received.'
  return table(['hour (UTC)', 'sent, at least', 'received', 'in the dataset', 'failed', ''], rows)
}

/** By code and place, the most frequent first. */
export function causes(
  failures: readonly Pick<LandedFailure, 'id' | 'code' | 'pointer'>[],
): string {
  const groups = Map.groupBy(failures, ({ code, pointer }) => `${code} ${pointer}`)
  const rows = [...groups.values()]
    .sort((a, b) => b.length - a.length)
    .flatMap((group) => {
      const [first] = group
      if (!first) return []
      const ids = [...new Set(group.map(({ id }) => id))]
      return [[first.code, first.pointer || '?', String(ids.length), idsOf(ids)].map(printable)]
    })
  return table(['code', 'place', 'events', 'such as'], rows)
}

function idsOf(ids: readonly string[]): string {
  const few = ids.slice(0, 3).map((id) => id.replace(/^(.{12}).*?(-\d+)?$/, '$1$2'))
  return few.join(' ') + (ids.length > few.length ? ' …' : '')
}

function verdict(
  hours: readonly LandedHour[],
  sent: ReadonlyMap<number, number>,
  failures: readonly LandedFailure[],
): number {
  const settled = hours.filter((hour) => hour.settled)
  const total = (count: (hour: LandedHour) => number) =>
    settled.reduce((sum, hour) => sum + count(hour), 0)
  const missing = total(({ at }) => sent.get(at) ?? 0) - total(({ received }) => received)
  const failed = new Set(failures.map(({ id }) => id)).size
  if (missing > 0) {
    say(
      false,
      `AEP has ${missing} fewer than it acknowledged, over ${settled.length} settled hours. Usually the dataflow was changed (AEP may drop what comes in the five minutes after) or its mapping keeps nothing: npm run verify.`,
    )
  }
  if (failed > 0) {
    say(
      false,
      `AEP accepted ${failed} events and refused them afterwards. Mend mapping or schema, then send them again: npm run recover.`,
    )
  }
  if (missing > 0 || failed > 0) return 4
  say(true, 'AEP has what it acknowledged.')
  return 0
}

function say(well: boolean, text: string): void {
  console.log(`\n${mark(well)} ${wrap(text, '', '  ')}`)
}

function complain(text: string, code: number): number {
  console.error(`${mark(false)} ${wrap(printable(text), '', '  ')}`)
  return code
}
