/**
 * Deployed: what Cloudflare has of this Worker now: the names of its secrets, and its variables.
 * Asks through wrangler, so that it sees the account and the environment that the deploy will use. Changes nothing.
 */
import * as v from 'valibot'
import { type RunWrangler, type WranglerResult, wranglerError } from '../lib/wrangler.ts'

/** What asks Cloudflare, and what ends it. */
export type Asking = { readonly wrangler: RunWrangler; readonly signal: AbortSignal }

export type Deployed = {
  /** False: no Worker of that name has been deployed yet, so it has no variables; secrets can have been stored before. */
  readonly exists: boolean
  readonly secrets: ReadonlySet<string>
  /** `null`: they could not be read. */
  readonly vars: ReadonlyMap<string, string> | null
}

/** Named by what to do: give what is `missing` in the environment, or look at what Cloudflare said. */
export type CloudflareFailure =
  | { readonly reason: 'missing'; readonly name: string; readonly message: string }
  | { readonly reason: 'failed'; readonly message: string }

const SecretList = v.array(v.object({ name: v.string() }))
const Deployment = v.object({ versions: v.array(v.object({ version_id: v.string() })) })
const Version = v.object({
  resources: v.object({
    bindings: v.array(
      v.object({
        name: v.string(),
        type: v.string(),
        text: v.optional(v.string()),
        json: v.optional(v.unknown()),
      }),
    ),
  }),
})

/** `selected`: the flags that name the configuration and the environment. */
export async function readDeployed(
  selected: readonly string[],
  asking: Asking,
): Promise<Deployed | CloudflareFailure> {
  const secrets = await readSecrets(selected, asking)
  if (secrets === null) return { exists: false, secrets: new Set(), vars: new Map() }
  if ('reason' in secrets) return secrets
  const vars = await readVars(selected, asking)
  if (vars === 'no-deployment') return { exists: false, secrets, vars: new Map() }
  return vars && 'reason' in vars ? vars : { exists: true, secrets, vars }
}

/** Their names; `null`: there is no such Worker. */
export async function readSecrets(
  selected: readonly string[],
  asking: Asking,
): Promise<ReadonlySet<string> | null | CloudflareFailure> {
  const { wrangler, signal } = asking
  const listed = await wrangler(['secret', 'list', '--format', 'json', ...selected], { signal })
  if (listed.code !== 0) {
    const unknown = /Worker ".*" .*not found|code: 10007/.test(listed.stderr)
    return unknown ? null : failureOf(listed)
  }
  const secrets = parsed(SecretList, listed.stdout)
  if (!secrets) return { reason: 'failed', message: 'wrangler secret list did not print JSON.' }
  return new Set(secrets.map(({ name }) => name))
}

/** What a deploy refuses depends on them, so that a failure ends it; `null`: wrangler prints them in another way. */
async function readVars(
  selected: readonly string[],
  asking: Asking,
): Promise<ReadonlyMap<string, string> | null | 'no-deployment' | CloudflareFailure> {
  const { wrangler, signal } = asking
  const status = await wrangler(['deployments', 'status', '--json', ...selected], { signal })
  if (status.code !== 0) {
    return /has no deployments/.test(status.stderr) ? 'no-deployment' : failureOf(status)
  }
  const versionId = parsed(Deployment, status.stdout)?.versions[0]?.version_id
  if (!versionId) return null
  const view = await wrangler(['versions', 'view', versionId, '--json', ...selected], { signal })
  if (view.code !== 0) return failureOf(view)
  const version = parsed(Version, view.stdout)
  if (!version) return null
  const vars = version.resources.bindings.filter(({ type }) => /^(plain_text|json)$/.test(type))
  return new Map(vars.map(({ name, text, json }) => [name, text ?? JSON.stringify(json)]))
}

export function failureOf(result: WranglerResult): CloudflareFailure {
  const { stderr } = result
  if (/necessary to set a CLOUDFLARE_API_TOKEN|not logged in|Not authenticated/i.test(stderr)) {
    return {
      reason: 'missing',
      name: 'CLOUDFLARE_API_TOKEN',
      message:
        'No access to Cloudflare: run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN to a token made from the template "Edit Cloudflare Workers".',
    }
  }
  if (/More than one account/i.test(stderr)) {
    return {
      reason: 'missing',
      name: 'CLOUDFLARE_ACCOUNT_ID',
      message: `Several accounts can be used: set CLOUDFLARE_ACCOUNT_ID to one of them.\n${wranglerError(result)}`,
    }
  }
  const hint = /code: (10000|9109|6111)|Authentication error|Invalid access token/.test(stderr)
    ? '\nThe token is not valid, or may not edit Workers in this account (template "Edit Cloudflare Workers").'
    : ''
  return { reason: 'failed', message: wranglerError(result) + hint }
}

/** `undefined`: not JSON, or not of this shape. */
function parsed<S extends v.GenericSchema>(schema: S, text: string): v.InferOutput<S> | undefined {
  try {
    // Wrangler's warnings may come before it.
    const start = text.search(/^[[{]/m)
    const result = v.safeParse(schema, JSON.parse(text.slice(Math.max(start, 0))))
    return result.success ? result.output : undefined
  } catch {
    return undefined
  }
}
