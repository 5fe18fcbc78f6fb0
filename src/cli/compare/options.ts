/** Options: the command line of `npm run compare`. */
import { parseArgs } from 'node:util'
import { DAY_MS, HOUR_MS } from '../../worker/limits.ts'
import { commandLine } from '../lib/command.ts'
import { type Environment, environmentOf, variable } from '../lib/env-file.ts'
import { parseRelayUrl } from '../lib/relay-url.ts'

/** What `compare` and `recover` both need. */
export type Common = {
  readonly base: string
  readonly adminToken: string
  /** How far back, in milliseconds. */
  readonly sinceMs: number
  readonly environment: Environment
  /** Path of the wrangler configuration, where the dataflow is read. */
  readonly config: string
  /** A named environment of it; `null`: the top level. */
  readonly env: string | null
  /** The file that says what `recover` has sent again. */
  readonly sentFile: string
  readonly envFile: string | null
}

export const COMMON_OPTIONS = {
  url: { type: 'string' },
  'admin-token': { type: 'string' },
  since: { type: 'string', default: '24h' },
  'env-file': { type: 'string' },
  config: { type: 'string', default: 'wrangler.toml' },
  env: { type: 'string' },
  sent: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

export const COMMON_USAGE = `  --since 24h        how far back: 90m, 24h or 7d, up to 90d; AEP keeps the rows
                     of failed batches for 30
  --url URL          address of the relay, or the variable RELAY_URL
  --admin-token T    or the variable ADMIN_TOKEN
  --env-file FILE    variables from a file; the environment wins
  --config FILE      where the relay's settings are read, wrangler.toml by
                     default
  --env NAME         a named environment of it, such as staging
  --sent FILE        where recover keeps what it has sent, so that a run that
                     ended is gone on with; by default recover-sent.ndjson, with
                     --env recover-sent-NAME.ndjson. Ids and times only
  --help

It needs AEP_CLIENT_ID, AEP_CLIENT_SECRET and AEP_ORG_ID of a credential that
may view sources, datasets and monitoring (AEP_SANDBOX, where it is not prod).
AEP_FLOW_ID and AEP_DATASET_ID are those of the relay; the dataset of a dataflow
is looked up.`

export const USAGE = `Usage: npm run compare -- [options]
Compares, hour by hour, what the relay has sent with what AEP has received and
kept, and names what AEP accepted and then refused. Changes nothing.

${COMMON_USAGE}

Exit code: 0 AEP has what it acknowledged, 1 the relay or AEP failed, 2 usage or
a missing setting, 4 it has fewer, or has refused some.`

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
  processEnvironment: Environment,
): Common | 'help' | { readonly wrong: string } {
  const { values } = parseArgs({ args: [...args], options: COMMON_OPTIONS })
  return values.help ? 'help' : readCommon(values, processEnvironment)
}

type Values = { readonly [name: string]: string | boolean | undefined }

/** Throws the system's error when the file of variables cannot be read. */
export function readCommon(
  values: Values,
  processEnvironment: Environment,
): Common | { readonly wrong: string } {
  const given = (name: string) => String(values[name] ?? '') || undefined
  const envFile = given('env-file') ?? null
  const environment = environmentOf(processEnvironment, envFile)
  const address = given('url') ?? variable(environment, 'RELAY_URL')
  if (address === undefined) return { wrong: '--url is missing: the address of the relay.' }
  const url = parseRelayUrl(address)
  if ('wrong' in url) return url
  const adminToken = given('admin-token') ?? variable(environment, 'ADMIN_TOKEN')
  if (adminToken === undefined) {
    return { wrong: 'The admin token is missing: set ADMIN_TOKEN, or give --admin-token.' }
  }
  const sinceMs = durationOf(given('since') ?? '')
  if (sinceMs === null) return { wrong: '--since is such as 90m, 24h or 7d, up to 90d.' }
  const config = given('config') ?? 'wrangler.toml'
  const env = given('env') ?? null
  const sentFile = given('sent') ?? usualSentFile(env)
  return { base: url.base, adminToken, sinceMs, environment, config, env, sentFile, envFile }
}

const usualSentFile = (env: string | null) => `recover-sent${env === null ? '' : `-${env}`}.ndjson`

/** What to run next, for the same relay. */
export function nextCommand(name: 'compare' | 'recover' | 'verify', options: Common): string {
  const { base, env, sentFile } = options
  const sent = name === 'verify' || sentFile === usualSentFile(env) ? [] : ['--sent', sentFile]
  return `\`${commandLine(name, options, '--url', base, ...sent)}\``
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: HOUR_MS, d: DAY_MS }
/** The relay keeps its counts so long. */
const MAX_SINCE_MS = 90 * DAY_MS

function durationOf(text: string): number | null {
  const [, count, unit = ''] = /^(\d{1,5})([mhd])$/.exec(text) ?? []
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN)
  return ms > 0 && ms <= MAX_SINCE_MS ? ms : null
}
