/**
 * `npm run erase`: a privacy request, at the relay and then at Adobe.
 *
 * Promises: the relay comes first: suppressed, and erased until nothing is left. Adobe is asked only with `--aep`, and once:
 * the random key of the request is on the disk before the request leaves, and a run after anything that went wrong finds
 * the job by it. No personal data in the receipt, nor in any line but the request that is printed for a person to send.
 * Prints neither token nor secret. The credential for Adobe stays on this machine: the relay never has it.
 */
import { randomBytes } from 'node:crypto'
import { type Identity, PRIVACY_JOBS, privacyRequest } from '../../worker/aep/privacy-request.ts'
import { INFORMED_MS } from '../../worker/limits.ts'
import { commandLine } from '../lib/command.ts'
import { variable } from '../lib/env-file.ts'
import { adviceOn, PlatformError } from '../lib/platform-error.ts'
import { complain, misuse, runCommand, type Surroundings, surroundingsOf } from '../lib/run.ts'
import { marked, paint, wrap } from '../lib/style.ts'
import { ask, type Client, clientFor, earlierJob, visitorNamespace } from './adobe.ts'
import { alone } from './alone.ts'
import { type Erase, readOptions, type Status, USAGE } from './options.ts'
import type { Receipt } from './receipt.ts'
import { regulationHint } from './regulation.ts'
import { type Erased, eraseAll } from './relay.ts'
import { status } from './status.ts'

/** Resolves with the exit code. */
export async function main(
  args: readonly string[],
  given: Partial<Surroundings> = {},
): Promise<number> {
  const surroundings = surroundingsOf(given)
  return runCommand(
    () => readOptions(args, surroundings.env),
    USAGE,
    (options) => act(options, surroundings),
  )
}

async function act(options: Erase | Status, surroundings: Surroundings): Promise<number> {
  const client = clientFor(options.environment, surroundings.io)
  const needsAdobe = options.do === 'status' || options.aep
  if ('wrong' in client && needsAdobe) {
    console.error(misuse(client.wrong, USAGE))
    return 2
  }
  try {
    if (options.do === 'erase') return await erase(options, client, surroundings)
    return 'wrong' in client ? 2 : await status(options, client, surroundings)
  } catch (error) {
    if (options.do === 'erase' && isOfFiles(error)) {
      const why = `No receipt can be written in ${surroundings.directory} (${error.code}). Unless a line above says that Adobe was asked, it was not: run the same command again in another directory.`
      return complain(why, 2)
    }
    if (!(error instanceof PlatformError)) throw error
    const people = options.do === 'erase' ? options.identities : []
    return complain(withoutPeople(`${error.message}. ${advice(error)}`, people), 1)
  }
}

const isOfFiles = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'path' in error

/** A right to Privacy Service comes from the credential's project, not from a role as the others do. */
function advice(error: PlatformError): string {
  const { request, refusal } = error
  return refusal.status === 403 && request.includes(PRIVACY_JOBS)
    ? 'The credential may not use Privacy Service. In the Developer Console, add the Privacy Service API to its project, with a product profile that has Privacy Read and Privacy Write.'
    : adviceOn(error, 'Identity Management: View Identity Namespaces')
}

/** Adobe may repeat what it refuses. */
function withoutPeople(text: string, identities: readonly Identity[]): string {
  return identities.reduce((rest, { value }) => rest.replaceAll(value, '…'), text)
}

