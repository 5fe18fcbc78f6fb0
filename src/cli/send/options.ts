/** Options: the command line of `npm run send`. */
import { parseArgs } from 'node:util'
import { ROUTE_KINDS, type Route } from '../../worker/chatlio/kind.ts'
import { isOnThisMachine } from '../../worker/config/destination.ts'
import { readWebhookKeys } from '../../worker/config/webhook-keys.ts'
import type { Selected } from '../lib/command.ts'
import { type Environment, environmentOf } from '../lib/env-file.ts'
import { parseRelayUrl } from '../lib/relay-url.ts'

export type Options = Selected & {
  readonly route: Route
  readonly base: string
  readonly key: string
  /** `-` is the standard input; `null`: a test webhook. */
  readonly file: string | null
}

/** Those of `npm start`: they open nothing but a Worker on this machine. */
export const LOCAL_URL = 'http://127.0.0.1:8787'
export const LOCAL_KEY = 'local-demo-webhook-key'
export const LOCAL_ADMIN_TOKEN = 'local-demo-admin-token'

export const USAGE = `Usage: npm run send -- KIND [options]
Posts one webhook to a relay, as Chatlio would, and shows what it answers.

  KIND         ${ROUTE_KINDS.slice(0, 3).join(', ')},
               ${ROUTE_KINDS.slice(3).join(', ')};
               auto: the one URL for every kind
  --url URL    address of the relay, or a whole webhook URL; by default that of
               npm start, ${LOCAL_URL}
  --key K      or the variable WEBHOOK_KEYS, whose first key is taken; on this
               machine that of npm start by default
  --file F     body to send, - for the standard input; by default that of a test
               visitor
  --env-file FILE
               variables from a file; the environment wins
  --env NAME, --config FILE
               which environment of which wrangler.toml this relay is, for the
               command that is printed
  --help

Exit code: 0 taken (2xx), 1 refused or no answer, 2 usage.`

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
  processEnvironment: Environment,
): Options | 'help' | { wrong: string } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      url: { type: 'string', default: LOCAL_URL },
      key: { type: 'string' },
      file: { type: 'string' },
      'env-file': { type: 'string' },
      config: { type: 'string', default: 'wrangler.toml' },
      env: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const [kind, ...more] = positionals
  const route = [...ROUTE_KINDS, 'auto' as const].find((each) => each === kind)
  if (!route || more.length > 0) {
    return { wrong: `KIND is one of ${ROUTE_KINDS.join(', ')}, auto.` }
  }
  const envFile = values['env-file'] ?? null
  const environment = environmentOf(processEnvironment, envFile)
  const url = parseRelayUrl(values.url)
  if ('wrong' in url) return url
  const key =
    values.key ||
    url.key ||
    firstKey(environment.WEBHOOK_KEYS) ||
    (isOnThisMachine(new URL(url.base)) ? LOCAL_KEY : null)
  if (!key) return { wrong: 'The key is missing: set WEBHOOK_KEYS, or give --key.' }
  const { file = null, config, env } = values
  return { route, base: url.base, key, file, envFile, config, env: env || null }
}

/** Of several, as the relay reads them; one that it would not take is tried all the same, to be told so. */
export function firstKey(keys: string | undefined): string | undefined {
  const [usable] = readWebhookKeys(keys, []).webhookKeys
  return usable?.key ?? keys?.split(/[\s,;]+/).find((key) => key !== '')
}
