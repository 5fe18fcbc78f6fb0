/**
 * Settings: whether a Worker with this configuration would relay, decided before anything is sent to Cloudflare.
 *
 * Promises: everything that the Worker itself would call a wrong setting is found, since its own parser reads them; so
 * is what parses and cannot be meant, by the table below, what stands where wrangler does not look for it, and what a
 * named environment does not inherit. A problem names the setting and never repeats its value.
 */
import { readFileSync } from 'node:fs'
import { parseConfig } from '../../worker/config/config.ts'
import { SECRETS } from '../../worker/config/variables.ts'
import { distance } from '../lib/text.ts'
import { PLACEHOLDER } from '../lib/wrangler-toml.ts'
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
  /** Patterns of its routes. */
  readonly routes: readonly string[]
  /** Its custom domain; `null`: none. */
  readonly domain: string | null
  /** Settings of the relay outside their table. */
  readonly misplaced: readonly { readonly name: string; readonly table: string }[]
}

/** The names of the relay's settings, from the one list that its generated types are made of. */
export const SETTING_NAMES: ReadonlySet<string> = new Set(
  Array.from(
    readFileSync(new URL('../../worker/env.vars', import.meta.url), 'utf8').matchAll(
      /^([A-Z][A-Z0-9_]*)=/gm,
    ),
    ([, name]) => name ?? '',
  ),
)

/** `problem` is what a sentence says of the setting: `is not set`. */
export type SettingProblem = { readonly setting: string; readonly problem: string }

/** In the place of a secret whose value only Cloudflare knows: of a form that the Worker takes. */
const STAND_IN = 'kept-by-cloudflare-0000000000'

/** Of an earlier version: they say nothing any more, and are no reason to stop. */
const FORMER = ['OUTBOX_SHARDS']

/** Adobe's own namespaces: a visitor's id in one of them would be taken for somebody's address, phone or cookie. */
const STANDARD_NAMESPACES =
  /^(email(_lc_sha256)?|phone(_e\.?164|_sha256(_e\.?164)?)?|ecid|aaid|adcloud|idfa|gaid|core|fpid|tntid|waid|crmid)$/i

const ADOBE_INTERFACE =
  /(^|\.)(experience\.adobe\.com|platform\.adobe\.com|adobe\.com|platform\.adobe\.io|adobelogin\.com)$/i

/**
 * What parses and cannot be meant. `wrong`: of the value, and in the format that is set; the value is never blank.
 * The form of an id is Adobe's own: an organization is 24 hex digits and `@AdobeOrg`, a dataset 24 hex digits.
 */
const DOUBTS: readonly {
  readonly name: RegExp
  readonly wrong: (value: string, format: string) => boolean
  readonly problem: string
}[] = [
  {
    name: /^(AEP_|PUBLIC_|ACCESS_)/,
    wrong: (value) => PLACEHOLDER.test(value),
    problem: 'is still a placeholder: put the real value there',
  },
  {
    name: /^AEP_ENDPOINT$/,
    wrong: (value) => ADOBE_INTERFACE.test(hostOf(value)),
    problem:
      "is an address of Adobe's interface or API: the streaming endpoint is shown in the dataflow, and begins with https://dcs.adobedc.net/collection/",
  },
  {
    name: /^AEP_ENDPOINT$/,
    wrong: (value) => /\/collection\/batch\//.test(pathOf(value)),
    problem: 'is the batch endpoint: the relay makes that of /collection/INLET_ID itself',
  },
  {
    name: /^AEP_ENDPOINT$/,
    wrong: (value) => !/^\/collection\/[^/]+\/?$/.test(pathOf(value)),
    problem: 'has no /collection/INLET_ID: copy the streaming endpoint URL of the dataflow',
  },
  {
    name: /^AEP_ENDPOINT$/,
    wrong: (value) => /[?&]syncvalidation=/i.test(value),
    problem: 'has syncValidation, which is for trying out: Adobe limits it to a few requests',
  },
  {
    name: /^AEP_ORG_ID$/,
    wrong: (value) => !/^[^\s@]+@AdobeOrg$/.test(value),
    problem: 'is no organization id, which ends with @AdobeOrg',
  },
  {
    name: /^AEP_DATASET_ID$/,
    wrong: (value) => !/^[0-9a-f]{24}$/i.test(value),
    problem:
      'is no dataset id, but perhaps its name: the id is 24 letters and digits, in the address of the dataset in AEP',
  },
  {
    name: /^AEP_SCHEMA_ID$/,
    wrong: (value) => !/^https:\/\/ns\.adobe\.com\/[^/]+\/schemas\/[^/]+$/.test(value),
    problem: 'is no schema id: https://ns.adobe.com/TENANT/schemas/…, not its name',
  },
  {
    name: /^AEP_VISITOR_NAMESPACE$/,
    wrong: (value) => STANDARD_NAMESPACES.test(value),
    problem:
      'is a namespace of Adobe for something other than the visitor id of Chatlio: strangers would become one profile',
  },
  {
    name: /^AEP_FLOW_ID$/,
    wrong: (value) => URL.canParse(value) && value.includes('/'),
    problem: 'is an address: the dataflow id alone belongs here',
  },
  {
    name: /^AEP_(ORG_ID|DATASET_ID|SCHEMA_ID|SCHEMA_EXTRAS|TENANT)$/,
    wrong: (value, format) => format === 'xdm' && value !== value.trim(),
    problem: 'has blanks around it',
  },
]

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
    // Its value is not known here.
    if (secrets.has(variable)) continue
    const problem = SECRETS.includes(variable)
      ? `is a secret that Cloudflare does not have${variable === 'AEP_CLIENT_SECRET' ? ': have it in the environment of this deploy, or in the file of its --env-file' : ''}`
      : wrongIn(vars, { variable, expected })
    problems.push({ setting: variable, problem })
  }
  const format = String(vars.AEP_FORMAT ?? 'raw').trim()
  for (const [name, given] of Object.entries(vars)) {
    const value = typeof given === 'string' ? given.trim() : ''
    if (value === '') continue
    if (!allowLoopback && /^(AEP_|PUBLIC_)/.test(name) && isLoopback(value)) {
      const problem = 'is an address of this machine, which Cloudflare cannot reach'
      problems.push({ setting: name, problem })
    }
    for (const { name: pattern, wrong, problem } of DOUBTS) {
      if (pattern.test(name) && wrong(value, format)) problems.push({ setting: name, problem })
    }
  }
  return firstOfEach(problems)
}

