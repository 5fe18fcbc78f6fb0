/**
 * Existing: a source that was made in Adobe's interface. Sets up the relay's side, and checks what can be checked.
 *
 * Promises: nothing is changed in AEP. An address that cannot be right, or that belongs to another dataflow, is not
 * written. Without credentials for the Platform APIs it checks only the form, and says so.
 */
import { type PlatformSettings, platformClient, type Send } from '../lib/platform-client.ts'
import { at, type Json, listAt, textAt } from '../lib/platform-request.ts'
import { type Vars, varsBlock } from '../lib/wrangler-toml.ts'
import type { Config } from './config-file.ts'
import { byFlowServiceId, mappingSetById, REGISTRY } from './lookup.ts'
import type { Options } from './options.ts'
import { differingVars, isSameInlet, readEndpoint } from './relay-vars.ts'
import { commandOf, FLOW_PAUSE, replacedText } from './report.ts'
import { complainOf, settingsFor, type World } from './run.ts'
import { missingSettings } from './settings.ts'
import { destinationOf } from './steps/mapping.ts'
import { extrasOfSchema } from './steps/schema.ts'
import { wantedOf } from './wanted.ts'

type Given = NonNullable<Options['existing']>

export async function existing(
  options: Options,
  given: Given,
  world: World,
  config: Config,
): Promise<number> {
  const { terminal, env } = world
  const read = readEndpoint(given.endpoint, given.flowId)
  if ('wrong' in read) {
    terminal.complain(read.wrong)
    return 2
  }
  if (read.flowId === null && options.format === 'raw') {
    terminal.complain(
      'Missing: --flow-id. Adobe shows it as the Dataflow ID beside the streaming endpoint.',
    )
    return 2
  }
  const canAsk = missingSettings(env).length === 0
  if (!canAsk && options.format === 'xdm') {
    terminal.complain(
      `Missing: ${missingSettings(env).join(', ')}. xdm needs dataset, schema and tenant, which are read from AEP.`,
    )
    return 2
  }
  let own: Vars = {
    AEP_ENDPOINT: read.endpoint,
    ...(read.flowId !== null && { AEP_FLOW_ID: read.flowId }),
    AEP_FORMAT: options.format,
  }
  let findings: readonly string[] = []
  if (canAsk) {
    const settings = await settingsFor(env, terminal)
    if (!settings) return 2
    try {
      const { send } = platformClient(settings, world.io)
      const checked = await check(send, settings, read, options)
      if ('wrong' in checked) {
        terminal.complain(`${checked.wrong} wrangler.toml was not changed.`)
        return 4
      }
      own = { ...own, ...checked.vars }
      findings = checked.findings
    } catch (error) {
      return complainOf(error, terminal)
    }
  }
  const names = options.print ? [] : differingVars(config.vars ?? {}, own)
  if (names.length > 0) {
    terminal.say(`${replacedText(names, config.vars ?? {}, own, options)}\n`)
    if (options.mode === 'make' && !options.yes) {
      const answer = await terminal.confirm('Replace these settings?')
      if (!answer) {
        terminal.complain(
          answer === null
            ? 'Nothing was changed. Run again on a terminal, or with --yes, to replace them.'
            : 'Nothing was changed.',
        )
        return 4
      }
    }
  }
  const block = varsBlock(own, options.env)
  if (options.mode === 'make') terminal.say(options.print ? block : config.write(own))
  else terminal.say(`These would be the settings:\n${block}`)
  terminal.say(
    canAsk
      ? 'Checked in AEP: the dataflow, its address, its mapping and its schema.'
      : `Not checked in AEP, for lack of ${missingSettings(env).join(', ')}: whether the dataflow is enabled, and that its mapping has _id and timestamp.`,
  )
  terminal.say(FLOW_PAUSE)
  for (const finding of findings) terminal.complain(finding)
  if (findings.length === 0) terminal.say(`Next: ${commandOf('deploy', options)}`)
  return findings.length === 0 ? 0 : 4
}

type Checked =
  | { readonly vars: Vars; readonly findings: readonly string[] }
  | { readonly wrong: string }

async function check(
  send: Send,
  { orgId }: PlatformSettings,
  { endpoint, flowId }: { endpoint: string; flowId: string | null },
  options: Options,
): Promise<Checked> {
  const { format } = options
  if (flowId === null) return { wrong: 'Missing: --flow-id, to find dataset and schema by.' }
  const flow = await byFlowServiceId(send, 'flows', flowId)
  const inlet = textAt(flow, 'options', 'inletUrl')
  if (inlet !== null && !isSameInlet(inlet, endpoint)) {
    return { wrong: `The dataflow ${flowId} has another streaming endpoint: ${inlet}.` }
  }
  const findings: string[] = []
  const state = textAt(flow, 'state')
  if (state !== 'enabled')
    findings.push(
      `The dataflow is ${state ?? 'in no state'}, not enabled: AEP takes no events for it.`,
    )
  const mapping = at(flow, 'transformations', 0, 'params')
  const mappingId = textAt(mapping, 'mappingId')
  if (format === 'raw') {
    if (mappingId === null) {
      return {
        wrong: `The dataflow ${flowId} has no mapping, so it does not take raw records: use --format xdm.`,
      }
    }
    findings.push(
      ...mappingFindings(await mappingSetById(send, mappingId, at(mapping, 'mappingVersion'))),
    )
    return { vars: {}, findings }
  }
  if (mappingId !== null) {
    return {
      wrong: `The dataflow ${flowId} has a mapping, so it takes raw records: use --format raw.`,
    }
  }
  const targetId = textAt(flow, 'targetConnectionIds', 0) ?? ''
  const target = await byFlowServiceId(send, 'targetConnections', targetId)
  const stats = await send({ method: 'GET', path: `${REGISTRY}/stats` })
  const vars = {
    AEP_ORG_ID: orgId,
    AEP_DATASET_ID: textAt(target, 'params', 'dataSetId'),
    AEP_SCHEMA_ID: textAt(target, 'data', 'schema', 'id'),
    AEP_SCHEMA_VERSION: '1',
    AEP_TENANT: textAt(stats, 'tenantId'),
  }
  const absent = Object.entries(vars).find(([, value]) => value === null)
  if (absent) return { wrong: `AEP does not say ${absent[0]} of the dataflow ${flowId}.` }
  const tenant = (vars.AEP_TENANT ?? '').replace(/^_/, '')
  const wanted = wantedOf(options, tenant, '', { ids: {}, contact: false })
  const extras = await extrasOfSchema(send, vars.AEP_SCHEMA_ID ?? '', wanted)
  const more = extras.length > 0 ? { AEP_SCHEMA_EXTRAS: extras.join(',') } : {}
  return { vars: { ...(vars as Vars), ...more }, findings }
}

/** Without these two AEP takes no ExperienceEvent; Adobe's own sample mapping has neither. */
function mappingFindings(set: Json): readonly string[] {
  const filled = listAt(set, 'mappings').map(destinationOf)
  return ['_id', 'timestamp'].flatMap((path) =>
    filled.includes(path)
      ? []
      : [
          `The mapping does not fill ${path}: AEP accepts the events and drops them. Add a mapping from ${path} to ${path} in Adobe's interface.`,
        ],
  )
}
