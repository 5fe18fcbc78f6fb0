/** Report: what `npm run deploy` prints, as text. Nothing here does anything. */
import { readWebhookKeys } from '../../worker/config/webhook-keys.ts'
import { CHATLIO_FIELDS, CHATLIO_PLACE } from '../lib/chatlio-fields.ts'
import { commandLine, type Selected, wranglerLine } from '../lib/command.ts'
import { type Environment, variable } from '../lib/env-file.ts'
import { wrap } from '../lib/style.ts'
import { placeOf } from '../lib/wrangler-toml.ts'
import type { Deployed } from './deployed.ts'
import type { Secrets } from './secrets.ts'
import type { SettingProblem, Target } from './settings.ts'

export function problemsText(
  target: Target,
  problems: readonly SettingProblem[],
  selected: Selected,
): string {
  const inFile = problems.some(({ problem }) => !problem.startsWith('is a secret that Cloudflare'))
  return [
    'Not deployed, because these settings are missing or wrong:',
    ...problems.map(({ setting, problem }) => wrap(`${setting} ${problem}`, '  ', '    ')),
    ...(inFile
      ? [
          wrap(
            `Settings are in ${target.file}, ${placeOf(target.env)}; \`${commandLine('provision', selected)}\` writes those of AEP there.`,
          ),
        ]
      : []),
  ].join('\n')
}

/** What a deploy changes at Cloudflare; values of variables are shown, of secrets never. `given`: the environment. */
export function planText(
  target: Target,
  deployed: Deployed,
  secrets: Secrets,
  given: Environment,
): string {
  const { exists } = deployed
  const from = target.env === null ? target.file : `${target.file}, environment ${target.env}`
  return [
    `Worker ${target.worker} (${from})`,
    exists ? '  is there: a new version of it' : '  is not there yet: will be made',
    'Variables',
    ...variableLines(target, deployed),
    'Secrets',
    ...secretLines(deployed, secrets, given),
  ].join('\n')
}

function variableLines({ vars }: Target, deployed: Deployed): string[] {
  const wanted = Object.entries(vars).map(([name, value]) => [name, textOf(value)] as const)
  if (!deployed.vars) return ['  ? could not be read; those of the configuration will be set']
  const current = deployed.vars
  const lines = wanted.map(([name, value]) => {
    const now = current.get(name)
    if (now === value) return `  = ${name} stays`
    return now === undefined ? `  + ${name} = ${value}` : `  ~ ${name} = ${value} (was ${now})`
  })
  const names = new Set(wanted.map(([name]) => name))
  const gone = [...current.keys()].filter((name) => !names.has(name))
  return [...lines, ...gone.map((name) => `  - ${name} goes: the configuration does not have it`)]
}

function secretLines({ secrets: existing }: Deployed, made: Secrets, given: Environment): string[] {
  const kept = [...existing].filter((name) => made[name] === undefined).sort()
  return [
    ...kept.map((name) => `  = ${name} stays`),
    ...Object.keys(made).map((name) => {
      if (isGiven(made, given, name)) {
        return existing.has(name)
          ? `  ~ ${name} from the environment or --env-file, in place of the one that is there`
          : `  + ${name} from the environment or --env-file`
      }
      return existing.has(name) ? `  ~ ${name} will be replaced` : `  + ${name} will be made`
    }),
  ]
}

/** Whether the secret came from the environment: then nothing says that it is shown only once. */
const isGiven = (secrets: Secrets, given: Environment, name: string) =>
  secrets[name] !== undefined && secrets[name] === variable(given, name)

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** `keys`: as the secret holds them; `null`: only Cloudflare knows them. `url`: `null` when it is not known. */
export function urlsText(url: string | null, keys: string | null): string {
  const base = url ?? 'https://YOUR-WORKER'
  const known = keys === null ? [] : readWebhookKeys(keys, []).webhookKeys
  const shown = known.length > 0 ? known : [{ key: 'YOUR_KEY', name: null }]
  return [
    ...(url
      ? []
      : [
          wrap("Its address could not be found out: put the Worker's own in place of YOUR-WORKER."),
          '',
        ]),
    'Paste each URL into its field:',
    CHATLIO_PLACE,
    ...shown.flatMap(({ key, name }) => [
      ...(name === null ? [] : ['', `The widget ${name}:`]),
      ...CHATLIO_FIELDS.flatMap(({ kind, label, also }) => [
        '',
        `  ${label}`,
        ...(also ? [wrap(`(${also})`, '  ')] : []),
        `  ${base}/chatlio/${kind}?key=${encodeURIComponent(key)}`,
      ]),
    ]),
  ].join('\n')
}

/**
 * `url`: the Worker's address; `null`: wrangler named none.
 * `made`: the secrets of this deploy, of which those that are not given are shown here and nowhere else.
 */
