/** Look: the modes that change nothing: `--status` compares, `--dry-run` shows what a run would do. */
import type { SchemaExtra } from '../../worker/chatlio/fields.ts'
import { type ApiRequest, shownRequest, shownTokenRequest } from '../lib/platform-request.ts'
import { wrap } from '../lib/style.ts'
import { placeOf } from '../lib/wrangler-toml.ts'
import { refusal, replacedBy } from './make.ts'
import { previewRequest } from './preview.ts'
import { asMeant, differingVars, extrasOf, listed, relayVars, withInlet } from './relay-vars.ts'
import { called, commandOf, heading, planText, statusText } from './report.ts'
import { complainOf, type Run } from './run.ts'
import type { Context, Found, Key } from './step.ts'
import { foundIn, type Surveyed, survey } from './survey.ts'

/** 4 when something differs, `wrangler.toml` included. */
export async function status(run: Run): Promise<number> {
  const { world, steps, api, wanted, settings, vars, options } = run
  const { terminal } = world
  let surveyed: readonly Surveyed[]
  let known: ReadonlyMap<Key, Found>
  try {
    surveyed = await survey(steps, api.send, wanted)
    known = await withInlet(api.send, foundIn(surveyed))
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
  const own = vars === null ? [] : ownFindings(run, known, extrasIn(surveyed, run))
  for (const finding of own) terminal.say(wrap(`${options.config}: ${finding}`, '', '    '))
  const inAep = surveyed.filter(({ state }) => state.is !== 'same').length
  if (inAep + own.length === 0) {
    terminal.say('Everything is as it should be.')
    return 0
  }
  const command = commandOf('provision', options, '--format', wanted.format)
  terminal.complain(
    wrap(
      run.wrong === null
        ? `${inAep + own.length} of these are not as they should be. \`${command} --dry-run\` shows what would make them right.`
        : `${inAep + own.length} of these are not as they should be.`,
    ),
  )
  return 4
}

/** What is not as it should be in wrangler.toml, as sentences without its name. */
function ownFindings(
  { wanted, settings, options, wrong, vars }: Run,
  known: ReadonlyMap<Key, Found>,
  extras: readonly SchemaExtra[],
): readonly string[] {
  const there = asMeant(vars ?? {})
  if (wrong !== null) return [wrong]
  if (there.AEP_ENDPOINT === undefined) {
    return [
      `no AEP_ENDPOINT is set in ${placeOf(options.env)}, so the relay stores everything and relays nothing. \`${commandOf('provision', options)}\` writes the settings.`,
    ]
  }
  const should = relayVars(wanted, known, settings, there, extras)
  if (should === null) return []
  const differing = differingVars(there, should)
  const missing = Object.keys(should).filter((name) => there[name] === undefined)
  const has: readonly string[] = extras
  const lacking = listed(there.AEP_SCHEMA_EXTRAS ?? '').filter((one) => !has.includes(one))
  return [
    ...(lacking.length > 0 && wanted.format === 'xdm'
      ? [
          `AEP_SCHEMA_EXTRAS has ${lacking.join(', ')}, which the schema lacks: AEP refuses every event with such a field.`,
        ]
      : []),
    ...differing.map((name) => `${name} is ${there[name]}, should be ${should[name]}`),
    ...missing
      .filter((name) => name !== 'AEP_SCHEMA_VERSION' && name !== 'AEP_FORMAT')
      .map((name) => `${name} is not set, should be ${should[name]}`),
  ]
}

/** What the schema there has beyond the first version of the field group. */
function extrasIn(surveyed: readonly Surveyed[], { wanted }: Run): readonly SchemaExtra[] {
  const isComplete = (key: Key) =>
    surveyed.some(({ step, state }) => step.key === key && state.is === 'same')
  if (!isComplete('fieldGroup')) return []
  return isComplete('schema') ? extrasOf(wanted) : ['chat']
}

/**
 * The plan; with `--requests` every request, secrets masked. What only reads is sent, so that the plan is the real one;
 * what would make or change something is printed with placeholders for ids that do not exist yet. `sent`: what the
 * client has sent so far, and goes on being told.
 */
export async function dryRun(run: Run, sent: readonly ApiRequest[]): Promise<number> {
  const { world, steps, api, wanted, settings, options } = run
  const { terminal } = world
  let surveyed: readonly Surveyed[]
  let replaced: string | null
  try {
    surveyed = await survey(steps, api.send, wanted)
    replaced = await replacedBy(surveyed, run)
  } catch (error) {
    return complainOf(error, terminal)
  }
  terminal.say(heading(settings, wanted))
  if (options.requests) {
    terminal.say('\nSent, to see what is there. These only read:\n')
    terminal.say(shownTokenRequest(settings.imsUrl, settings.scopes))
    for (const request of sent) terminal.say(shownRequest(request, settings))
  }
  const refused = refusal(surveyed, run)
  if (refused !== null) return refused
  if (options.requests) showUnsent(surveyed, run)
  terminal.say(planText(surveyed, wanted))
  if (replaced !== null) terminal.say(`\n${replaced}`)
  terminal.say('\nNothing was changed.')
  if (!options.requests) terminal.say('--requests shows every request, secrets masked.')
  return 0
}

function showUnsent(surveyed: readonly Surveyed[], run: Run): void {
  const { api, wanted, settings } = run
  const { terminal } = run.world
  const context: Context = { send: api.send, wanted, known: foundIn(surveyed) }
  const todo = surveyed.flatMap(({ step, state }) => {
    if (state.is === 'missing') return [{ step, request: step.create(context) }]
    return state.is === 'differs' && state.amendment
      ? [{ step, request: state.amendment.request }]
      : []
  })
  terminal.say(
    todo.length > 0
      ? '\nNot sent. These would make or change something:\n'
      : '\nNothing to make or change.',
  )
  for (const { step, request } of todo) {
    terminal.say(`# ${called(step, wanted)}`)
    if (step.key === 'mapping') terminal.say(shownRequest(previewRequest(context), settings))
    terminal.say(shownRequest(request, settings))
  }
  terminal.say()
}
