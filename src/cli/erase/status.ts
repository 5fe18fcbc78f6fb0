/**
 * Status: how far Adobe is with the job of a receipt, and whether the relay's suppression lasts as long.
 *
 * Promises: no person is needed, and none is named. Says "found nobody" where Adobe did, instead of "done". Extends a
 * suppression only when asked, by the opaque id that the receipt holds.
 */

import { DAY_MS } from '../../worker/limits.ts'
import { commandLine } from '../lib/command.ts'
import type { PlatformClient } from '../lib/platform-client.ts'
import { printable } from '../lib/printable.ts'
import type { Operator } from '../lib/relay-reply.ts'
import type { Surroundings } from '../lib/run.ts'
import { mark, marked, paint, wrap } from '../lib/style.ts'
import { processTerminal, table } from '../lib/terminal.ts'
import type { Status } from './options.ts'
import { findJobs, type JobState, readJob } from './privacy-job.ts'
import { type Receipt, readReceipt, writeReceipt } from './receipt.ts'
import { extendSuppression, listSuppressions, type Suppression } from './relay.ts'

/** "15 to 45 days", which Adobe does not promise. */
const LONGEST_JOB_MS = 45 * DAY_MS
/** Of a job that takes longer still. */
const MORE_MS = 15 * DAY_MS

/** Resolves with the exit code. */
export async function status(
  options: Status,
  { send }: PlatformClient,
  { now }: Surroundings,
): Promise<number> {
  const receipt = readReceipt(options.file)
  if (typeof receipt === 'string') {
    console.error(receipt)
    return 2
  }
  const { job, key, regulation } = receipt
  if (job === null) {
    console.log('Adobe was not asked by this command: the receipt has no job.')
    return 4
  }
  const askedAt = Date.parse(job.askedAt)
  const found =
    job.ids.length > 0 ? job : await findJobs(send, { key, regulation, askedAt, now: now() })
  if (found === null) {
    console.log(
      wrap(`Adobe has no job under the key ${key}: the request did not arrive. Erase again.`),
    )
    return 4
  }
  const states: JobState[] = []
  for (const id of found.ids) {
    const state = await readJob(send, id)
    if (state) states.push(state)
  }
  if (states.length === 0) {
    const known = job.status === 'complete' ? ' It was complete when it was last looked at.' : ''
    console.log(
      wrap(`Adobe no longer knows the job, which it does for 30 days after the end.${known}`),
    )
    return job.status === 'complete' ? 0 : 4
  }
  const products = states.flatMap((one) => one.products)
  const overall = overallOf(states)
  const checked: Receipt = {
    ...receipt,
    job: {
      ...job,
      requestId: found.requestId,
      ids: [...found.ids],
      status: overall,
      products: products.map(({ product, status: own, foundNobody }) => ({
        product,
        status: foundNobody ? 'found nobody' : own,
      })),
      checkedAt: new Date(now()).toISOString(),
    },
  }
  keep(options.file, checked)
  console.log(`Job ${found.ids.join(', ')}: ${printable(overall)}, asked for at ${job.askedAt}\n`)
  const rows = products.map(({ product, status: own, message }) =>
    [product, own, message].map(printable),
  )
  console.log(`${table(['product', 'status', 'Adobe says'], rows)}\n`)
  if (overall === 'submitted' || overall === 'processing') {
    await compareSuppression(options, checked, now())
    return 4
  }
  // Identity has nothing to find: it forgets that the identities belong together.
  const holders = products.filter(({ product }) => product.toLowerCase() !== 'identity')
  const empty = holders.filter(({ foundNobody }) => foundNobody).map(({ product }) => product)
  const asked = products.some(({ isUnknown }) => isUnknown) ? ` ${UNKNOWN}` : ''
  if (holders.length > 0 && empty.length === holders.length) {
    console.log(`${marked(false, `${nobody(options)}${asked}`)}`)
    return 4
  }
  if (overall !== 'complete' || products.some((one) => one.status === 'error')) {
    console.log(
      `${marked(false, `Adobe could not carry it out everywhere. What it says is above; erase again once that is mended.${asked}`)}`,
    )
    return 1
  }
  if (asked !== '') {
    console.log(
      `${marked(false, `Adobe is done with a part of the identities.${asked} Then erase again.`)}`,
    )
    return 4
  }
  const partly =
    empty.length > 0
      ? ` ${empty.map(printable).join(' and ')} found nobody: right where nothing was sent to it; the data lake finds only what an identity descriptor of the schema names.`
      : ''
  console.log(`${marked(true, `Adobe is done.${partly}`)}`)
  return 0
}

