/**
 * Make: the plan, a question where something cannot be undone or is not ours, then everything in order, and the
 * relay's variables at the very end: a run that stops on the way records nothing here.
 */
import { PlatformError } from '../lib/platform-error.ts'
import { wrap } from '../lib/style.ts'
import { messageOf } from '../lib/text.ts'
import { type Vars, varsBlock } from '../lib/wrangler-toml.ts'
import { apply, type Done, StepFailed, Stopped } from './apply.ts'
import { previewRequest, readPreview } from './preview.ts'
import {
  asMeant,
  differingVars,
  extrasOf,
  relayVars,
  untilEnabled,
  withInlet,
} from './relay-vars.ts'
import {
  ambiguousText,
  called,
  differsText,
  doneLine,
  failureText,
  heading,
  nextText,
  planText,
  replacedText,
} from './report.ts'
import { complainOf, type Run } from './run.ts'
import type { Context, Step } from './step.ts'
import { foundIn, isUnavoidable, type State, type Surveyed, survey } from './survey.ts'

const UNCHANGED = 'Everything is there and as it should be: nothing was changed in AEP.'

/** `write` gets the variables, and says what it did with them. */
export async function make(run: Run, write: (vars: Vars) => string): Promise<number> {
  const { world, steps, api, wanted, settings } = run
  const { terminal, io } = world
  let surveyed: readonly Surveyed[]
  try {
    surveyed = await survey(steps, api.send, wanted)
  } catch (error) {
    return complainOf(error, terminal)
  }
  const refused = refusal(surveyed, run)
  if (refused !== null) return refused
  const todo = surveyed.filter(({ state }) => state.is !== 'same')
  terminal.say(heading(settings, wanted))
  terminal.say(planText(surveyed, wanted))
  terminal.say()
  const consent = await consented(surveyed, await replacedBy(surveyed, run), run)
  if (consent !== 'given') return consent
  const done: Done[] = []
  const progress = hooks(run, done)
  try {
    const known = await apply(steps, { api, wanted, mayAmend: true }, progress)
    const end = terminal.busy('Waiting until Adobe has enabled the dataflow')
    const enabled = await untilEnabled(api.send, known, io.sleep).catch((error) => {
      end('Could not ask whether the dataflow is enabled')
      throw error instanceof PlatformError && steps.at(-1)
        ? new StepFailed(steps.at(-1) as Step, error)
        : error
    })
    if ('state' in enabled) {
      end(`The dataflow is ${enabled.state}`)
      throw new Stopped(1, steps.at(-1) as Step, `Adobe has not enabled it yet (${enabled.state})`)
    }
    end('The dataflow is enabled')
    const vars = relayVars(wanted, enabled.known, settings, run.vars ?? {}, extrasOf(wanted))
    if (vars === null) throw new Stopped(1, steps.at(-1) as Step, 'it has no streaming endpoint')
    if (todo.length === 0) terminal.say(UNCHANGED)
    if (!record(vars, run, write)) return 2
    terminal.say(nextText(done, wanted, run.options, Date.now()))
    return 0
  } catch (error) {
    progress.failed()
    if (!(error instanceof StepFailed || error instanceof Stopped)) throw error
    terminal.complain(failureText(error, done, wanted))
    return error instanceof Stopped ? error.exit : 1
  }
}

/** A file that cannot be written must not hide what was made: then the settings are shown. */
function record(made: Vars, run: Run, write: (vars: Vars) => string): boolean {
  const { options, world } = run
  const { terminal } = world
  const isNamed = options.env === null || run.vars?.ENVIRONMENT !== undefined
  const vars = isNamed ? made : { ...made, ENVIRONMENT: options.env ?? '' }
  try {
    terminal.say(options.print ? `\n${varsBlock(vars, options.env)}` : write(vars))
    return true
  } catch (error) {
    const why = messageOf(error)
    terminal.complain(`${options.config} could not be written (${why}). These are the settings:`)
    terminal.say(varsBlock(vars, options.env))
    return false
  }
}

/** The exit code, where nothing may be begun. */
export function refusal(surveyed: readonly Surveyed[], { wanted, world }: Run): number | null {
  if (surveyed.some(({ state }) => state.is === 'ambiguous')) {
    world.terminal.complain(ambiguousText(surveyed, wanted))
    return 3
  }
  if (surveyed.some(isUnavoidable)) {
    world.terminal.complain(differsText(surveyed, wanted))
    return 4
  }
  return null
}

/**
 * What of wrangler.toml would be replaced, as text: an endpoint or a dataflow that is set may be production's. Null:
 * nothing.
 */
