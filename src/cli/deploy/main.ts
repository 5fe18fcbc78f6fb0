/**
 * `npm run deploy`: checks the settings, makes the secrets that are missing, deploys, and shows the URLs for Chatlio.
 *
 * Promises: nothing is changed at Cloudflare before every setting is known to be good; a secret that exists is
 * overwritten only on demand (`--new-key`); a secret that this run has stored is always shown, also when the deploy
 * fails after it was stored. It can be run again at any time. What others have written is shown, never obeyed, by the
 * terminal.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { commandLine } from '../lib/command.ts'
import { variable } from '../lib/env-file.ts'
import { keepSecret, printable, printableLines } from '../lib/printable.ts'
import { runCommand } from '../lib/run.ts'
import { wrap, wrapLines } from '../lib/style.ts'
import { INTERRUPTED, Interrupted, processTerminal } from '../lib/terminal.ts'
import { messageOf } from '../lib/text.ts'
import {
  ROOT,
  type RunWrangler,
  runWrangler,
  type WranglerResult,
  wranglerWarnings,
} from '../lib/wrangler.ts'
import {
  type Asking,
  type CloudflareFailure,
  failureOf,
  readDeployed,
  readSecrets,
} from './deployed.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { doneText, planText, problemsText, uncheckedText, urlsText } from './report.ts'
import { copySuppressions, copyTheRest, keysEnded, type Move, outboxMove } from './running.ts'
import {
  keyNames,
  missingSecrets,
  neededSecrets,
  ownerProblems,
  type Secrets,
  withSecretsFile,
} from './secrets.ts'
import {
  checkSecrets,
  checkSettings,
  firstOfEach,
  type SettingProblem,
  type Target,
} from './settings.ts'
import { addressOf, readTarget } from './target.ts'

/** Of texts that hold something from outside. */
const say = (text: string) => console.log(printableLines(text))
const complain = (text: string) => console.error(printableLines(text))

/** Resolves with the exit code. */
export function main(
  args: readonly string[],
  { wrangler }: Pick<Asking, 'wrangler'> = { wrangler: runWrangler },
): Promise<number> {
  return runCommand(
    () => readOptions(args, process.env),
    USAGE,
    (options: Options) => untilSignal(options, wrangler),
  )
}

/** A signal ends wrangler, and is what the exit code tells. */
async function untilSignal(options: Options, wrangler: Asking['wrangler']): Promise<number> {
  for (const name of ['AEP_CLIENT_SECRET', 'AEP_READ_CLIENT_SECRET', 'CLOUDFLARE_API_TOKEN']) {
    keepSecret(variable(options.environment, name) ?? '')
  }
  const quit = new AbortController()
  const interrupt = () => quit.abort(new Interrupted())
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, interrupt)
  try {
    const code = await (options.mode === 'show-urls'
      ? showUrls(options)
      : deploy(options, { wrangler: withAccess(wrangler, options), signal: quit.signal }))
    return quit.signal.aborted ? INTERRUPTED : code
  } catch (error) {
    if (error instanceof Interrupted) {
      complain('Interrupted. Nothing was changed.')
      return INTERRUPTED
    }
    complain(messageOf(error))
    return 2
  } finally {
    for (const signal of signals) process.off(signal, interrupt)
  }
}

/** Wrangler reads no file of ours. */
function withAccess(wrangler: RunWrangler, { environment }: Options): RunWrangler {
  const access = Object.entries(environment).flatMap(([name, value]) =>
    name.startsWith('CLOUDFLARE_') && value ? [[name, value] as const] : [],
  )
  return (args, { env, ...more } = {}) =>
    wrangler(args, { ...more, env: { ...Object.fromEntries(access), ...env } })
}

/** Asks nobody: the key must be at hand. */
async function showUrls(options: Options): Promise<number> {
  const { config, env, url, environment } = options
  const target = await readTarget(config, env)
  const keys = variable(environment, 'WEBHOOK_KEYS')
  if (keys === undefined) {
    const replace = commandLine('deploy', options, ...(url ? ['--url', url] : []), '--new-key')
    complain(
      wrap(
        `Missing: WEBHOOK_KEYS. Cloudflare never shows a secret again: have the key in the environment, or in a file given by --env-file. If it is lost, \`${replace}\` makes another one.`,
      ),
    )
    return 2
  }
  // The key is meant to be shown.
  console.log(urlsText(url ?? addressOf(target), keys))
  return 0
}