/** What Adobe says is shown in any case. */
function keep(file: string, receipt: Receipt): void {
  try {
    writeReceipt(file, receipt)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    console.error(wrap(`${file} cannot be written (${code}): what follows is kept nowhere.`))
  }
}

const nobody = (options: Status) =>
  `Adobe is done, and has found nobody by these identities: nothing was deleted. Check the addresses and UUIDs, AEP_VISITOR_NAMESPACE, the organization, and that the schema has identity descriptors (\`${commandLine('provision', options, '--status')}\`); then erase again.`

const UNKNOWN =
  'It does not know a namespace of the request: the visitor’s is AEP_VISITOR_NAMESPACE, by its code.'

function overallOf(states: readonly JobState[]): string {
  for (const wanted of ['error', 'processing', 'submitted']) {
    if (states.some((one) => one.status === wanted)) return wanted
  }
  return states[0]?.status ?? 'unknown'
}

/** While Adobe works, what arrives may stay: the suppression must last as long. */
async function compareSuppression(options: Status, receipt: Receipt, now: number): Promise<void> {
  const { adminToken } = options
  const relay = { base: options.base ?? receipt.relay, adminToken: adminToken ?? '' }
  const rows = adminToken === null ? 'Without ADMIN_TOKEN' : await listSuppressions(relay)
  const known = typeof rows === 'string' ? [] : rows
  const ours = known.filter(({ id }) => receipt.suppressions.includes(id))
  const until = ours.map((one) => one.until).sort()[0] ?? receipt.suppressedUntil
  const askedAt = Date.parse(receipt.job?.askedAt ?? receipt.at)
  const end = Math.max(askedAt + LONGEST_JOB_MS, now + 2 * DAY_MS)
  // A day, so that two things that were made one after the other do not differ.
  if (until !== null && Date.parse(until) >= end - DAY_MS) {
    console.log(
      wrap(`The relay drops this person’s events until ${until}, as long as the job may take.`),
    )
    return
  }
  const wanted = new Date(Math.max(askedAt + LONGEST_JOB_MS, now + MORE_MS)).toISOString()
  const ended = until === null || Date.parse(until) <= now
  const suppression = ended
    ? 'No suppression holds this person’s events back any more'
    : `The suppression ends at ${until}`
  console.log(
    `${paint('yellow', '!')} ${wrap(`${suppression}, and the job may run until ${new Date(end).toISOString().slice(0, 10)} or longer: what arrives in between may stay in Adobe.`, '', '  ')}`,
  )
  if (ours.length === 0) {
    const why =
      typeof rows === 'string'
        ? `${rows} it cannot be extended.`
        : 'The relay has it no more under an id of this receipt.'
    console.log(`  ${wrap(`${why} Erasing the person again suppresses anew.`, '', '  ')}`)
    return
  }
  const extend =
    options.extend || (await processTerminal().confirm(`Extend it until ${wanted}?`)) === true
  if (!extend) {
    const command = commandLine('erase', options, '--status', options.file, '--extend')
    console.log(`  ${wrap(`\`${command}\` extends it.`, '', '  ')}`)
    return
  }
  for (const { id } of ours) await extendOne(relay, { id, until: wanted })
}

async function extendOne(relay: Operator, row: Suppression): Promise<void> {
  const failed = await extendSuppression(relay, row)
  console.log(
    failed === null
      ? `${mark(true)} Extended until ${row.until}.`
      : `${marked(false, `Not extended: ${printable(failed)}`)}`,
  )
}
