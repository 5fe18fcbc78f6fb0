/** Status: everything compared with what it should be, `wrangler.toml` included. Reads only; 4 when something differs. */
import type { Vars } from '../lib/wrangler-toml.ts'
import { byFlowServiceId } from './lookup.ts'
import { differingVars, inletOf, relayVars } from './relay-vars.ts'
import { heading, statusText } from './report.ts'
import { complainOf, type Run } from './run.ts'
import type { Found, Key } from './step.ts'
import { type Surveyed, survey } from './survey.ts'

/** `vars`: `[vars]` of wrangler.toml; null when there is nothing to compare. */
export async function status(run: Run, vars: Vars | null): Promise<number> {
  const { world, steps, api, wanted, settings } = run
  const { terminal } = world
  let surveyed: readonly Surveyed[]
  let known: ReadonlyMap<Key, Found>
  try {
    surveyed = await survey(steps, api.send, wanted)
    known = await withInlet(surveyed, run)
  } catch (error) {
    return complainOf(error, terminal)
  }
  terminal.say(heading(settings, wanted))
  terminal.say(statusText(surveyed, wanted))
  if (surveyed.some(({ state }) => state.is === 'ambiguous')) {
    terminal.complain(
      'There are two of one name: rename or delete the other one in Adobe, or use another --name.',
    )
    return 3
  }
  const inAep = surveyed.filter(({ state }) => state.is !== 'same').length
  const should = relayVars(wanted, known, settings)
  const differing = should && vars ? differingVars(vars, should) : []
  for (const name of differing) {
    terminal.say(`wrangler.toml: ${name} is ${vars?.[name]}, should be ${should?.[name]}`)
  }
  if (should && vars && vars.AEP_ENDPOINT === undefined) {
    terminal.say('wrangler.toml: AEP_ENDPOINT is not set there.')
  }
  if (inAep + differing.length === 0) {
    terminal.say('Everything is as it should be.')
    return 0
  }
  terminal.complain(
    `${inAep + differing.length} of these are not as they should be. npm run provision makes what is missing.`,
  )
  return 4
}

/** The address stands in the base connection where a flow does not show it. */
async function withInlet(
  surveyed: readonly Surveyed[],
  { api }: Run,
): Promise<ReadonlyMap<Key, Found>> {
  const known = new Map<Key, Found>()
  for (const { step, state } of surveyed) {
    if (state.is === 'same' || state.is === 'differs') known.set(step.key, state.found)
  }
  const base = known.get('base')
  if (inletOf(known) === null && base) {
    known.set('base', {
      id: base.id,
      body: await byFlowServiceId(api.send, 'connections', base.id),
    })
  }
  return known
}
