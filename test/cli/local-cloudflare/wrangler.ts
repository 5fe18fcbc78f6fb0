/**
 * What `npm run deploy` uses of wrangler, without a process for each command: the configuration is read by wrangler's own
 * reader, and the local Cloudflare is asked what wrangler asks, in its order. It builds nothing, and warns of nothing.
 * `deploy-wrangler.proof.test.ts` holds it to the real one.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { unstable_readConfig } from 'wrangler'
import type { RunWrangler } from '../../../src/cli/lib/wrangler.ts'
import type { Binding } from './worker.ts'

const OPTIONS = {
  config: { type: 'string' },
  env: { type: 'string' },
  format: { type: 'string' },
  json: { type: 'boolean' },
  tag: { type: 'string' },
  message: { type: 'string' },
  'dry-run': { type: 'boolean' },
  'secrets-file': { type: 'string' },
} as const

/** What wrangler would say on standard error. */
class Failed extends Error {}

export const wranglerStandIn: RunWrangler = async (args, { env = {} } = {}) => {
  try {
    return { code: 0, stdout: await run(args, { ...process.env, ...env }), stderr: '' }
  } catch (thrown) {
    if (!(thrown instanceof Failed)) throw thrown
    return { code: 1, stdout: '\n', stderr: `✘ [ERROR] ${thrown.message}\n` }
  }
}

type Environment = Readonly<Record<string, string | undefined>>

async function run(args: readonly string[], environment: Environment): Promise<string> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: OPTIONS,
    allowPositionals: true,
  })
  const { config = '', env } = values
  const read = unstable_readConfig({ config, ...(env && { env }) }, { hideWarnings: true })
  const name = read.name ?? ''
  const [command, id] = [positionals.slice(0, 2).join(' '), positionals[2]]
  if (command === 'deploy' && values['dry-run']) return '--dry-run: exiting now.\n'
  const ask = asking(environment)
  const script = `scripts/${name}`
  switch (command) {
    case 'secret list': {
      const secrets = await ask('GET', `${script}/secrets`)
      if (secrets === null) throw new Failed(`Worker "${name}" not found.\n\n${IF_NEW}`)
      return printed(secrets)
    }
    case 'deployments status': {
      const { deployments } = found(await ask('GET', `${script}/deployments`), script)
      return printed((deployments as unknown[])[0])
    }
    case 'versions view':
      return printed(await ask('GET', `${script}/versions/${id}`))
    case 'deploy': {
      const { vars, durable_objects } = read
      const secrets = values['secrets-file'] && readFileSync(values['secrets-file'], 'utf8')
      const bindings: Binding[] = [
        ...Object.entries(vars).map(([key, value]) =>
          typeof value === 'string'
            ? { name: key, type: 'plain_text', text: value }
            : { name: key, type: 'json', json: value },
        ),
        ...Object.entries<string>(JSON.parse(secrets || '{}')).map(([key, text]) => {
          return { name: key, type: 'secret_text', text }
        }),
        ...durable_objects.bindings.map(({ name, class_name }: Binding) => {
          return { name, type: 'durable_object_namespace', class_name }
        }),
      ]
      const annotations = { 'workers/message': values.message, 'workers/tag': values.tag }
      const url = await deploy(ask, name, {
        bindings,
        annotations,
        keep_bindings: ['secret_text', 'secret_key'],
      })
      const file = environment.WRANGLER_OUTPUT_FILE_PATH
      if (file) appendFileSync(file, `${JSON.stringify({ type: 'deploy', targets: [url] })}\n`)
      return `Uploaded ${name}\nDeployed ${name} triggers\n  ${url}\n`
    }
    default:
      throw new Error(`The stand-in knows no \`wrangler ${command}\`.`)
  }
}

/** Resolves with the address of the Worker. */
async function deploy(ask: Ask, name: string, metadata: object): Promise<string> {
  const script = `scripts/${name}`
  const service = await ask('GET', `services/${name}`)
  await ask('GET', `${script}/secrets`)
  if (service === null) await ask('GET', 'subdomain')
  await ask('GET', `${script}/deployments`)
  await ask('GET', `${script}/settings`)
  const form = new FormData()
  form.set('metadata', JSON.stringify(metadata))
  await ask('PUT', script, form)
  await ask('PATCH', `${script}/script-settings`, '{}')
  await ask('GET', `workers/${name}`)
  const { subdomain } = found(await ask('GET', 'subdomain'), 'subdomain')
  await ask('POST', `${script}/subdomain`, '{}')
  return `https://${name}.${subdomain}.workers.dev`
}

type Result = Readonly<Record<string, unknown>>
/** Resolves with null where nothing is there; rejects with `Failed`. */
type Ask = (method: string, path: string, body?: FormData | string) => Promise<Result | null>

function asking(environment: Environment): Ask {
  const token = environment.CLOUDFLARE_API_TOKEN
  if (!token) throw new Failed(NO_TOKEN)
  const account = `/accounts/${environment.CLOUDFLARE_ACCOUNT_ID}/workers`
  return async (method, path, body) => {
    const response = await fetch(`${environment.CLOUDFLARE_API_BASE_URL}${account}/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
    })
    const { result, errors } = (await response.json()) as Answer
    if (response.ok) return result
    if (response.status === 404) return null
    throw new Failed(failureText(`${account}/${path}`, errors))
  }
}

type Answer = {
  readonly result: Result
  readonly errors: readonly { readonly code: number; readonly message: string }[]
}

function failureText(path: string, errors: Answer['errors']): string {
  const said = errors.map(({ code, message }) => `  ${message} [code: ${code}]`)
  return [`A request to the Cloudflare API (${path}) failed.`, '', ...said].join('\n')
}

function found(result: Result | null, what: string): Result {
  if (result === null) throw new Failed(`The Cloudflare API has no ${what}.`)
  return result
}

const printed = (result: unknown) => `${JSON.stringify(result, null, 2)}\n`

const IF_NEW = `  If this is a new Worker, run \`wrangler deploy\` first to create it.
  Otherwise, check that the Worker name is correct and you're logged into the right account.`
const NO_TOKEN =
  "In a non-interactive environment, it's necessary to set a CLOUDFLARE_API_TOKEN environment variable for wrangler to work."
