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
} from '../lib/platform-client.ts'
import { adviceOn, PlatformError } from '../lib/platform-error.ts'
import { type ApiRequest, textAt } from '../lib/platform-request.ts'
import type { Terminal } from '../lib/terminal.ts'
import type { Vars } from '../lib/wrangler-toml.ts'
import { REGISTRY, unexpected } from './lookup.ts'
import type { Options } from './options.ts'
import { isSecret, missingSettings, readSettings } from './settings.ts'
import type { Step } from './step.ts'
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
}

/** Asks for what is missing where there is a terminal. Null: it has been complained about, and the run ends with 2. */
export async function settingsFor(
  env: Environment,
  terminal: Terminal,
): Promise<PlatformSettings | null> {
  const answers: Record<string, string> = {}
  const missing: string[] = []
  for (const name of missingSettings(env)) {
    const answer = await terminal.ask(name, isSecret(name))
    if (answer === null) missing.push(name)
    else answers[name] = answer
  }
  if (missing.length > 0) {
    terminal.complain(
      `Missing: ${missing.join(', ')}. Set them in the environment or in a file given by --env-file: the Developer Console shows them at your project's OAuth Server-to-Server credential.`,
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
  vars: Vars,
  world: World,
  seen?: (request: ApiRequest) => void,
): Promise<Run> {
  const api = platformClient(settings, world.io, seen)
  const stats = await api.send({ method: 'GET', path: `${REGISTRY}/stats` })
  const tenant = textAt(stats, 'tenantId')
  if (tenant === null) throw unexpected(`GET ${REGISTRY}/stats`, 'the answer has no tenantId')
  const visitorNamespace =
    variable(world.env, 'AEP_VISITOR_NAMESPACE') ?? vars.AEP_VISITOR_NAMESPACE ?? namespace.code
  const wanted = wantedOf(options, tenant.replace(/^_/, ''), visitorNamespace)
  return { options, settings, api, wanted, steps: stepsFor(wanted), world }
}

/** A failure outside of any step: a look-up, the token. */
export function complainOf(error: unknown, terminal: Terminal): number {
  if (!(error instanceof PlatformError)) throw error
  terminal.complain(error.message)
  terminal.complain(adviceOn(error.refusal, permissionFor(error.request)))
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
