/**
 * Dry run: every request, secrets masked. What only reads is sent, so that the plan is the real one; what would make
 * or change something is printed with placeholders for ids that do not exist yet.
 */
import { type ApiRequest, shownRequest, shownTokenRequest } from '../lib/platform-request.ts'
import { refusal } from './make.ts'
import { previewRequest } from './preview.ts'
import { called, heading, planText } from './report.ts'
import { complainOf, type Run } from './run.ts'
import type { Context, Found, Key } from './step.ts'
import { type Surveyed, survey } from './survey.ts'

/** `sent`: what the client has sent so far, and goes on being told. */
export async function dryRun(run: Run, sent: readonly ApiRequest[]): Promise<number> {
  const { world, steps, api, wanted, settings } = run
  const { terminal } = world
  let surveyed: readonly Surveyed[]
  try {
    surveyed = await survey(steps, api.send, wanted)
  } catch (error) {
    return complainOf(error, terminal)
  }
  terminal.say(heading(settings, wanted))
  terminal.say('\nSent, to see what is there. These only read:\n')
  terminal.say(shownTokenRequest(settings.imsUrl, settings.scopes))
  for (const request of sent) terminal.say(shownRequest(request, settings))
  const refused = refusal(surveyed, run)
  if (refused !== null) return refused
  const known = new Map<Key, Found>()
  for (const { step, state } of surveyed) if ('found' in state) known.set(step.key, state.found)
  const context: Context = { send: api.send, wanted, known }
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
  terminal.say(`\n${planText(surveyed, wanted)}`)
  return 0
}
