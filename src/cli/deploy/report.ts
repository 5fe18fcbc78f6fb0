/** Report: what `npm run deploy` prints, as text. Nothing here does anything. */
import { CHATLIO_FIELDS, CHATLIO_PLACE } from '../lib/chatlio-fields.ts'
import type { Deployed } from './deployed.ts'
import type { Secrets } from './secrets.ts'
import type { SettingProblem, Target } from './settings.ts'

export function problemsText(target: Target, problems: readonly SettingProblem[]): string {
  const place = target.env === null ? '[vars]' : `[env.${target.env}.vars]`
  return [
    'Not deployed, because these settings are missing or wrong:',
    ...problems.map(({ setting, problem }) => `  ${setting}: ${problem}`),
    `Settings are in ${target.file}, ${place}; \`npm run provision\` writes them there.`,
  ].join('\n')
}

/** What a deploy changes at Cloudflare; values of variables are shown, of secrets never. */
export function planText(target: Target, deployed: Deployed, secrets: Secrets): string {
  const { exists } = deployed
  const from = target.env === null ? target.file : `${target.file}, environment ${target.env}`
  return [
    `Worker ${target.worker} (${from})`,
    exists ? '  is there: a new version of it' : '  is not there yet: will be made',
    'Variables',
    ...variableLines(target, deployed),
    'Secrets',
    ...secretLines(deployed, secrets),
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

function secretLines({ secrets: existing }: Deployed, made: Secrets): string[] {
  const lines = [...existing].sort().map((name) => `  = ${name} stays`)
  return [
    ...lines,
    ...Object.keys(made).map((name) =>
      name === 'AEP_CLIENT_SECRET'
        ? `  + ${name} from the environment`
        : `  + ${name} will be made`,
    ),
  ]
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/**
 * `url`: the Worker's address; `null`: wrangler named none.
 * `made`: the secrets of this deploy, shown here and nowhere else.
 */
export function doneText(url: string | null, env: string | null, made: Secrets): string {
  const base = url ?? 'https://YOUR-WORKER'
  const key = made.WEBHOOK_KEYS
  const put = `npx wrangler secret put WEBHOOK_KEYS${env === null ? '' : ` --env ${env}`}`
  const fields = CHATLIO_FIELDS.flatMap(({ kind, label, also }) => [
    '',
    `  ${label}`,
    ...(also ? [`  (${also})`] : []),
    `  ${base}/chatlio/${kind}?key=${key ?? 'YOUR_KEY'}`,
  ])
  return [
    ...(url
      ? []
      : ["Wrangler named no address: put the Worker's own in place of YOUR-WORKER.", '']),
    'Paste each URL into its field:',
    CHATLIO_PLACE,
    ...fields,
    '',
    ...(key
      ? [
          'These URLs hold the key WEBHOOK_KEYS. Copy them now: they are stored nowhere else and',
          `cannot be shown again. A lost key is replaced: \`${put}\`.`,
        ]
      : [
          'YOUR_KEY is the key that Cloudflare already has: it cannot be shown, and was not changed.',
          `If it is lost, replace it (\`${put}\`) and paste the URLs anew.`,
        ]),
    '',
    "The operators' page (the API is at the same address):",
    `  ${base}/admin`,
    ...(made.ADMIN_TOKEN
      ? ['ADMIN_TOKEN, which signs you in, also shown only now:', `  ${made.ADMIN_TOKEN}`]
      : ['It asks for the ADMIN_TOKEN that Cloudflare already has.']),
    '',
    'Try it from outside (the key and the token are read from the environment, so that no shell',
    'history has them: `read -rs WEBHOOK_KEYS && export WEBHOOK_KEYS`, and ADMIN_TOKEN likewise):',
    `  npm run verify -- --url ${base}`,
  ].join('\n')
}
