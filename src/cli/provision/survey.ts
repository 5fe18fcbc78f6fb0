/**
 * Survey: what of everything is there, and whether it is as it should be. Reads only.
 * Later steps are compared with what earlier ones found; where that is nothing, with a placeholder, so they differ.
 */
import type { Send } from '../lib/platform-client.ts'
import type { Amendment, Context, Difference, Found, Key, Step } from './step.ts'
import type { Wanted } from './wanted.ts'

export type State =
  | { readonly is: 'missing' }
  | { readonly is: 'same'; readonly found: Found }
  | {
      readonly is: 'differs'
      readonly found: Found
      readonly differences: readonly Difference[]
      /** Null: it cannot be corrected, only avoided by another name. */
      readonly amendment: Amendment | null
    }
  | { readonly is: 'ambiguous'; readonly ids: readonly string[] }

export type Surveyed = { readonly step: Step; readonly state: State }

export async function survey(
  steps: readonly Step[],
  send: Send,
  wanted: Wanted,
): Promise<readonly Surveyed[]> {
  const known = new Map<Key, Found>()
  const surveyed: Surveyed[] = []
  for (const step of steps) {
    const state = await stateOf(step, { send, wanted, known })
    if (state.is === 'same' || state.is === 'differs') known.set(step.key, state.found)
    surveyed.push({ step, state })
  }
  return surveyed
}

/** What is there of it, as it should be or not. */
export function foundIn(surveyed: readonly Surveyed[]): ReadonlyMap<Key, Found> {
  return new Map(
    surveyed.flatMap(({ step, state }) => ('found' in state ? [[step.key, state.found]] : [])),
  )
}

export async function stateOf(step: Step, context: Context): Promise<State> {
  const [found, ...others] = await step.find(context)
  if (!found) return { is: 'missing' }
  if (others.length > 0) return { is: 'ambiguous', ids: [found, ...others].map(({ id }) => id) }
  const differences = step.compare(found, context)
  if (differences.length === 0) return { is: 'same', found }
  const amendment = step.amend?.(found, differences, context) ?? null
  return { is: 'differs', found, differences, amendment }
}

/** It cannot be corrected, only avoided by another name. */
export function isUnavoidable({ state }: Surveyed): boolean {
  return state.is === 'differs' && state.amendment === null
}
