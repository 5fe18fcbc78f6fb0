/**
 * `npm run deploy`: checks the settings, makes the secrets that are missing, deploys, and shows the URLs for Chatlio.
 *
 * Promises: nothing is changed at Cloudflare before every setting is known to be good; a secret that exists is never
 * overwritten; a secret that this run has stored is always shown, also when the deploy fails after it was stored.
 * It can be run again at any time. It never asks.
 */
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { runWrangler } from '../lib/wrangler.ts'
import { type CloudflareFailure, failureOf, readDeployed, readSecrets } from './deployed.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { doneText, planText, problemsText } from './report.ts'
import { missingSecrets, type Secrets, withSecretsFile } from './secrets.ts'
import { checkSettings, type SettingProblem, type Target } from './settings.ts'
import { readTarget } from './target.ts'

const INTERRUPTED = 130

/** Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args, process.env)
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  if ('wrong' in options) {
    console.error(`${options.wrong}\n\n${USAGE}`)
    return 2
  }
  const quit = new AbortController()
  const interrupt = () => quit.abort()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, interrupt)
  try {
    const code = await deploy(options, quit.signal)
    return quit.signal.aborted ? INTERRUPTED : code
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    return 2
  } finally {
    for (const signal of signals) process.off(signal, interrupt)
  }
}

async function deploy(options: Options, signal: AbortSignal): Promise<number> {
  const target = await readTarget(options.config, options.env)
  const selected = ['--config', path.resolve(options.config), '--env', options.env ?? '']
  // Secrets are assumed to be there: settings that are wrong in any case are reported without asking Cloudflare.
  const assumed = new Set(['WEBHOOK_KEYS', 'ADMIN_TOKEN', ...clientSecretOf(target, new Set())])
  const wrong = checkSettings(target, assumed, options)
  if (isWorkersBuild() && !options.dryRun) {
    for (const { setting, problem } of wrong) console.warn(`${setting}: ${problem}`)
    return await upload(target, selected, {}, signal)
  }
  if (wrong.length > 0) return refuse(target, wrong)

  const deployed = await readDeployed(selected, signal)
  if ('reason' in deployed) return fail(deployed)
  const needsClientSecret = clientSecretOf(target, deployed.secrets).length > 0
  const secrets = missingSecrets(deployed.secrets, needsClientSecret, process.env)
  const all = new Set([...deployed.secrets, ...Object.keys(secrets)])
  const stillWrong = checkSettings(target, all, options)
  if (stillWrong.length > 0) return refuse(target, stillWrong)

  console.log(planText(target, deployed, secrets))
  if (options.dryRun) return await dryRun(selected, signal)
  return await upload(target, selected, secrets, signal)
}

/** The name of the secret, when an authenticated inlet needs it. */
function clientSecretOf({ vars }: Target, secrets: ReadonlySet<string>): string[] {
  return vars.AEP_CLIENT_ID || secrets.has('AEP_CLIENT_ID') ? ['AEP_CLIENT_SECRET'] : []
}

/**
 * Workers Builds, which the Deploy to Cloudflare button uses, runs this as its deploy command: the form has taken the
 * secrets, AEP may follow later, and a build log is no place for a key.
 */
function isWorkersBuild(): boolean {
  return process.env.WORKERS_CI === '1'
}

async function dryRun(selected: readonly string[], signal: AbortSignal): Promise<number> {
  const built = await runWrangler(['deploy', '--dry-run', ...selected], { signal })
  if (built.code !== 0) return fail(failureOf(built))
  console.log('Build\n  passed\nNothing was changed.')
  return 0
}

async function upload(
  { env: name }: Target,
  selected: readonly string[],
  secrets: Secrets,
  signal: AbortSignal,
): Promise<number> {
  return await withSecretsFile(secrets, async (file) => {
    const output = path.join(path.dirname(file), 'output.ndjson')
    const flags = Object.keys(secrets).length > 0 ? ['--secrets-file', file] : []
    const env = { WRANGLER_OUTPUT_FILE_PATH: output }
    console.log('Deploying…')
    const result = await runWrangler(['deploy', ...selected, ...flags], { signal, env })
    // The key is not needed on disk any longer.
    rmSync(file, { force: true })
    if (result.code === 0) {
      const text = isWorkersBuild() ? result.stdout : doneText(addressIn(output), name, secrets)
      console.log(`Deployed.\n\n${text}`)
      return 0
    }
    const code = signal.aborted ? INTERRUPTED : fail(failureOf(result))
    if (signal.aborted) console.error('Interrupted: the Worker may or may not be deployed.')
    const stored = signal.aborted ? secrets : await storedOf(secrets, selected, signal)
    if (Object.keys(stored).length > 0) {
      console.log(`\nThese secrets may already be stored:\n\n${doneText(null, name, stored)}`)
    }
    return code
  })
}

/** Which of them Cloudflare has now. If it cannot be asked: all of them, since they may be. */
async function storedOf(
  secrets: Secrets,
  selected: readonly string[],
  signal: AbortSignal,
): Promise<Secrets> {
  const now = await readSecrets(selected, signal)
  if (now === null) return {}
  if ('reason' in now) return secrets
  return Object.fromEntries(Object.entries(secrets).filter(([name]) => now.has(name)))
}

/**
 * The first https address among the targets that wrangler wrote down; a custom domain has no scheme there.
 * `null`, never an error, when it is unknown: the key must be shown in any case.
 */
function addressIn(outputFile: string): string | null {
  try {
    const lines = readFileSync(outputFile, 'utf8').split('\n')
    const deployed = lines.find((line) => line.includes('"type":"deploy"'))
    const { targets = [] }: { targets?: string[] } = JSON.parse(deployed ?? '{}')
    const custom = targets.find((target) => /\(custom domain/.test(target))
    if (custom) return `https://${custom.split(' ')[0]}`
    return targets.find((target) => target.startsWith('https://'))?.replace(/\/+$/, '') ?? null
  } catch {
    return null
  }
}

function refuse(target: Target, problems: readonly SettingProblem[]): number {
  console.error(problemsText(target, problems))
  return 2
}

function fail(failure: CloudflareFailure): number {
  console.error(failure.message)
  return failure.reason === 'missing' ? 2 : 1
}
