/**
 * Secrets: those that are missing, out of the environment or made, carried to wrangler.
 *
 * Promises: a secret that Cloudflare has is never made again, and overwritten only where it belongs to another credential
 * than the variables now name, or new keys are wanted; a new one is in no argument, no variable and no file but one of
 * mode 600 in a temporary directory outside the repository, which is deleted when `use` ends, also when a signal ends
 * this process. Only SIGKILL or a power cut can leave it behind.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { trimmedText } from '../../worker/config/variables.ts'
import { readWebhookKeys } from '../../worker/config/webhook-keys.ts'
import { type Environment, variable } from '../lib/env-file.ts'
import { ROOT } from '../lib/wrangler.ts'
import type { Deployed } from './deployed.ts'
import type { SettingProblem, Target } from './settings.ts'

/** Name to value. */
export type Secrets = Readonly<Record<string, string>>

/** 192 bits, in characters that a URL, a shell and a form take as they are. */
const SECRET_BYTES = 24

/** Secrets that are nothing without a variable: another value of it has another secret. */
const GOES_WITH: Readonly<Record<string, string>> = {
  AEP_CLIENT_SECRET: 'AEP_CLIENT_ID',
  AEP_READ_CLIENT_SECRET: 'AEP_READ_CLIENT_ID',
}

/** Of an authenticated inlet, and of reading AEP's counts. `secrets`: names of those that there are. */
export function neededSecrets({ vars }: Target, secrets: ReadonlySet<string>): string[] {
  return Object.entries(GOES_WITH).flatMap(([secret, id]) =>
    vars[id] || secrets.has(id) ? [secret] : [],
  )
}

/** What Cloudflare has of a needed secret. `stale`: it came with another id; `unclear`: with none. */
type SecretState = 'none' | 'good' | 'stale' | 'unclear'

function secretStateOf(secret: string, { vars }: Target, deployed: Deployed): SecretState {
  if (!deployed.secrets.has(secret)) return 'none'
  const id = GOES_WITH[secret] ?? ''
  const [wanted, now] = [trimmedText(vars[id]), trimmedText(deployed.vars?.get(id))]
  if (wanted === '' || wanted === now || deployed.vars === null) return 'good'
  return now === '' ? 'unclear' : 'stale'
}

/** The environment may hold another credential than the relay's, with its id beside it. */
function isOfAnother(secret: string, { vars }: Target, environment: Environment): boolean {
  const id = GOES_WITH[secret] ?? ''
  const [wanted, given] = [trimmedText(vars[id]), variable(environment, id)]
  return wanted !== '' && given !== undefined && given !== wanted
}

/** Secrets that would not go with the id that the variables have. `made`: those that this deploy brings along. */
export function ownerProblems(
  target: Target,
  deployed: Deployed,
  made: Secrets,
  environment: Environment,
): SettingProblem[] {
  return neededSecrets(target, deployed.secrets).flatMap((setting) => {
    const state = secretStateOf(setting, target, deployed)
    const isGiven = variable(environment, setting) !== undefined
    if (made[setting] !== undefined || !(state === 'stale' || (state === 'none' && isGiven)))
      return []
    const id = GOES_WITH[setting]
    const has = state === 'stale' ? `has for another ${id}` : 'does not have'
    const others = isGiven ? `; the one that is there goes with another ${id}` : ''
    const problem = `is a secret that Cloudflare ${has}: have it in the environment of this deploy, or in the file of its --env-file${others}`
    return [{ setting, problem }]
  })
}

type SecretsWanted = {
  readonly target: Target
  readonly deployed: Deployed
  readonly environment: Environment
  /** Names of keys to make in place of those that are there; keys in the environment stay beside them. */
  readonly newKeys: readonly (string | null)[] | null
}

/** What a deploy must bring along. */
export function missingSecrets({ target, deployed, environment, newKeys }: SecretsWanted): Secrets {
  const existing = deployed.secrets
  const missing: Record<string, string> = {}
  for (const name of ['WEBHOOK_KEYS', 'ADMIN_TOKEN']) {
    if (!existing.has(name)) missing[name] = variable(environment, name) ?? randomSecret()
  }
  if (newKeys !== null && (existing.has('WEBHOOK_KEYS') || newKeys.some((name) => name !== null))) {
    const kept = variable(environment, 'WEBHOOK_KEYS')
    const made = newKeys.map((name) => `${name === null ? '' : `${name}:`}${randomSecret()}`)
    missing.WEBHOOK_KEYS = [...made, ...(kept === undefined ? [] : [kept])].join(',')
  }
  for (const name of neededSecrets(target, existing)) {
    const value = variable(environment, name)
    const isTaken = value !== undefined && !isOfAnother(name, target, environment)
    if (isTaken && secretStateOf(name, target, deployed) !== 'good') missing[name] = value
  }
  return missing
}

/**
 * The names for new keys; without any given, that of the widget whose keys are known. The text says that there are several.
 */
export function keyNames(
  given: readonly (string | null)[],
  environment: Environment,
): readonly (string | null)[] | { readonly wrong: string } {
  if (given.some((name) => name !== null)) return given
  const known = readWebhookKeys(variable(environment, 'WEBHOOK_KEYS'), []).webhookKeys
  const names = [...new Set(known.map(({ name }) => name))]
  if (names.length < 2) return [names[0] ?? null]
  const named = names.filter((name) => name !== null)
  return {
    wrong: `Which widget is the new key for? Give its name: --new-key ${named[0]}, or several: --new-key ${named.join(',')}.`,
  }
}

const randomSecret = () => randomBytes(SECRET_BYTES).toString('hex')

/** Calls `use` with the path of a file that holds the secrets as JSON, and removes it afterwards. */
export async function withSecretsFile<T>(
  secrets: Secrets,
  use: (file: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(path.join(tmpdir(), 'chatlio-edge-relay-secrets-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    if (isInside(realpathSync(directory), realpathSync(ROOT))) {
      throw new Error('TMPDIR is inside the repository: secrets must not be written there.')
    }
    const file = path.join(directory, 'secrets.json')
    writeFileSync(file, JSON.stringify(secrets), { mode: 0o600, flag: 'wx' })
    return await use(file)
  } finally {
    process.off('exit', remove)
    remove()
  }
}

function isInside(directory: string, parent: string): boolean {
  const relative = path.relative(parent, directory)
  return relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative))
}
