/**
 * Shared by all modes: the settings, the client, the tenant, the resources wanted, and how a failure is reported.
 */
import namespace from '../../worker/aep/schema/identity-namespace.json' with { type: 'json' }
import { type Environment, variable } from '../lib/env-file.ts'
import {
  type Io,
  type PlatformClient,
  type PlatformSettings,
  platformClient,
  type Send,
} from '../lib/platform-client.ts'
import { adviceOn, PlatformError } from '../lib/platform-error.ts'
import { type ApiRequest, textAt } from '../lib/platform-request.ts'
import { wrap } from '../lib/style.ts'
import type { Terminal } from '../lib/terminal.ts'
import type { Vars } from '../lib/wrangler-toml.ts'
import { type Chain, chainOfDataset, chainOfFlow } from './chain.ts'
import { hasGlobal, REGISTRY, unexpected } from './lookup.ts'
import type { Options } from './options.ts'
import { asMeant } from './relay-vars.ts'
import { UNEXPLAINED } from './report.ts'
import { isSecret, missingSettings, QUESTIONS, readSettings } from './settings.ts'
import type { Step } from './step.ts'
import { CONTACT_GROUP } from './steps/schema.ts'
import { stepsFor } from './steps.ts'
import { type Wanted, wantedOf } from './wanted.ts'

export type World = {
  readonly env: Environment
  readonly io: Io
  readonly terminal: Terminal
}

export type Run = {
  readonly options: Options
  readonly settings: PlatformSettings
  readonly api: PlatformClient
  readonly wanted: Wanted
  readonly steps: readonly Step[]
  readonly world: World
  /** Of the environment that is meant, as wrangler.toml has them; null without a file. */
  readonly vars: Vars | null
  /** What is wrong with what wrangler.toml means, in `--status`. */
  readonly wrong: string | null
}

/** Asks for what is missing where there is a terminal. Null: it has been complained about, and the run ends with 2. */
export async function settingsFor(
  env: Environment,
  terminal: Terminal,
): Promise<PlatformSettings | null> {
  const answers: Record<string, string> = {}
  const missing: string[] = []
  for (const name of missingSettings(env)) {
    const answer = await terminal.ask(QUESTIONS[name], isSecret(name))
    if (answer === null) missing.push(name)
    else answers[name] = answer
  }
  if (missing.length > 0) {
    terminal.complain(
      wrap(
        `Missing: ${missing.join(', ')}. Have it in the environment or in a file given by --env-file: the Developer Console shows it at your project's OAuth Server-to-Server credential.`,
      ),
    )
    return null
  }
  const settings = readSettings({ ...env, ...answers })
  if (!('wrong' in settings)) return settings
  terminal.complain(settings.wrong)
  return null
}

export async function startRun(
  options: Options,
  settings: PlatformSettings,
  vars: Vars | null,
  world: World,
  seen: (request: ApiRequest) => void = () => {},
): Promise<Run> {
  const waiting = (what: string) => world.terminal.complain(what)
  const api = platformClient(settings, world.io, { seen, waiting })
  const stats = await api.send({ method: 'GET', path: `${REGISTRY}/stats` })
  const tenant = textAt(stats, 'tenantId')
  if (tenant === null) throw unexpected(`GET ${REGISTRY}/stats`, 'the answer has no tenantId')
  const visitorNamespace =
    variable(world.env, 'AEP_VISITOR_NAMESPACE') ?? vars?.AEP_VISITOR_NAMESPACE ?? namespace.code
  const chain = await chainFor(options, vars ?? {}, api.send, settings)
  const { ids, name, dataset } = 'ids' in chain ? chain : { ids: {}, name: null, dataset: null }
  const named = name === null ? options : { ...options, name, isNamed: true }
  const meant = { ...named, dataset }
  const contact = await hasGlobal(api.send, CONTACT_GROUP)
  const wanted = wantedOf(meant, tenant.replace(/^_/, ''), visitorNamespace, { ids, contact })
  const wrong = 'wrong' in chain ? chain.wrong : null
  return { options: meant, settings, api, wanted, steps: stepsFor(wanted), world, vars, wrong }
}

/** What is meant by its id: the dataset that was named, or in `--status` the dataflow that the relay uses. */
async function chainFor(
  options: Options,
  vars: Vars,
  send: Send,
  { sandbox }: PlatformSettings,
): Promise<Chain> {
  const { mode, dataset, isNamed } = options
  if (dataset !== null) return chainOfDataset(send, dataset, sandbox)
  const flowId = asMeant(vars).AEP_FLOW_ID
  if (mode !== 'status' || isNamed || !flowId) return { ids: {}, name: null, dataset: null }
  const { flowName: usual } = wantedOf(options, '', '', { ids: {}, contact: false })
  return chainOfFlow(send, { flowId, usual, sandbox })
}

/** A failure outside of any step: a look-up, the token. */
export function complainOf(error: unknown, terminal: Terminal): number {
  if (!(error instanceof PlatformError)) throw error
  terminal.complain(wrap(error.message))
  terminal.complain(wrap(adviceOn(error, permissionFor(error.request), UNEXPLAINED)))
  terminal.complain('Nothing was changed.')
  return 1
}

const PERMISSIONS: readonly (readonly [string, string])[] = [
  ['/idnamespace/', 'Identity Management: View Identity Namespaces'],
  ['/schemaregistry/', 'Data Modeling: View Schemas'],
  ['/catalog/', 'Data Management: View Datasets'],
  ['/flowservice/', 'Data Ingestion: View Sources'],
  ['/conversion/', 'Data Ingestion: Manage Sources'],
]

function permissionFor(request: string): string {
  return (
    PERMISSIONS.find(([part]) => request.includes(part))?.[1] ?? 'access to Experience Platform'
  )
}