async function erase(
  options: Erase,
  client: Client | { readonly wrong: string },
  surroundings: Surroundings,
): Promise<number> {
  const { io, now, directory } = surroundings
  const hint = regulationHint(options.regulation)
  if (hint) console.error(`${paint('yellow', '!')} ${wrap(hint, '', '  ')}`)
  const erased = await eraseAll(options, () => {
    console.error(
      wrap(
        `${options.suppressDays > 0 ? 'Suppressed. ' : ''}Waiting ${INFORMED_MS / 1_000} seconds, until every isolate of the relay has ${options.suppressDays > 0 ? 'heard of it' : 'reported what it relayed'}; then once more.`,
      ),
    )
    return io.sleep(INFORMED_MS)
  })
  if (typeof erased === 'string') {
    return complain(erased, 1)
  }
  const visitors = await visitorNamespace(options, client)
  if ('wrong' in visitors) {
    const which = 'Set AEP_VISITOR_NAMESPACE and AEP_SANDBOX to the one that is used.'
    return complain(`${visitors.wrong} ${which}`, visitors.code)
  }
  const orgId = variable(options.environment, 'AEP_ORG_ID') ?? null
  const requestFor = (key: string) =>
    privacyRequest(options.identities, key, { orgId, visitors, regulation: options.regulation })
  const receipt = receiptOf(options, erased, now())
  if (!options.aep || options.dryRun || 'wrong' in client) {
    console.log(JSON.stringify(receipt, null, 2))
    console.log(`\n${wrap(options.dryRun ? DRY_RUN : explain(erased, options))}`)
    console.log(`\n${wrap(adobe(options))}\n`)
    console.log(`POST https://platform.adobe.io${PRIVACY_JOBS}`)
    console.log(JSON.stringify(requestFor(receipt.key), null, 2))
    return options.dryRun || erased.clean ? 0 : 1
  }
  const userIds = requestFor(receipt.key).users.flatMap(({ userIDs }) => userIDs)
  const { file, asked } = await alone(surroundings, async () => {
    const earlier = await earlierJob(options, receipt, userIds, client.send, surroundings)
    return ask(client, { ...receipt, ...earlier }, requestFor, directory, now())
  })
  console.log(JSON.stringify(asked, null, 2))
  console.log(`\n${wrap(explain(erased, options))}`)
  console.log(
    `\n${marked(true, `Adobe has the request: job ${asked.job?.ids.join(', ')}. A job takes 15 to 45 days. How far it is: \`${commandLine('erase', options, '--status', file)}\``)}`,
  )
  return erased.clean ? 0 : 1
}

const DRY_RUN =
  'Nothing was changed. Without --dry-run the stored events (matched) and the receipts that are counted here are erased.'

const adobe = ({ suppressDays }: Erase) =>
  `What Adobe still holds: every event that was delivered. Delete it with Privacy Service (not with Data Hygiene, which Adobe forbids for privacy requests): with --aep, or by the request below. It names the person, the receipt above does not. Give all identities that you know, every email and visitor UUID, in one request. A job takes 15 to 45 days, and what arrives meanwhile may stay${suppressDays > 0 ? ', which is why the relay drops this person’s events until then' : ': the relay drops nothing of this person'}. Cloudflare keeps the history of the storage for 30 days: after a restore, erase again. Chatlio and Slack hold the chat itself.`

function explain({ sums: { mentioned }, clean }: Erased, { env, config }: Erase): string {
  const end = clean
    ? 'The relay holds nothing of this person any more.'
    : `Events of this person still arrive or stay: run it again, and look at \`${commandLine('tail', { env, config, envFile: null })}\`.`
  if (mentioned === 0) return end
  return `${end} Events of others that mention the person in their text: ${mentioned}. They are others’ data, and stay.`
}

function receiptOf(options: Erase, erased: Erased, now: number): Receipt {
  const at = new Date(now).toISOString()
  const countOf = (wanted: Identity['kind']) =>
    options.identities.filter(({ kind }) => kind === wanted).length
  const { sums, rounds, suppressedUntil, suppressions, clean } = erased
  return {
    key: `erase-${at.slice(0, 10)}-${randomBytes(8).toString('hex')}`,
    at,
    relay: options.base,
    identities: { email: countOf('email'), visitor: countOf('visitor') },
    dryRun: options.dryRun,
    rounds,
    ...sums,
    suppressedUntil,
    suppressions: [...suppressions],
    nothingLeft: options.dryRun ? null : clean,
    regulation: options.regulation,
    job: null,
  }
}