export function doneText(
  url: string | null,
  target: Target,
  made: Secrets,
  secrets: ReadonlySet<string>,
  selected: Selected & { readonly environment: Environment },
): string {
  const base = url ?? 'https://YOUR-WORKER'
  const given = selected.environment
  const keys = newKeysOf(made, given)
  return [
    urlsText(url, keys),
    '',
    ...keyLines(url, made, selected),
    '',
    "The operators' page (the API is at the same address):",
    `  ${base}/admin`,
    ...(isGiven(made, given, 'ADMIN_TOKEN')
      ? ['It asks for the ADMIN_TOKEN that you gave, which is stored at Cloudflare now.']
      : made.ADMIN_TOKEN
        ? ['ADMIN_TOKEN, which signs you in, also shown only now:', `  ${made.ADMIN_TOKEN}`]
        : ['It asks for the ADMIN_TOKEN that Cloudflare already has.']),
    '',
    uncheckedText(base, target, secrets, selected),
  ].join('\n')
}

/** Those that were made; all, where all were given; `null`: only Cloudflare knows them. */
function newKeysOf(made: Secrets, given: Environment): string | null {
  const all = made.WEBHOOK_KEYS
  if (all === undefined) return null
  const known = variable(given, 'WEBHOOK_KEYS')
  return known !== undefined && all.endsWith(`,${known}`) ? all.slice(0, -known.length - 1) : all
}

/** The names of its keys, for `--new-key`. */
function namesIn(keys: string): string[] {
  const named = readWebhookKeys(keys, []).webhookKeys.flatMap(({ name }) => name ?? [])
  return named.length === 0 ? [] : [[...new Set(named)].join(',')]
}

/** What is to be known of the keys in the URLs. */
function keyLines(
  url: string | null,
  made: Secrets,
  selected: Selected & { readonly environment: Environment },
): string[] {
  const given = selected.environment
  const at = url === null ? [] : ['--url', url]
  const show = commandLine('deploy', selected, '--show-urls', ...at)
  const known =
    made.WEBHOOK_KEYS === undefined ? variable(given, 'WEBHOOK_KEYS') : newKeysOf(made, given)
  const replace = commandLine('deploy', selected, ...at, '--new-key', ...namesIn(known ?? ''))
  if (isGiven(made, given, 'WEBHOOK_KEYS')) {
    return [
      wrap(
        `These URLs hold the keys in WEBHOOK_KEYS, which are stored at Cloudflare now. \`${show}\` shows them again where the keys are at hand.`,
      ),
    ]
  }
  if (made.WEBHOOK_KEYS === undefined) {
    return [
      wrap(
        `YOUR_KEY is the key that Cloudflare already has: it cannot be shown, and was not changed. With the key in the variable WEBHOOK_KEYS, \`${show}\` shows them. If it is lost, \`${replace}\` replaces it; then paste the new URLs.`,
      ),
    ]
  }
  const isBeside = newKeysOf(made, given) !== made.WEBHOOK_KEYS
  return [
    wrap(
      `These URLs hold a key out of WEBHOOK_KEYS. Copy them now: they are stored nowhere else and cannot be shown again. A lost or leaked key is replaced by \`${replace}\`.`,
    ),
    ...(isBeside
      ? [
          wrap(
            `The keys that you gave go on working beside it. Add the new one to them in ${selected.envFile ?? 'the variable WEBHOOK_KEYS'}, with its name: whatever replaces the secret next keeps only the keys that it is given, and webhooks with any other are lost. Once the new URLs stand in Chatlio, take the old one away: \`${wranglerLine('secret put WEBHOOK_KEYS', selected)}\` asks for the keys that are to stay.`,
          ),
        ]
      : []),
  ]
}

/** What no deploy can know. */
export function uncheckedText(
  base: string,
  target: Target,
  secrets: ReadonlySet<string>,
  selected: Selected,
): string {
  const { envFile } = selected
  const points = [
    `Whether AEP takes the events and keeps them: \`${commandLine('verify', selected, '--url', base)}\` tries it, with WEBHOOK_KEYS and ADMIN_TOKEN in the environment or in ${envFile ?? 'a file given by --env-file'}.`,
    'Whether five minutes have passed since the dataflow was made or changed, and fifteen since the schema was: AEP may drop events until then.',
    'Whether Cloudflare Access or a firewall rule stands before the whole Worker: it would lock Chatlio out.',
    'Whether the URLs stand in Chatlio, and the transcript is sent automatically.',
    ...(secrets.has('ALERT_WEBHOOK_URL')
      ? ['Whether alerts reach you: the page has a button that sends one.']
      : [
          `Alerts go nowhere: ALERT_WEBHOOK_URL is not set. \`${wranglerLine('secret put ALERT_WEBHOOK_URL', selected)}\` asks for the address.`,
        ]),
    ...(target.vars.PUBLIC_URL
      ? []
      : [
          `Alerts have no links: PUBLIC_URL is not set in ${placeOf(target.env)} of ${target.file}.`,
        ]),
  ]
  return [
    'Not checked, since it cannot be seen from here:',
    ...points.map((point) => wrap(point, '- ', '  ')),
  ].join('\n')
}
