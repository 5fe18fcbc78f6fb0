/** Options: the command line of `npm run erase`. */
import { parseArgs } from 'node:util'
import {
  areTooMany,
  distinctIdentities,
  type Identity,
  MAX_IDENTITIES,
} from '../../worker/aep/privacy-request.ts'
import { DEFAULT_SUPPRESS_DAYS, MAX_SUPPRESS_DAYS } from '../../worker/limits.ts'
import type { Selected } from '../lib/command.ts'
import { type Environment, environmentOf, variable } from '../lib/env-file.ts'
import { parseRelayUrl } from '../lib/relay-url.ts'

export type Erase = Selected & {
  readonly do: 'erase'
  readonly base: string
  readonly adminToken: string
  /** Of one person. */
  readonly identities: readonly Identity[]
  readonly suppressDays: number
  readonly dryRun: boolean
  /** Also ask Adobe. */
  readonly aep: boolean
  readonly regulation: string
  readonly environment: Environment
}

export type Status = Selected & {
  readonly do: 'status'
  readonly file: string
  readonly extend: boolean
  /** `null`: the one in the receipt. */
  readonly base: string | null
  /** `null`: the suppression can neither be looked at nor extended. */
  readonly adminToken: string | null
  readonly environment: Environment
}

export const USAGE = `Usage: npm run erase -- --email E --visitor V [options]
       npm run erase -- --status FILE [--extend]
Erases what a relay holds of one person, until nothing is left, and takes no new
events of theirs for a while. Then asks Adobe to delete what it holds (--aep),
or prints the request for it.

  --email E          an email address of the person; give all that you know, and
  --visitor V        every visitor UUID: up to ${MAX_IDENTITIES} together
  --url URL          address of the relay, or the variable RELAY_URL
  --admin-token T    or the variable ADMIN_TOKEN
  --suppress-days N  drop new events of this person so long, 0 to ${MAX_SUPPRESS_DAYS}; ${DEFAULT_SUPPRESS_DAYS} by
                     default
  --aep              then ask Adobe's Privacy Service, once, and write a receipt
                     (erase-….json) into this directory; it holds no personal
                     data
  --regulation R     the law under which Adobe is asked, gdpr by default; ccpa
                     and others
  --env-file FILE    variables from a file; the environment wins
  --env NAME, --config FILE
                     which environment of which wrangler.toml this relay is, for
                     the commands that are printed
  --dry-run          count only, change nothing, show the request to Adobe
  --status FILE      how far Adobe is with the job of this receipt
  --extend           with --status: extend a suppression that would end before
                     the job
  --help

--aep and --status need AEP_CLIENT_ID, AEP_CLIENT_SECRET and AEP_ORG_ID of a
credential whose project has Privacy Service with Privacy Read and Privacy
Write. Run again after anything that went wrong: a job that Adobe has is found
by its receipt, and never asked for twice.

Exit code: 0 nothing is left (--status: Adobe is done), 1 the relay or Adobe
failed, or something is left, 2 usage or a missing setting, 3 two namespaces of
one code, 4 (--status) not done, or nobody was found.`

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
  processEnvironment: Environment,
): Erase | Status | 'help' | { readonly wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      email: { type: 'string', multiple: true, default: [] },
      visitor: { type: 'string', multiple: true, default: [] },
      url: { type: 'string' },
      'admin-token': { type: 'string' },
      'suppress-days': { type: 'string', default: String(DEFAULT_SUPPRESS_DAYS) },
      aep: { type: 'boolean', default: false },
      regulation: { type: 'string', default: 'gdpr' },
      'env-file': { type: 'string' },
      config: { type: 'string', default: 'wrangler.toml' },
      env: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      status: { type: 'string' },
      extend: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const envFile = values['env-file'] ?? null
  const selected: Selected = { env: values.env || null, config: values.config, envFile }
  const environment = environmentOf(processEnvironment, envFile)
  const address = values.url || variable(environment, 'RELAY_URL')
  const url = address === undefined ? null : parseRelayUrl(address)
  if (url && 'wrong' in url) return url
  const adminToken = values['admin-token'] || variable(environment, 'ADMIN_TOKEN')
  if (values.status !== undefined) {
    const { status: file, extend } = values
    if (values.email.length + values.visitor.length > 0) {
      return { wrong: '--status takes the receipt alone: it names nobody.' }
    }
    const base = url?.base ?? null
    return {
      do: 'status',
      file,
      extend,
      base,
      adminToken: adminToken ?? null,
      environment,
      ...selected,
    }
  }
  const identities = distinctIdentities([
    ...values.email.map((value): Identity => ({ kind: 'email', value })),
    ...values.visitor.map((value): Identity => ({ kind: 'visitor', value })),
  ])
  if (identities.length === 0) return { wrong: 'Nobody is named: give --email or --visitor.' }
  if (areTooMany(identities)) {
    return {
      wrong: `At most ${MAX_IDENTITIES} identities of one person: Adobe takes nine entries a person, and each identity needs two, an address whose domain has other letters than ASCII four.`,
    }
  }
  if (!url) return { wrong: '--url is missing: the address of the relay.' }
  if (!adminToken) {
    return { wrong: 'The admin token is missing: set ADMIN_TOKEN, or give --admin-token.' }
  }
  const suppressDays = Number(values['suppress-days'])
  if (!/^\d{1,2}$/.test(values['suppress-days']) || suppressDays > MAX_SUPPRESS_DAYS) {
    return { wrong: `--suppress-days is a whole number from 0 to ${MAX_SUPPRESS_DAYS}.` }
  }
  const regulation = values.regulation.trim()
  if (!/^\w{1,40}$/.test(regulation)) return { wrong: '--regulation is a word, such as gdpr.' }
  const { aep, 'dry-run': dryRun } = values
  const { base } = url
  return {
    do: 'erase',
    base,
    adminToken,
    identities,
    suppressDays,
    dryRun,
    aep,
    regulation,
    environment,
    ...selected,
  }
}
