/**
 * Settings: whether a Worker with this configuration would relay, decided before anything is sent to Cloudflare.
 *
 * Promises: everything that the Worker itself would call a wrong setting is found, since its own parser reads them; so
 * are values that parse and cannot be meant (placeholders, addresses of this machine, a secret in a file that git
 * tracks), and what a named environment does not inherit. A problem names the setting and never repeats its value.
 */
import { parseConfig } from '../../worker/config/config.ts'
import { isLoopback } from './options.ts'

/** The part of wrangler's configuration that matters here, as wrangler resolves it for one environment. */
export type Target = {
  /** Of the Worker: a named environment adds its own name. */
  readonly worker: string
  readonly env: string | null
  /** Path of the file, to be named in messages. */
  readonly file: string
  readonly vars: Readonly<Record<string, unknown>>
  readonly durableObjects: readonly string[]
  /** A named environment would take the routes of the top level. */
  readonly inheritsRoutes: boolean
}

export type SettingProblem = { readonly setting: string; readonly problem: string }

/** Git tracks the configuration, so none of these may stand there. */
const SECRETS = [
  'WEBHOOK_KEYS',
  'ADMIN_TOKEN',
  'AEP_CLIENT_SECRET',
  'ALERT_WEBHOOK_URL',
  'ALERT_HEARTBEAT_URL',
]

/** In the place of a secret whose value only Cloudflare knows: of a form that the Worker takes. */
const STAND_IN = 'kept-by-cloudflare-0000000000'

/** What examples and templates have in the place of a value; none of it occurs in a real one. */
const PLACEHOLDER =
  /change-?me|placeholder|\byour-|\bexample\.(com|org|net)\b|[{}<>]|(INLET|FLOW|DATASET|SCHEMA)_ID\b|\bTENANT\b|^0123456789ABCDEF@|^[0-]+$|\/schemas\/ID$/

/** `secrets`: the names of those that the Worker has, or will have after this deploy. */
export function checkSettings(
  target: Target,
  secrets: ReadonlySet<string>,
  { allowLoopback }: { allowLoopback: boolean },
): SettingProblem[] {
  const { vars } = target
  const problems = [...configurationProblems(target)]
  for (const name of SECRETS) {
    if (isSet(vars[name])) {
      const problem = `is a secret, and git tracks ${target.file}: take it out there (and change it if it was ever committed)`
      problems.push({ setting: name, problem })
    }
  }
  const standIns = Object.fromEntries([...secrets].map((name) => [name, STAND_IN]))
  for (const { variable, expected } of parseConfig({ ...vars, ...standIns }).problems) {
    problems.push({ setting: variable, problem: `expected: ${expected}` })
  }
  for (const [name, value] of Object.entries(vars)) {
    if (typeof value !== 'string' || !/^(AEP_|PUBLIC_)/.test(name)) continue
    if (!allowLoopback && isLoopback(value)) {
      problems.push({
        setting: name,
        problem: 'is an address of this machine, which Cloudflare cannot reach',
      })
    }
    if (PLACEHOLDER.test(value)) {
      problems.push({ setting: name, problem: 'is still a placeholder: put the real value there' })
    }
  }
  return firstOfEach(problems)
}

function* configurationProblems(target: Target): Generator<SettingProblem> {
  const section = target.env === null ? '' : `env.${target.env}.`
  if (!target.durableObjects.includes('OUTBOX')) {
    yield {
      setting: `[[${section}durable_objects.bindings]]`,
      problem:
        'OUTBOX is missing, so nothing could be stored. A named environment inherits no bindings: repeat the block there',
    }
  }
  if (target.inheritsRoutes) {
    yield {
      setting: `[env.${target.env}] routes`,
      problem: `the top level's routes are inherited, so this deploy would take them over: give the environment its own, or routes = []`,
    }
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && String(value).trim() !== ''
}

/** One sentence a setting is enough to act on. */
function firstOfEach(problems: readonly SettingProblem[]): SettingProblem[] {
  const seen = new Set<string>()
  return problems.filter(({ setting }) => !seen.has(setting) && seen.add(setting))
}
