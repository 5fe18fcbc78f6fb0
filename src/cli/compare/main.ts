/**
 * `npm run compare`: what AEP has against what the relay has sent, for a flow whose owner gives the Worker no credential.
 *
 * Promises: it only reads. Fewer in AEP than it acknowledged counts once hours are settled; more is no fault, since the
 * relay's figure is a lower bound and repeats count twice. Events by id, code and place; nothing of what they say.
 */

import { type ComparedHour, type LandedFailure, missingIn } from '../../worker/aep/landed.ts'
import { count } from '../../worker/alerts/words.ts'
import { HOUR_MS } from '../../worker/limits.ts'
import { complain, runCommand, type Surroundings, say, surroundingsOf } from '../lib/run.ts'
import { wrap } from '../lib/style.ts'
import { table } from '../lib/terminal.ts'
import { aepSide, causes, explain, goneWords, readEverything, unreadWords } from './aep.ts'
import { type Common, nextCommand, readOptions, USAGE } from './options.ts'
import { sentByHour } from './relay.ts'
import { Sent } from './sent.ts'

/** Resolves with the exit code. */
export async function main(
  args: readonly string[],
  given: Partial<Surroundings> = {},
): Promise<number> {
  const surroundings = surroundingsOf(given)
  return runCommand(
    () => readOptions(args, surroundings.env),
    USAGE,
    (options) => compare(options, surroundings),
  )
}

async function compare(options: Common, { io, now }: Surroundings): Promise<number> {
  const aep = await aepSide(options, io)
  if ('wrong' in aep) return complain(aep.wrong, aep.usage ? 2 : 1)
  const from = Math.floor((now() - options.sinceMs) / HOUR_MS) * HOUR_MS
  const again = Sent.in(options.sentFile)
  if ('wrong' in again) return complain(again.wrong, 2)
  const landed = await readEverything(aep, from, now())
  if ('reason' in landed) return complain(explain(landed), 1)
  const sent = await sentByHour(options, from - HOUR_MS, now() + 1)
  if ('wrong' in sent) return complain(sent.wrong, 1)
  const { failures, unnamed, gone, unread } = landed
  const hours = landed.hours.map((hour) => ({ ...hour, ours: sent.get(hour.at) ?? 0 }))
  if (aep.flow.flowId === null) {
    console.log(wrap('Without AEP_FLOW_ID there are no counts of AEP, only what it refused.'))
  } else console.log(shown(hours.filter(({ at }) => at >= from)))
  if (failures.length > 0) console.log(`\n${causes(failures)}`)
  console.log()
  if (unnamed > 0) say(null, `${unnamed} failed rows name no event of this relay.`)
  if (gone > 0) say(null, goneWords(gone))
  if (unread > 0) say(false, unreadWords(unread))
  // Of one that was refused twice, the latest.
  const latest = [...new Map(failures.map((one) => [one.id, one])).values()]
  const open = latest.filter((one) => !again.has(one))
  const settled = latest.length - open.length
  if (settled > 0)
    say(
      null,
      `${settled} of them ${settled === 1 ? 'was' : 'were'} sent again, and not refused since.`,
    )
  const missing = missingIn(hours, from, now())
  if (unread === 0 || missing > 0 || open.length > 0) return verdict(missing, open, options)
  return 1
}

function shown(hours: readonly ComparedHour[]): string {
  const rows = hours
    .filter(({ received, ours }) => received > 0 || ours > 0)
    .map(({ at, ours, received, ingested, failed, settled }) => [
      new Date(at).toISOString().slice(0, 16).replace('T', ' '),
      ...[ours, received, ingested, failed].map(String),
      settled ? '' : 'not settled yet',
    ])
  if (rows.length === 0) return 'Nothing was sent, and nothing was received.'
  return table(['hour (UTC)', 'sent, at least', 'received', 'in the dataset', 'failed', ''], rows)
}

/** `failures`: those not sent again since. */
function verdict(missing: number, failures: readonly LandedFailure[], options: Common): number {
  const failed = failures.length
  if (missing > 0) {
    say(
      false,
      `AEP has ${missing} fewer than it acknowledged, over hours that are settled. Usually the dataflow was changed (AEP may drop what comes in the five minutes after) or its mapping keeps nothing: ${nextCommand('verify', options)} tells.`,
    )
  }
  if (failed > 0) {
    say(
      false,
      `Accepted by AEP and refused afterwards: ${count(failed, 'event')}. Mend mapping or schema, then send again what it refused: ${nextCommand('recover', options)}.`,
    )
  }
  if (missing > 0 || failed > 0) return 4
  say(true, 'AEP has what it acknowledged.')
  return 0
}