/** Of secrets that this deploy would store: each key must open the relay, and the token too. */
export function checkSecrets(secrets: Readonly<Record<string, string>>): SettingProblem[] {
  return parseConfig(secrets)
    .problems.filter(({ variable }) => secrets[variable] !== undefined)
    .map(({ variable, expected }) => ({
      setting: variable,
      problem: `is a secret that Cloudflare would get from the environment of this deploy; expected: ${expected}`,
    }))
}

function* configurationProblems(target: Target): Generator<SettingProblem> {
  const section = target.env === null ? '' : `env.${target.env}.`
  if (!target.durableObjects.includes('OUTBOX')) {
    yield {
      setting: `[[${section}durable_objects.bindings]]`,
      problem:
        'has no OUTBOX, so nothing could be stored. A named environment inherits no bindings: repeat the block there',
    }
  }
  if (target.inheritsRoutes) {
    yield {
      setting: `[env.${target.env}] routes`,
      problem:
        'are those of the top level, which this deploy would take over: give the environment its own, or routes = []',
    }
  }
  if (target.routes.some((pattern) => /example|your-domain/i.test(pattern))) {
    yield { setting: 'routes', problem: 'are still the example: put your own domain there' }
  }
  for (const { name, table } of target.misplaced) {
    const place = `[${section}vars]`
    yield {
      setting: name,
      problem: `stands in ${table === 'the top level' ? table : `[${table}]`}, where it is not read: move it into ${place}`,
    }
  }
  for (const name of Object.keys(target.vars)) {
    const isKnown = SETTING_NAMES.has(name) || FORMER.includes(name)
    const meant = isKnown ? undefined : likeOurs(name)
    if (meant === undefined) continue
    const problem =
      meant === '' ? 'is no setting of the relay' : `is no setting of the relay: is ${meant} meant?`
    yield { setting: name, problem }
  }
}

/** The setting that is perhaps meant; empty: it looks like one, but like none in particular. */
function likeOurs(name: string): string | undefined {
  const bare = (text: string) => text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '')
  for (const ours of SETTING_NAMES) {
    if (distance(bare(name), bare(ours)) <= (ours.length > 6 ? 2 : 1)) return ours
  }
  return /^(AEP|ALERT|CHATLIO|WEBHOOK|OUTBOX|RETRY|DRAIN|FORWARD)_/i.test(name) ? '' : undefined
}

const hostOf = (value: string) => (URL.canParse(value) ? new URL(value).hostname : '')
/** Of what is no URL the parser has said so already. */
const pathOf = (value: string) => (URL.canParse(value) ? new URL(value).pathname : '/collection/x')

/** What the relay's own parser says of a setting among these. */
export function wrongIn(
  vars: Target['vars'],
  { variable, expected }: { readonly variable: string; readonly expected: string },
): string {
  return `${isSet(vars[variable]) ? 'cannot be used' : 'is not set'}; expected: ${expected}`
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && String(value).trim() !== ''
}

/** One sentence a setting is enough to act on. */
export function firstOfEach(problems: readonly SettingProblem[]): SettingProblem[] {
  const seen = new Set<string>()
  return problems.filter(({ setting }) => !seen.has(setting) && seen.add(setting))
}
