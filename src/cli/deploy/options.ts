/** Options: the command line of `npm run deploy`. */
import { parseArgs } from 'node:util'
import { KEY_NAME } from '../../worker/config/webhook-keys.ts'
import { type Environment, environmentOf } from '../lib/env-file.ts'
import { parseRelayUrl } from '../lib/relay-url.ts'

export type Options = {
  readonly mode: 'deploy' | 'dry-run' | 'show-urls'
  /** A named environment of the configuration; `null`: the top level. */
  readonly env: string | null
  /** Path of the wrangler configuration. */
  readonly config: string
  /** Makes webhook keys although Cloudflare has some: one of each name, or one without; null: none. */
  readonly newKeys: readonly (string | null)[] | null
  readonly yes: boolean
  /** Of the Worker, without a slash at its end; `null`: found out. */
  readonly url: string | null
  /** Loopback addresses are taken: for a Cloudflare API on this machine. */
  readonly allowLoopback: boolean
  /** The environment, and the file of `--env-file` below it. */
  readonly environment: Environment
  readonly envFile: string | null
}

export const USAGE = `Usage: npm run deploy -- [options]
Checks the settings in wrangler.toml, makes WEBHOOK_KEYS and ADMIN_TOKEN if
Cloudflare and the environment have none, deploys the Worker and shows the five
URLs for Chatlio.

  --env NAME        a named environment of wrangler.toml, such as staging
  --dry-run         say what would change, and change nothing
  --show-urls       only show the URLs again, with the key in WEBHOOK_KEYS
  --new-key [NAME]  make another webhook key, in place of a lost or a leaked
                    one: NAME is the widget's, several are separated by commas.
                    Keys in WEBHOOK_KEYS go on working beside it. Where one
                    that works now is not among them, or the relay does not
                    say (it is asked with --url and ADMIN_TOKEN), it asks you
                    first
  --url URL         the Worker's address, where it cannot be found out
  --env-file FILE   variables from a file; the environment wins
  --config FILE     instead of wrangler.toml
  --yes             answer yes where a terminal would ask
  --allow-loopback  take loopback addresses, with CLOUDFLARE_API_BASE_URL on
                    this machine only
  --help

Variables:
  CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID
                    or a login stored by \`npx wrangler login\`
  WEBHOOK_KEYS, ADMIN_TOKEN
                    stored as secrets when Cloudflare has none, in place of made
                    ones: shop:KEY,help:KEY for two widgets
  AEP_CLIENT_SECRET, AEP_READ_CLIENT_SECRET
                    stored as secrets when their client id is set and Cloudflare
                    has none, or has that of another client id

Exit code: 0 done, 1 Cloudflare or the build failed, 2 a setting is wrong or
missing, 4 it would replace what is in use (--yes).`

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
  processEnvironment: Environment,
): Options | 'help' | { wrong: string } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      env: { type: 'string' },
      config: { type: 'string', default: 'wrangler.toml' },
      'dry-run': { type: 'boolean', default: false },
      'show-urls': { type: 'boolean', default: false },
      'new-key': { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      url: { type: 'string' },
      'env-file': { type: 'string' },
      'allow-loopback': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const envFile = values['env-file'] ?? null
  const environment = environmentOf(processEnvironment, envFile)
  const allowLoopback = values['allow-loopback']
  if (allowLoopback && !isLoopback(environment.CLOUDFLARE_API_BASE_URL ?? '')) {
    return {
      wrong: '--allow-loopback needs CLOUDFLARE_API_BASE_URL to be a loopback address.',
    }
  }
  if (values['show-urls'] && (values['dry-run'] || values['new-key'])) {
    return { wrong: '--show-urls deploys nothing: neither --dry-run nor --new-key goes with it.' }
  }
  const [names = null, ...more] = positionals
  if (more.length > 0 || (names !== null && !values['new-key'])) {
    return { wrong: `${more[0] ?? names} is no option. Only --new-key takes a NAME.` }
  }
  const named = names?.split(',') ?? null
  if (named?.some((name) => !KEY_NAME.test(name))) {
    return { wrong: '--new-key takes the name of a widget: a to z, digits and -, up to 32.' }
  }
  const url = values.url === undefined ? null : parseRelayUrl(values.url)
  if (url && 'wrong' in url) return url
  const { env, config, yes } = values
  return {
    mode: values['show-urls'] ? 'show-urls' : values['dry-run'] ? 'dry-run' : 'deploy',
    env: env || null,
    config,
    newKeys: values['new-key'] ? (named ?? [null]) : null,
    yes,
    url: url?.base ?? null,
    allowLoopback,
    environment,
    envFile,
  }
}

export function isLoopback(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { hostname } = new URL(address)
  return /^(localhost|.+\.localhost|0\.0\.0\.0|127(\.\d{1,3}){3}|\[::1?\])$/.test(hostname)
}
