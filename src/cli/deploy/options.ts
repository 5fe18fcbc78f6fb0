/** Options: the command line of `npm run deploy`. */
import { parseArgs } from 'node:util'

export type Options = {
  /** A named environment of the configuration; `null`: the top level. */
  readonly env: string | null
  /** Path of the wrangler configuration. */
  readonly config: string
  readonly dryRun: boolean
  /** Loopback addresses are taken: for a Cloudflare API on this machine. */
  readonly allowLoopback: boolean
}

export const USAGE = `Usage: npm run deploy -- [options]
Checks the settings in wrangler.toml, makes WEBHOOK_KEYS and ADMIN_TOKEN if Cloudflare has none,
deploys the Worker and shows the five URLs for Chatlio.

  --env NAME        a named environment of wrangler.toml, such as staging
  --dry-run         say what would change, and change nothing
  --config FILE     instead of wrangler.toml
  --allow-loopback  take loopback addresses; only with CLOUDFLARE_API_BASE_URL on this machine
  --help

Environment:
  CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID   or a login stored by \`npx wrangler login\`
  AEP_CLIENT_SECRET   stored as a secret when AEP_CLIENT_ID is set and Cloudflare has none

Exit code: 0 deployed, 1 Cloudflare or the build failed, 2 a setting is wrong or missing.`

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Options | 'help' | { wrong: string } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        env: { type: 'string' },
        config: { type: 'string', default: 'wrangler.toml' },
        'dry-run': { type: 'boolean', default: false },
        'allow-loopback': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return 'help'
    const allowLoopback = values['allow-loopback']
    if (allowLoopback && !isLoopback(environment.CLOUDFLARE_API_BASE_URL ?? '')) {
      return {
        wrong: '--allow-loopback needs CLOUDFLARE_API_BASE_URL to be a loopback address.',
      }
    }
    const { env = null, config } = values
    return { env: env || null, config, dryRun: values['dry-run'], allowLoopback }
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) }
  }
}

export function isLoopback(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { hostname } = new URL(address)
  return /^(localhost|.+\.localhost|0\.0\.0\.0|127(\.\d{1,3}){3}|\[::1?\])$/.test(hostname)
}
