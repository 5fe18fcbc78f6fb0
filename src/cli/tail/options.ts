/** Options: the command line of `npm run tail`. */
import { parseArgs } from 'node:util'

export type Options = {
  /** `-` is the standard input; `null`: decided by what that is. */
  readonly file: string | null
  readonly errorsOnly: boolean
  /** A named environment of wrangler.toml; `null`: the top level. */
  readonly env: string | null
  /** Path of the wrangler configuration. */
  readonly config: string
}

export const USAGE = `Usage: npm run tail -- [options]
Follows the deployed relay, one readable line an event. Times are UTC.

  --errors       only what went wrong
  --file F       instead: what \`wrangler tail --format json\` printed, - for the
                 standard input, which is read anyway when something is piped
                 into it
  --env NAME     a named environment of wrangler.toml
  --config FILE  where the relay is named, wrangler.toml by default
  --help

Cloudflare drops lines under load, and says so: this is no audit trail. Ctrl-C
ends it.

Exit code: 0 ended, 1 wrangler failed, 2 usage.`

/** The text says what is wrong with the command line. */
export function readOptions(args: readonly string[]): Options | 'help' | { wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      errors: { type: 'boolean', default: false },
      file: { type: 'string' },
      env: { type: 'string' },
      config: { type: 'string', default: 'wrangler.toml' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { errors: errorsOnly, file = null, env = null, config } = values
  return { errorsOnly, file, env, config }
}