async function deploy(options: Options, asking: Asking): Promise<number> {
  const { environment } = options
  const { signal } = asking
  const target = await readTarget(options.config, options.env)
  const selected = ['--config', path.resolve(options.config), '--env', options.env ?? '']
  const dryRun = options.mode === 'dry-run'
  // Secrets are assumed to be there: settings that are wrong in any case are reported without asking Cloudflare.
  const assumed = new Set(['WEBHOOK_KEYS', 'ADMIN_TOKEN', ...neededSecrets(target, new Set())])
  const wrong = checkSettings(target, assumed, options)
  if (isWorkersBuild() && !dryRun) {
    for (const { setting, problem } of wrong) console.warn(printable(`${setting} ${problem}`))
    return await upload({ target, selected, secrets: {}, options, existing: new Set() }, asking)
  }
  if (wrong.length > 0) return refuse(target, wrong, options)
  const newKeys = options.newKeys && keyNames(options.newKeys, environment)
  if (newKeys && 'wrong' in newKeys) {
    complain(wrap(newKeys.wrong))
    return 2
  }

  const deployed = await readDeployed(selected, asking)
  signal.throwIfAborted()
  if ('reason' in deployed) return fail(deployed)
  const existing = deployed.secrets
  const secrets = missingSecrets({ target, deployed, environment, newKeys })
  const all = new Set([...existing, ...Object.keys(secrets)])
  const stillWrong = firstOfEach([
    ...ownerProblems(target, deployed, secrets, environment),
    ...checkSettings(target, all, options),
    ...checkSecrets(secrets),
  ])
  if (stillWrong.length > 0) return refuse(target, stillWrong, options)
  const move = await outboxMove(target, deployed, options, signal)
  signal.throwIfAborted()
  if (move && 'why' in move) {
    complain(wrap(`${move.why} Nothing was changed.`))
    return move.code
  }
  const { WEBHOOK_KEYS: keys } = secrets
  const isReplaced = keys !== undefined && existing.has('WEBHOOK_KEYS')
  const ended = isReplaced ? await keysEnded(keys, target, options, signal) : null
  signal.throwIfAborted()

  say(planText(target, deployed, secrets, environment))
  if (ended) say(wrap(`${ended.why}${unnamed(newKeys)}`))
  if (dryRun) return await tryBuild(target, selected, all, options, asking)
  if (ended && !options.yes) {
    const answer = await processTerminal().confirm('Replace the keys?')
    if (!answer) {
      complain('Nothing was changed. --yes replaces them without a question.')
      return answer === null ? ended.code : 4
    }
  }
  const copied = move && (await copySuppressions(move))
  signal.throwIfAborted()
  if (typeof copied === 'string') {
    complain(`${wrap(copied)}\nNothing was changed.`)
    return 4
  }
  return await upload({ target, selected, secrets, options, existing: all, move }, asking)
}

function unnamed(newKeys: readonly (string | null)[] | null): string {
  return newKeys?.includes(null)
    ? ' The new key has no name: where keys tell your widgets apart, give theirs, as in --new-key shop,help.'
    : ''
}

/**
 * Workers Builds, which the Deploy to Cloudflare button uses, runs this as its deploy command: the form has taken the
 * secrets, AEP may follow later, and a build log is no place for a key.
 */
function isWorkersBuild(): boolean {
  return process.env.WORKERS_CI === '1'
}

async function tryBuild(
  target: Target,
  selected: readonly string[],
  secrets: ReadonlySet<string>,
  options: Options,
  { wrangler, signal }: Asking,
): Promise<number> {
  const built = await wrangler(['deploy', '--dry-run', ...selected], { signal })
  signal.throwIfAborted()
  warn(built)
  if (built.code !== 0) return fail(failureOf(built))
  say('Build\n  passed\nNothing was changed.\n')
  const url = options.url ?? addressOf(target)
  say(uncheckedText(url ?? 'https://YOUR-WORKER', target, secrets, options))
  return 0
}

