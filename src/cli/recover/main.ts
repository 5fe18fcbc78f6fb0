/**
 * `npm run recover`: events that AEP accepted and then refused, named, grouped by cause, and sent again.
 *
 * Promises: under the same `_id`, as they were sent; nothing of a suppressed person; a row in a form that the relay does not
 * send is listed and never sent. The next run continues one that ended. Says what it cannot bring back.
 */

import { aepSide, causes, explain, goneWords, unreadWords } from '../compare/aep.ts'
import { nextCommand } from '../compare/options.ts'
import { Sent } from '../compare/sent.ts'
import { printable } from '../lib/printable.ts'
import { complain, runCommand, type Surroundings, say, surroundingsOf } from '../lib/run.ts'
import { processTerminal } from '../lib/terminal.ts'
import { type Found, findRefused } from './find.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { noteRecovered, type Outcome, sendAgain } from './send.ts'

/** Resolves with the exit code. */
export async function main(
  args: readonly string[],
  given: Partial<Surroundings> = {},
): Promise<number> {
  const surroundings = surroundingsOf(given)
  return runCommand(
    () => readOptions(args, surroundings.env),
    USAGE,
    (options) => recover(options, surroundings),
  )
}

async function recover(options: Options, { io, now }: Surroundings): Promise<number> {
  const aep = await aepSide(options, io)
  if ('wrong' in aep) return complain(aep.wrong, aep.usage ? 2 : 1)
  const sent = Sent.in(options.sentFile)
  if ('wrong' in sent) return complain(sent.wrong, 2)
  const found = await findRefused(aep, options, sent, now())
  if ('reason' in found) return complain(explain(found), 1)
  describe(found)
  const { sendable, alreadySent, unread } = found
  if (options.dryRun) {
    if (sendable.length > 0) {
      say(null, `Nothing was sent. Without --dry-run these are sent again: ${sendable.length}.`)
    }
    return unread === 0 ? 0 : 1
  }
  // A run that was killed may not have told the relay.
  await noteRecovered(alreadySent, options)
  if (sendable.length === 0) return unread === 0 ? 0 : 1
  const objection = sent.objection()
  if (objection !== null) return complain(`${objection} Nothing was sent.`, 2)
  const done = processTerminal().busy('Sending')
  const outcome = await sendAgain(sendable, { aep, options, sent, io, now })
  done(`${outcome.sent} of ${sendable.length} sent again.`)
  report(outcome, options)
  const isDone = outcome.stopped === null && outcome.refused.length === 0
  return isDone && unread + outcome.unread === 0 ? 0 : 1
}

function describe({ sendable, alreadySent, others, unnamed, gone, unread }: Found): void {
  if (sendable.length > 0) {
    console.log(`${causes(sendable)}\n\nAll of them:`)
    for (const { id, code, pointer } of sendable) console.log(`  ${id}  ${code} ${pointer}`)
  } else say(true, 'AEP has refused nothing that can be sent again.')
  if (alreadySent.length > 0) {
    say(null, `Sent again before, and not refused since: ${alreadySent.length}.`)
  }
  if (others.length > 0) {
    console.log(`\nThese cannot be sent again:`)
    for (const { id, code, pointer, form } of others) {
      console.log(`  ${id}  ${code} ${pointer}  ${FORMS[form]}`)
    }
  }
  if (unnamed > 0)
    say(null, `Failed rows that name no event of this relay, and cannot be sent again: ${unnamed}.`)
  if (gone > 0) say(null, goneWords(gone))
  if (unread > 0) say(false, unreadWords(unread))
}

const FORMS: Readonly<Record<string, string>> = {
  raw: 'a raw record, and the relay sends XDM',
  xdm: 'XDM, and the relay sends raw records',
  mapped: 'AEP shows what the mapping made of it, not what was sent',
  cut: 'AEP cut its text',
  unknown: 'in a form that the relay does not send',
}

function report(outcome: Outcome, options: Options): void {
  const { suppressed, redriven, pending, known, refused, gone, unread, stopped } = outcome
  const counts: readonly (readonly [number, string])[] = [
    [suppressed, 'Not sent, since their people have been erased'],
    [redriven, 'Parked in the outbox, and redriven there'],
    [pending, 'Pending in the outbox, which sends them itself'],
    [known, 'Recovered before'],
    [gone, 'No longer in the files of their batch'],
  ]
  for (const [count, what] of counts) if (count > 0) say(null, `${what}: ${count}.`)
  if (unread > 0) say(false, unreadWords(unread))
  if (refused.length > 0) {
    say(false, `AEP refused ${refused.length} at once: the cause is not mended.`)
    for (const { id, message } of refused) console.log(`  ${id}  ${printable(message)}`)
  }
  if (stopped !== null) say(false, stopped)
  else if (refused.length === 0) {
    const compare = nextCommand('compare', options)
    say(true, `Done. In about twenty minutes ${compare} says whether AEP has kept them.`)
  }
}
