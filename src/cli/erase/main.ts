/**
 * `npm run erase`: a privacy request, from the relay's side.
 *
 * Promises: suppresses the person first, then erases again and again until nothing is left, waiting each time until every
 * isolate knows; the receipt holds no personal data. Neither the token nor what an event said is printed.
 * Never asks Adobe: it prints the request that an administrator sends, which does name the person.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { printable } from '../lib/printable.ts'
import { askRelay, explainReply, type Fields } from '../lib/relay-reply.ts'
import { mark, wrap } from '../lib/style.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { PRIVACY_JOBS_URL, privacyRequest } from './privacy-request.ts'

/** Isolates refresh every ten seconds; one more for the way. */
const REFRESH_MS = 11_000

/** The last of them must find nothing. */
const MAX_ROUNDS = 10

type Sums = { matched: number; erased: number; receipts: number; mentioned: number }

/** Resolves with the exit code. `wait`: between two rounds, in milliseconds. */
export async function main(
  args: readonly string[],
  wait: (ms: number) => Promise<unknown> = delay,
): Promise<number> {
  const options = readOptions(args, process.env)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  if ('wrong' in options) {
    console.error(`${options.wrong}\n\n${USAGE}`)
    return 2
  }
  const result = await eraseAll(options, wait)
  if (typeof result === 'string') {
    console.error(`${mark(false)} ${wrap(printable(result), '', '  ')}`)
    return 1
  }
  const { sums, rounds, suppressedUntil, clean } = result
  const request = randomUUID()
  const receipt = {
    request,
    at: new Date().toISOString(),
    relay: options.base,
    by: 'email' in options.person ? 'email' : 'visitor',
    dryRun: options.dryRun,
    rounds,
    ...sums,
    suppressedUntil,
    nothingLeft: options.dryRun ? null : clean,
  }
  console.log(JSON.stringify(receipt, null, 2))
  if (options.dryRun) {
    console.log(`\n${wrap('Nothing was changed. Without --dry-run these are erased.')}`)
    return 0
  }
  console.log(`\n${wrap(explain(sums, clean))}`)
  console.log(`\n${wrap(ADOBE)}\n`)
  console.log(`POST ${PRIVACY_JOBS_URL}`)
  console.log(JSON.stringify(privacyRequest(options.person, request, options), null, 2))
  return clean ? 0 : 1
}

const ADOBE =
  'What Adobe still holds: every event that was delivered. Delete it with Privacy Service (not with Data Hygiene, which Adobe forbids for privacy requests), by the request below; it names the person, the receipt above does not. Put in all identities that you know, the email and the visitor UUID. A job takes 15 to 45 days, and what arrives meanwhile may stay, which is why the relay drops this person’s events until then. Cloudflare keeps the history of the storage for 30 days: after a restore, erase again. Chatlio and Slack hold the chat itself.'

function explain({ mentioned }: Sums, clean: boolean): string {
  const end = clean
    ? 'The relay holds nothing of this person any more. What the database file still has of deleted rows is overwritten too; while more than 32 MB of events are stored, the last of it once they have left.'
    : 'Events of this person still arrive or stay: run it again, and look at `npm run tail`.'
  if (mentioned === 0) return end
  return `${end} ${mentioned} events of others mention the person in their text; they are others’ data, and stay.`
}

type Result = { sums: Sums; rounds: number; suppressedUntil: string | null; clean: boolean }

/** The text says why it could not be done. */
async function eraseAll(
  options: Options,
  wait: (ms: number) => Promise<unknown>,
): Promise<Result | string> {
  const { dryRun } = options
  const sums: Sums = { matched: 0, erased: 0, receipts: 0, mentioned: 0 }
  for (let rounds = 1; ; rounds += 1) {
    const answer = await eraseOnce(options)
    if (typeof answer === 'string') return answer
    const { matched, erased, receipts, mentioned, suppressedUntil } = answer
    sums.matched += Number(matched)
    sums.erased += Number(erased)
    sums.receipts += Number(receipts)
    sums.mentioned = Number(mentioned)
    const until = typeof suppressedUntil === 'string' ? suppressedUntil : null
    const found = Number(matched) + Number(receipts)
    // The first round may have run before every isolate knew of the suppression.
    const clean = rounds > 1 && found === 0
    if (dryRun || clean || rounds === MAX_ROUNDS) {
      return { sums, rounds, suppressedUntil: until, clean }
    }
    await wait(REFRESH_MS)
  }
}

async function eraseOnce(options: Options): Promise<Fields | string> {
  const { base, adminToken, person, suppressDays, dryRun } = options
  const reply = await askRelay(`${base}/admin/erase`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...person, suppressDays, dryRun }),
  })
  if (reply.by !== 'relay') return explainReply(reply)
  const { status, body } = reply
  if (status === 200) return body
  if (status === 401) return 'The admin token is wrong: the relay has another ADMIN_TOKEN.'
  if (status === 404) return 'The relay has no usable ADMIN_TOKEN, or is older than this command.'
  return `The relay answered ${status}: ${body.detail ?? body.code}. Nothing is certain to be erased; run it again.`
}
