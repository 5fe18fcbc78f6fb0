/**
 * Apply: goes through the steps in order and makes what is missing.
 *
 * Promises: each thing is looked up once more before it is made, by its name, so that a run that was stopped anywhere,
 * or whose answer was lost, makes nothing twice. Nothing is amended unless `mayAmend`. What exists so far is in
 * `done`, also when it throws.
 */
import type { PlatformClient } from '../lib/platform-client.ts'
import { PlatformError } from '../lib/platform-error.ts'
import type { Context, Found, Key, Step } from './step.ts'
import { type State, stateOf } from './survey.ts'
import type { Wanted } from './wanted.ts'

type Outcome = 'found' | 'made' | 'changed'
export type Done = { readonly step: Step; readonly found: Found; readonly outcome: Outcome }

/** What can end a run besides Adobe's own refusal. `exit` is the exit code. */
export class Stopped extends Error {
  readonly exit: 1 | 3 | 4
  readonly step: Step

  constructor(exit: 1 | 3 | 4, step: Step, message: string) {
    super(message)
    this.exit = exit
    this.step = step
  }
}

export class StepFailed extends Error {
  readonly step: Step
  override readonly cause: PlatformError

  constructor(step: Step, cause: PlatformError) {
    super(cause.message)
    this.step = step
    this.cause = cause
  }
}

type Hooks = {
  /** Before a thing is made or changed: the last chance to stop. */
  before(step: Step, state: State, context: Context): Promise<void>
  done(done: Done): void
}

type Order = {
  readonly api: PlatformClient
  readonly wanted: Wanted
  readonly mayAmend: boolean
}

export async function apply(
  steps: readonly Step[],
  { api, wanted, mayAmend }: Order,
  hooks: Hooks,
): Promise<ReadonlyMap<Key, Found>> {
  const known = new Map<Key, Found>()
  const context: Making = { send: api.send, sendOnce: api.sendOnce, wanted, known }
  for (const step of steps) {
    const { found, outcome } = await settle(step, context, mayAmend, hooks).catch((error) => {
      throw error instanceof PlatformError ? new StepFailed(step, error) : error
    })
    known.set(step.key, found)
    hooks.done({ step, found, outcome })
  }
  return known
}

type Making = Context & Pick<PlatformClient, 'sendOnce'>
type Settled = { readonly found: Found; readonly outcome: Outcome }

async function settle(
  step: Step,
  context: Making,
  mayAmend: boolean,
  hooks: Hooks,
): Promise<Settled> {
  const state = await stateOf(step, context)
  switch (state.is) {
    case 'same':
      return { found: state.found, outcome: 'found' }
    case 'ambiguous':
      throw new Stopped(
        3,
        step,
        `there are ${state.ids.length} of that name: ${state.ids.join(', ')}`,
      )
    case 'missing':
      await hooks.before(step, state, context)
      return { found: await make(step, context), outcome: 'made' }
    case 'differs':
      if (!state.amendment || !mayAmend)
        throw new Stopped(4, step, 'it differs from what it should be')
      await hooks.before(step, state, context)
      return amended(step, state, context)
  }
}

async function make(step: Step, context: Making): Promise<Found> {
  const look = async () => (await step.find(context))[0] ?? null
  const result = await context.sendOnce(step.create(context), look).catch(async (error) => {
    // Somebody made it between the look-up and now.
    const isTaken = error instanceof PlatformError && error.refusal.status === 409
    const settled = isTaken ? await look() : null
    if (settled) return { settled }
    throw error
  })
  const found = 'settled' in result ? result.settled : step.made(result.answer, context)
  if (found) return found
  throw new Stopped(1, step, 'Adobe accepted it, and its answer has no id')
}

const CONFLICTS = 3

/** A change that somebody else makes at the same moment (412) is looked at again, and not overwritten. */
async function amended(
  step: Step,
  first: Extract<State, { is: 'differs' }>,
  context: Making,
): Promise<Settled> {
  let state: State = first
  for (let tried = 1; ; tried += 1) {
    if (state.is === 'same') return { found: state.found, outcome: 'changed' }
    if (state.is !== 'differs' || !state.amendment) break
    try {
      const result = await context.sendOnce(state.amendment.request, async () => {
        const now = await stateOf(step, context)
        return now.is === 'same' ? now.found : null
      })
      if ('settled' in result) return { found: result.settled, outcome: 'changed' }
      const made = state.amendment.replaces ? step.made(result.answer, context) : null
      return { found: made ?? state.found, outcome: 'changed' }
    } catch (error) {
      const isConflict = error instanceof PlatformError && error.refusal.status === 412
      if (!isConflict || tried >= CONFLICTS) throw error
      state = await stateOf(step, context)
    }
  }
  throw new Stopped(4, step, 'it changed meanwhile')
}