export async function replacedBy(surveyed: readonly Surveyed[], run: Run): Promise<string | null> {
  const { wanted, settings, api, options, vars: there } = run
  if (there === null || options.print) return null
  const known = foundIn(surveyed)
  const isNew = !known.has('flow')
  const should = isNew
    ? {
        AEP_ENDPOINT: 'that of the new dataflow',
        AEP_FLOW_ID: 'that of the new dataflow',
        AEP_FORMAT: wanted.format,
      }
    : relayVars(wanted, await withInlet(api.send, known), settings, there, extrasOf(wanted))
  if (should === null) return null
  const names = differingVars(asMeant(there), should)
  const isVital = names.some((name) => /^AEP_(ENDPOINT|FLOW_ID|FORMAT)$/.test(name))
  return isVital ? replacedText(names, there, should, options) : null
}

async function consented(
  surveyed: readonly Surveyed[],
  replaced: string | null,
  run: Run,
): Promise<'given' | 2 | 4> {
  const { terminal } = run.world
  const amendments = surveyed.filter(({ state }) => state.is === 'differs')
  const making = surveyed.filter(({ state }) => state.is === 'missing')
  const intoProfile = making.some(({ step }) => step.key === 'union') || amendments.some(isTagging)
  for (const { step, state } of amendments) {
    if (state.is !== 'differs' || !state.amendment) continue
    terminal.say(
      wrap(
        `${called(step, run.wanted, state)} exists already. This would ${state.amendment.what}.`,
      ),
    )
  }
  if (intoProfile) {
    terminal.say(
      'Enabling the schema for Real-Time Customer Profile cannot be undone: it stays enabled as long as it exists.',
    )
  }
  if (replaced !== null) terminal.say(`${replaced}\n`)
  const changesAep = making.length + amendments.length > 0
  if ((!changesAep && replaced === null) || run.options.yes) return 'given'
  if (terminal.isInteractive) {
    const also = replaced === null ? '' : ', and replace these settings'
    const place = `sandbox ${run.settings.sandbox}`
    const question = changesAep ? `Do this in ${place}${also}?` : 'Replace these settings?'
    if (await terminal.confirm(question)) return 'given'
    terminal.complain('Nothing was changed.')
    return replaced === null ? 2 : 4
  }
  if (replaced !== null) {
    terminal.complain(
      wrap(
        'Another dataflow would take the place of the one that is set there. Nothing was changed. Run again on a terminal, or with --yes, to replace it.',
      ),
    )
    return 4
  }
  if (intoProfile) {
    terminal.complain(
      '--profile needs a confirmation, since it cannot be undone. Missing: --yes. Nothing was changed.',
    )
    return 2
  }
  if (amendments.length === 0) return 'given'
  terminal.complain(differsText(surveyed, run.wanted))
  return 4
}

function isTagging({ step }: Surveyed): boolean {
  return step.key === 'dataset'
}

function hooks({ wanted, world }: Run, done: Done[]) {
  let isPreviewed = false
  let end: ((outcome: string) => void) | null = null
  return {
    async before(step: Step, state: State, context: Context) {
      const usesMapping = step.key === 'mapping' || step.key === 'flow'
      if (wanted.format === 'raw' && usesMapping && !isPreviewed) {
        isPreviewed = true
        await previewed(step, context, world)
      }
      const verb = state.is === 'missing' ? 'Making' : 'Changing'
      end = world.terminal.isInteractive
        ? world.terminal.busy(`${verb} ${called(step, wanted, state)}`)
        : null
    },
    /** What still moves on the terminal would keep the process alive. */
    failed() {
      end?.('Failed')
      end = null
    },
    done(one: Done) {
      done.push(one)
      if (one.outcome === 'found') return
      const line = doneLine(one, wanted)
      if (end) end(line)
      else world.terminal.say(line)
      end = null
    },
  }
}

async function previewed(step: Step, context: Context, { terminal }: Run['world']): Promise<void> {
  const { problems, empty } = readPreview(await context.send(previewRequest(context)), context)
  if (problems.length > 0) {
    throw new Stopped(
      1,
      step,
      `Data Prep does not map our samples as it should: ${problems.join('; ')}. AEP would drop every event, so no dataflow was made. If the schema has just been made or changed, wait fifteen minutes and run the same command again`,
    )
  }
  if (empty.includes('identityMap')) {
    terminal.complain(
      'Data Prep leaves identityMap empty: the events reach the dataset, but not Real-Time Customer Profile.',
    )
  }
  if (empty.length > 0) {
    terminal.say(
      `Data Prep leaves these fields empty, though the sample has values: ${empty.join(', ')}`,
    )
  }
}
