/** Options: the command line of `npm run provision`. */
import { parseArgs } from 'node:util'
import schema from '../../worker/aep/schema/schema.json' with { type: 'json' }

export const DEFAULT_NAME = schema.title

export type Options = {
  readonly mode: 'make' | 'dry-run' | 'status'
  readonly format: 'raw' | 'xdm'
  readonly authenticated: boolean
  readonly profile: boolean
  readonly name: string
  /** Print the variables instead of writing them. */
  readonly print: boolean
  /** Yes to everything that would be asked. */
  readonly yes: boolean
  /** A named environment of wrangler.toml; null: the top level. */
  readonly env: string | null
  /** A source that was made in Adobe's interface. */
  readonly existing: { readonly endpoint: string; readonly flowId: string | null } | null
  readonly envFile: string | null
  readonly config: string
}

export const USAGE = `Usage: npm run provision -- [options]

Makes or finds everything the relay needs in Adobe Experience Platform, in order, and writes the result into [vars] of
wrangler.toml. Run it again at any time: it continues where it stopped and changes nothing that is right.

  --format F         raw (default): Adobe's Chatlio source, mapped by Data Prep; xdm: an XDM streaming connection
  --authenticated    an endpoint that needs an access token: the HTTP API source instead of Chatlio's
  --profile          enable schema and dataset for Real-Time Customer Profile. This cannot be undone
  --name NAME        what everything is called: "${DEFAULT_NAME}"
  --dry-run          print every request, secrets masked; nothing is changed
  --status           compare what is there with what it should be; nothing is changed
  --print            print the variables instead of writing them
  --yes              answer yes where a terminal would ask
  --endpoint URL --flow-id ID
                     a source made in Adobe's interface: set up the relay's side, and check what can be checked
  --env-file FILE    settings from a file; the environment wins
  --config FILE      instead of wrangler.toml
  --help

Settings: AEP_CLIENT_ID, AEP_CLIENT_SECRET, AEP_ORG_ID, AEP_SANDBOX (prod), AEP_SCOPES, AEP_IMS_URL,
AEP_PLATFORM_URL (https://platform.adobe.io)

Ends with 0: done; 1: Adobe refused or did not answer; 2: wrong use, or a setting is missing; 3: two things of one name;
4: something differs from what it should be.`

/** Others mean something in Adobe's filters, by which things are looked up. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._()-]{0,79}$/u

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
): Options | 'help' | { readonly wrong: string } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        format: { type: 'string', default: 'raw' },
        authenticated: { type: 'boolean', default: false },
        profile: { type: 'boolean', default: false },
        name: { type: 'string', default: DEFAULT_NAME },
        'dry-run': { type: 'boolean', default: false },
        status: { type: 'boolean', default: false },
        print: { type: 'boolean', default: false },
        yes: { type: 'boolean', default: false },
        endpoint: { type: 'string' },
        'flow-id': { type: 'string' },
        'env-file': { type: 'string' },
        config: { type: 'string', default: 'wrangler.toml' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) return 'help'
    const { format, authenticated, profile, status, print, yes, config, endpoint } = values
    const name = values.name.trim()
    const flowId = values['flow-id'] ?? null
    if (format !== 'raw' && format !== 'xdm') return { wrong: '--format is raw or xdm.' }
    if (!NAME.test(name)) {
      return { wrong: '--name takes letters, digits, blanks and . _ - ( ), up to 80 characters.' }
    }
    if (status && values['dry-run']) return { wrong: '--status and --dry-run exclude each other.' }
    if (flowId !== null && endpoint === undefined) return { wrong: '--flow-id needs --endpoint.' }
    return {
      mode: status ? 'status' : values['dry-run'] ? 'dry-run' : 'make',
      format,
      authenticated,
      profile,
      name,
      print,
      yes,
      env: null,
      existing: endpoint === undefined ? null : { endpoint, flowId },
      envFile: values['env-file'] ?? null,
      config,
    }
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) }
  }
}
