/** Options: the command line of `npm run verify`. */
import { parseArgs } from 'node:util'
import { isOnThisMachine } from '../../worker/config/destination.ts'
import { type Environment, environmentOf } from '../lib/env-file.ts'
import { parseRelayUrl } from '../lib/relay-url.ts'
import { firstKey, LOCAL_ADMIN_TOKEN, LOCAL_KEY } from '../send/options.ts'

export type Options = {
  readonly base: string
  readonly key: string
  /** `null`: what became of a stored sample cannot be read. */
  readonly adminToken: string | null
  /** How long a stored sample may take until AEP has it. */
  readonly waitMs: number
  /** The environment, and the file of `--env-file` below it. */
  readonly environment: Environment
  readonly envFile: string | null
  /** Path of the wrangler configuration, where the dataflow is read. */
  readonly config: string
  /** A named environment of it; `null`: the top level. */
  readonly env: string | null
}

export const USAGE = `Usage: npm run verify -- --url URL [options]
Tries a deployed relay from outside, as Chatlio would: the address, the key, one
webhook of each kind from a test visitor, and what AEP said to it.

  --url URL         address of the relay
  --key K           or the variable WEBHOOK_KEYS, whose first key is taken; on
                    this machine that of npm start by default
  --admin-token T   or the variable ADMIN_TOKEN: needed to read why a webhook
                    was stored; on this machine that of npm start by default
  --wait SECONDS    how long a stored webhook may take to reach AEP, 15 by
                    default
  --env-file FILE   variables from a file; the environment wins
  --config FILE     where the relay's AEP_FLOW_ID is read, wrangler.toml by
                    default; the variable AEP_FLOW_ID wins
  --env NAME        a named environment of it, such as staging
  --help

With AEP_CLIENT_ID, AEP_CLIENT_SECRET and AEP_ORG_ID (those of npm run
provision) it also reads in AEP whether the dataflow is enabled, its mapping
complete, and the records in its dataset.

Exit code: 0 all is well, 1 something is not, 2 usage.`

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
  processEnvironment: Environment,
): Options | 'help' | { wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      key: { type: 'string' },
      'admin-token': { type: 'string' },
      wait: { type: 'string', default: '15' },
      'env-file': { type: 'string' },
      config: { type: 'string', default: 'wrangler.toml' },
      env: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  if (!values.url) return { wrong: '--url is missing: the address of the relay.' }
  const envFile = values['env-file'] ?? null
  const environment = environmentOf(processEnvironment, envFile)
  const url = parseRelayUrl(values.url)
  if ('wrong' in url) return url
  const isLocal = isOnThisMachine(new URL(url.base))
  const key =
    values.key || url.key || firstKey(environment.WEBHOOK_KEYS) || (isLocal ? LOCAL_KEY : undefined)
  if (!key) return { wrong: 'The key is missing: set WEBHOOK_KEYS, or give --key.' }
  if (!/^\d{1,3}$/.test(values.wait)) return { wrong: '--wait is a number of seconds up to 999.' }
  const adminToken =
    values['admin-token'] || environment.ADMIN_TOKEN?.trim() || (isLocal ? LOCAL_ADMIN_TOKEN : null)
  const waitMs = Number(values.wait) * 1_000
  const { config, env } = values
  return {
    base: url.base,
    key,
    adminToken,
    waitMs,
    environment,
    envFile,
    config,
    env: env || null,
  }
}
