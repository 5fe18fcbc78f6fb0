/** Options: the command line of `npm run provision`. */
import { parseArgs } from 'node:util'
import schema from '../../worker/aep/schema/schema.json' with { type: 'json' }
import type { Vars } from '../lib/wrangler-toml.ts'

export const DEFAULT_NAME = schema.title

export type Options = {
  readonly mode: 'make' | 'dry-run' | 'status'
  readonly format: 'raw' | 'xdm'
  readonly authenticated: boolean
  readonly profile: boolean
  readonly name: string
  /** Whether `name` was given. */
  readonly isNamed: boolean
  /** A dataset that exists, for a second dataflow into it; null: one of that name. */
  readonly dataset: string | null
  /** Print the variables instead of writing them. */
  readonly print: boolean
  /** With `dry-run`: every request. */
  readonly requests: boolean
  /** Yes to everything that would be asked. */
  readonly yes: boolean
  /** A named environment of wrangler.toml; null: the top level. */
  readonly env: string | null
  /** A source that was made in Adobe's interface. */
  readonly existing: { readonly endpoint: string; readonly flowId: string | null } | null
  readonly envFile: string | null
  readonly config: string
}

/** As on the command line: what is not said there is as wrangler.toml has it. */
export type Given = Omit<Options, 'format' | 'authenticated'> & {
  readonly format: 'raw' | 'xdm' | null
  readonly authenticated: boolean
}

/** `vars`: of the environment that is meant. */
export function completed(given: Given, vars: Vars): Options {
  const format = given.format ?? (vars.AEP_FORMAT?.trim() === 'xdm' ? 'xdm' : 'raw')
  const isAuthenticated = given.format === null && Boolean(vars.AEP_CLIENT_ID?.trim())
  return { ...given, format, authenticated: given.authenticated || isAuthenticated }
}

export const USAGE = `Usage: npm run provision -- [options]
Makes or finds everything the relay needs in Adobe Experience Platform, in
order, and writes the result into [vars] of wrangler.toml. Run it again at any
time: it continues where it stopped and changes nothing that is right.

  --env NAME         for a named environment: writes [env.NAME.vars] instead
  --format F         raw: Adobe's Chatlio source, mapped by Data Prep; xdm: an
                     XDM streaming connection. As in wrangler.toml, or raw
  --authenticated    an endpoint that needs an access token: the HTTP API source
                     instead of Chatlio's
  --profile          enable schema and dataset for Real-Time Customer Profile.
                     This cannot be undone
  --name NAME        what everything is called: "${DEFAULT_NAME}"
  --dataset ID       a second dataflow, into a dataset that exists
  --dry-run          show the plan; nothing is changed
  --requests         with --dry-run: every request, secrets masked
  --status           compare what is there, and wrangler.toml, with what it
                     should be; nothing is changed
  --print            print the variables instead of writing them
  --yes              answer yes where a terminal would ask
  --endpoint URL --flow-id ID
                     a source made in Adobe's interface: set up the relay's
                     side, and check what can be checked
  --env-file FILE    settings from a file; the environment wins
  --config FILE      instead of wrangler.toml
  --help

Settings: AEP_CLIENT_ID, AEP_CLIENT_SECRET, AEP_ORG_ID, AEP_SANDBOX (prod),
AEP_SCOPES, AEP_IMS_URL, AEP_PLATFORM_URL (https://platform.adobe.io)

Ends with 0: done; 1: Adobe refused or did not answer; 2: wrong use, or a
setting is missing; 3: two things of one name; 4: something differs from what it
should be, or would replace what is set.`

/** Others mean something in Adobe's filters, by which things are looked up. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._()-]{0,79}$/u

/** The text says what is wrong with the command line. */
export function readOptions(args: readonly string[]): Given | 'help' | { readonly wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      env: { type: 'string' },
      format: { type: 'string' },
      authenticated: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      name: { type: 'string' },
      dataset: { type: 'string' },
      requests: { type: 'boolean', default: false },
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
  const { authenticated, profile, status, print, yes, config, endpoint, requests } = values
  const { format = null, dataset = null, env = null } = values
  const name = values.name?.trim() ?? DEFAULT_NAME
  const flowId = values['flow-id'] ?? null
  if (format !== null && format !== 'raw' && format !== 'xdm') {
    return { wrong: '--format is raw or xdm.' }
  }
  if (env !== null && !/^[A-Za-z0-9_-]+$/.test(env)) {
    return { wrong: '--env takes the name of an environment: letters, digits, - and _.' }
  }
  if (dataset !== null && !/^[A-Za-z0-9_-]+$/.test(dataset)) {
    return { wrong: '--dataset takes the id of a dataset, which its address in AEP ends with.' }
  }
  if (requests && !values['dry-run']) return { wrong: '--requests needs --dry-run.' }
  if (dataset !== null && endpoint !== undefined) {
    return { wrong: '--dataset makes a dataflow; --endpoint takes one that is there.' }
  }
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
    isNamed: values.name !== undefined,
    dataset,
    print,
    requests,
    yes,
    env: env || null,
    existing: endpoint === undefined ? null : { endpoint, flowId },
    envFile: values['env-file'] ?? null,
    config,
  }
}
