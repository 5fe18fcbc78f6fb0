/**
 * Runs an operators' command, for the API and for the page alike, without HTTP: what it does is in the other files of this
 * folder, one function a command, by its name; here it is written to the operators' log.
 * Accepts: an action that cannot be logged has happened all the same, so that is a log line and no failure.
 */
import { logLine, nameOf } from '../../log.ts'
import type { Services } from '../../services.ts'
import { type Answer, COMMANDS, type Command, type CommandName, type Input } from '../api.ts'
import { NO_PATH } from '../input.ts'
import * as events from './events.ts'
import * as people from './people.ts'
import * as relay from './relay.ts'

/** For the operators' log alone: where the events are that a redrive has changed, and counts that are no part of the answer. */
type ForTheLog = {
  positions?: readonly number[]
  counted?: Readonly<Record<string, number>>
}

/** What runs a command. `Nothing`: `null`, where there may be no such thing. */
export type Run<Name extends CommandName, Nothing = never> = (
  services: Services,
  input: Input<Name>,
) => Promise<(Answer<Name> & ForTheLog) | Nothing>

const RUNS: { readonly [Name in CommandName]: Run<Name, null> } = {
  ...events,
  ...people,
  ...relay,
}

/**
 * `by`: `token`, or the operator's address. The log gets numbers only, never an id or an address, and no dry run. `entry`: its
 * number in the log; `null`: it is not there.
 */
export async function run<Name extends CommandName>(
  services: Services,
  by: string,
  name: Name,
  input: Input<Name>,
): Promise<{ answer: Answer<Name> | null; entry: number | null }> {
  const result = await RUNS[name](services, input)
  if (result === null) return { answer: null, entry: null }
  const { positions, counted, ...rest } = result
  const answer = rest as Answer<Name>
  const { log }: Command = COMMANDS[name]
  const isDry = (input as { dryRun?: boolean }).dryRun === true
  if (log === undefined || isDry) return { answer, entry: null }
  const numbers: Readonly<Record<string, unknown>> = { ...answer, ...counted }
  const counts = Object.fromEntries(log.counts.map((count) => [count, Number(numbers[count])]))
  const filter = filterOf(input as Readonly<Record<string, unknown>>)
  const action = { at: services.rim.now(), by, action: log.action, counts, filter }
  try {
    return { answer, entry: await services.outbox().logAction(action, positions) }
  } catch (thrown) {
    logLine('error', { event: 'action-not-logged', action: log.action, name: nameOf(thrown) })
    return { answer, entry: null }
  }
}

/** What an input asks for that is no id and nobody's: enough to know later what was acted on. */
const FILTERS = ['state', 'kind', 'code', 'path', 'source', 'day'] as const

/** `ids`: how many were named. */
function filterOf(input: Readonly<Record<string, unknown>>): Record<string, string> {
  if (!('state' in input)) return {}
  const filter = FILTERS.flatMap((name) => {
    const value = input[name]
    return value === undefined ? [] : [[name, String(value || NO_PATH)]]
  })
  const named = Array.isArray(input.ids) ? { ids: `${input.ids.length}` } : {}
  return { ...Object.fromEntries(filter), ...named }
}
