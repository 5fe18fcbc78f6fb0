/**
 * Dataflow: the relay's own dataflow in AEP, found by its id and not by a name, so that one made in Adobe's interface is
 * checked like one made by `npm run provision`.
 *
 * Promises: it reads only; without credentials it says which setting is missing. `_id` and `timestamp` must be mapped,
 * whatever the schema. The other rows are compared only where the mapping fills our field group: a mapping into a
 * schema of somebody's own is theirs.
 */
import namespace from '../../worker/aep/schema/identity-namespace.json' with { type: 'json' }
import { readTarget } from '../deploy/target.ts'
import { commandLine } from '../lib/command.ts'
import { variable } from '../lib/env-file.ts'
import { platformClient, type Send } from '../lib/platform-client.ts'
import { at, type Json, listAt, textAt } from '../lib/platform-request.ts'
import { processIo } from '../lib/run.ts'
import { messageOf } from '../lib/text.ts'
import { byFlowServiceId, mappingSetById, REGISTRY } from '../provision/lookup.ts'
import { asMeant, isSameInlet } from '../provision/relay-vars.ts'
import { missingSettings, readSettings } from '../provision/settings.ts'
import type { Difference } from '../provision/step.ts'
import { destinationOf, rowDifferences } from '../provision/steps/mapping.ts'
import type { Options } from './options.ts'
import { noPlatform, type Platform, platform } from './platform.ts'
import type { Row } from './row.ts'

/** What the relay is configured with, as far as it matters here. */
type RelaySide = {
  readonly flowId: string
  /** `null`: not known. */
  readonly endpoint: string | null
  readonly visitorNamespace: string
  /** The command that makes a complete mapping. */
  readonly provision: string
}

/** Never rejects: what is missing or wrong becomes rows. */
export async function platformFor(options: Options): Promise<Platform> {
  const { environment, waitMs } = options
  const missing = missingSettings(environment)
  if (missing.length > 0) {
    return noPlatform(`it needs ${missing.join(', ')}; or look in AEP, some minutes from now`)
  }
  const settings = readSettings(environment)
  if ('wrong' in settings) return noPlatform(settings.wrong, false)
  const relay = await relaySide(options)
  if ('wrong' in relay) return noPlatform(relay.wrong, false)
  const { send } = platformClient(settings, processIo())
  return platform({
    get: (path) => send({ method: 'GET', path }),
    flowId: relay.flowId,
    mapping: () => mappingRow(send, relay),
    waitMs,
  })
}

async function relaySide(options: Options): Promise<RelaySide | { readonly wrong: string }> {
  const { environment, config, env } = options
  let vars: Readonly<Record<string, unknown>>
  try {
    vars = (await readTarget(config, env)).vars
  } catch (error) {
    if (variable(environment, 'AEP_FLOW_ID') === undefined) {
      const why = messageOf(error)
      return { wrong: `the relay's AEP_FLOW_ID is not known. ${why}` }
    }
    vars = {}
  }
  const names = ['AEP_ENDPOINT', 'AEP_FLOW_ID', 'AEP_VISITOR_NAMESPACE']
  const given = names.map((name) => [name, variable(environment, name) ?? String(vars[name] ?? '')])
  const meant = asMeant(Object.fromEntries(given))
  const { AEP_FLOW_ID: flowId, AEP_ENDPOINT: endpoint = null } = meant
  if (!flowId) return { wrong: `AEP_FLOW_ID is set neither in ${config} nor in the environment` }
  return {
    flowId,
    endpoint,
    visitorNamespace: meant.AEP_VISITOR_NAMESPACE ?? namespace.code,
    provision: commandLine('provision', options),
  }
}

const CHECK = 'mapping'
const SHOWN = 5

/** Throws with a message for a person when AEP does not let it be read. */
async function mappingRow(send: Send, relay: RelaySide): Promise<Row> {
  const { flowId, endpoint, provision } = relay
  const bad = (text: string): Row => ({ check: CHECK, ok: false, text })
  const flow = await byFlowServiceId(send, 'flows', flowId)
  const state = textAt(flow, 'state')
  if (state !== 'enabled') {
    return bad(`the dataflow is ${state ?? 'in no state'}, not enabled: AEP takes no events for it`)
  }
  const inlet = textAt(flow, 'options', 'inletUrl')
  if (inlet !== null && endpoint !== null && !isSameInlet(inlet, endpoint)) {
    return bad(`the dataflow has another streaming endpoint than AEP_ENDPOINT: ${inlet}`)
  }
  const params = at(flow, 'transformations', 0, 'params')
  const mappingId = textAt(params, 'mappingId')
  if (mappingId === null) {
    return { check: CHECK, ok: true, text: 'none: the dataflow takes finished XDM events' }
  }
  const set = await mappingSetById(send, mappingId, at(params, 'mappingVersion'))
  const differences = await differencesOf(set, flow, send, relay)
  const vital = differences.filter(isVital)
  if (vital.length > 0) {
    return bad(
      `${shown(vital)}. AEP accepts the events and drops them: no record reaches the dataset. \`${provision}\` makes a complete mapping`,
    )
  }
  if (differences.length > 0) {
    return bad(
      `${shown(differences)}. These fields do not reach the dataset as they should; \`${provision}\` makes a complete mapping`,
    )
  }
  return { check: CHECK, ok: true, text: 'complete; _id and timestamp are filled' }
}

async function differencesOf(
  set: Json,
  flow: Json,
  send: Send,
  { visitorNamespace }: RelaySide,
): Promise<readonly Difference[]> {
  const targetId = textAt(flow, 'targetConnectionIds', 0) ?? ''
  const target = await byFlowServiceId(send, 'targetConnections', targetId)
  const schemaId = textAt(target, 'data', 'schema', 'id') ?? ''
  const stats = await send({ method: 'GET', path: `${REGISTRY}/stats` })
  const tenant = (textAt(stats, 'tenantId') ?? '').replace(/^_/, '')
  const differences = rowDifferences(set, { tenant, visitorNamespace, schemaId })
  const isOurs = listAt(set, 'mappings').some((row) =>
    destinationOf(row)?.startsWith(`_${tenant}.chatlio.`),
  )
  return isOurs ? differences : differences.filter(isVital)
}

/** Without it AEP takes no ExperienceEvent. */
function isVital({ field, found }: Difference): boolean {
  return (field === '_id' || field === 'timestamp') && found === NOTHING
}

/** As `difference` says that there is no value. */
const NOTHING = 'nothing'

function shown(differences: readonly Difference[]): string {
  const few = differences.slice(0, SHOWN).map(({ field, expected, found }) => {
    return found === NOTHING ? `${field} is not mapped` : `${field} is ${found}, not ${expected}`
  })
  const more = differences.length - few.length
  return `${few.join('; ')}${more > 0 ? `; and ${more} more` : ''}`
}