type Upload = {
  readonly target: Target
  readonly selected: readonly string[]
  readonly secrets: Secrets
  readonly options: Options
  /** Names of all secrets that the Worker then has. */
  readonly existing: ReadonlySet<string>
  readonly move?: Move | null
}

async function upload(what: Upload, asking: Asking): Promise<number> {
  const { wrangler, signal } = asking
  const { target, selected, secrets, options, existing } = what
  return await withSecretsFile(secrets, async (file) => {
    const output = path.join(path.dirname(file), 'output.ndjson')
    const flags = Object.keys(secrets).length > 0 ? ['--secrets-file', file] : []
    const env = { WRANGLER_OUTPUT_FILE_PATH: output }
    say('Deploying…')
    const labels = labelsOf()
    const result = await wrangler(['deploy', ...labels, ...selected, ...flags], { signal, env })
    // The key is not needed on disk any longer.
    rmSync(file, { force: true })
    warn(result)
    const url = options.url ?? addressIn(output) ?? addressOf(target)
    if (result.code === 0) {
      if (what.move) say(await copyTheRest(what.move))
      if (isWorkersBuild()) say(`Deployed.\n\n${result.stdout}`)
      // The key is meant to be shown.
      else console.log(`Deployed.\n\n${doneText(url, target, secrets, existing, options)}`)
      return 0
    }
    const code = signal.aborted ? INTERRUPTED : fail(failureOf(result))
    if (signal.aborted) complain('Interrupted: the Worker may or may not be deployed.')
    const stored = signal.aborted ? secrets : await storedOf(secrets, selected, asking)
    if (Object.keys(stored).length > 0) {
      console.log(
        `\nThese secrets may already be stored:\n\n${doneText(null, target, stored, existing, options)}`,
      )
    }
    return code
  })
}

/** Which version of the project this is: the package's as the tag, the commit as the message. */
function labelsOf(): string[] {
  const { version }: { version: string } = JSON.parse(
    readFileSync(path.join(ROOT, 'package.json'), 'utf8'),
  )
  return ['--tag', `v${version}`, '--message', commitOf() ?? `v${version}`]
}

/** `null`: no repository, or no git here. */
function commitOf(): string | null {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() === '' ? '' : '+'
    return `${git('rev-parse', '--short=12', 'HEAD').trim()}${changed}`
  } catch {
    return null
  }
}

/** Which of them Cloudflare has now. If it cannot be asked: all of them, since they may be. */
async function storedOf(
  secrets: Secrets,
  selected: readonly string[],
  asking: Asking,
): Promise<Secrets> {
  const now = await readSecrets(selected, asking)
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
    const address = custom ? `https://${custom.split(' ')[0]}` : targets.find(isHttps)
    return address === undefined ? null : printable(address.replace(/\/+$/, ''))
  } catch {
    return null
  }
}

const isHttps = (target: string) => target.startsWith('https://')

function warn(result: WranglerResult): void {
  for (const warning of wranglerWarnings(result)) {
    const said = ownWords(warning)
    if (said !== null) complain(wrap(said, '', '  '))
  }
}

/**
 * Wrangler tells to repeat every variable of the top level in a named environment. Those of AEP are of one dataflow alone,
 * and a client id without its secret relays nothing. `null`: nothing is left to be said.
 */
function ownWords(warning: string): string | null {
  const [, place, names] =
    /exist at the top level, but not on "(.*?)"\..*: - (.*)$/.exec(warning) ?? []
  if (names === undefined) return `Wrangler warns: ${warning}`
  const others = names.split(' - ').filter((name) => !name.startsWith('AEP_'))
  if (others.length === 0) return null
  return `Not inherited by a named environment, and not set in [${place}]: ${others.join(', ')}.`
}

function refuse(target: Target, problems: readonly SettingProblem[], options: Options): number {
  complain(problemsText(target, problems, options))
  return 2
}

function fail(failure: CloudflareFailure): number {
  complain(wrapLines(failure.message))
  return failure.reason === 'missing' ? 2 : 1
}
