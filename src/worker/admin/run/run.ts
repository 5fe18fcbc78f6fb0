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

/** `entry`: its number in the operators' log; `null`: it is not there. */
type Done<Name extends CommandName> = { answer: Answer<Name> | null; entry: number | null }

export async function run<Name extends CommandName>(
  services: Services,
  by: string,
  name: Name,
  input: Input<Name>,
): Promise<Answer<Name> | null> {
  return (await runOnRecord(services, by, name, input)).answer
}

/** `by`: `token`, or the operator's address. The log gets numbers only, never an id or an address, and no dry run. */
export async function runOnRecord<Name extends CommandName>(
  services: Services,
  by: string,
  name: Name,
  input: Input<Name>,
): Promise<Done<Name>> {
  const { log }: Command = COMMANDS[name]
  const result = await RUNS[name](services, input)
  if (result === null) return { answer: null, entry: null }
  const { positions, counted, ...rest } = result
  const answer = rest as Answer<Name>
  const isDry = (input as { dryRun?: boolean }).dryRun === true
  if (log === undefined || isDry) return { answer, entry: null }
  const numbers: Readonly<Record<string, unknown>> = { ...answer, ...counted }
  const counts = Object.fromEntries(
    log.counts.flatMap((count) => (count in numbers ? [[count, Number(numbers[count])]] : [])),
  )
  const filter = filterOf(input as Readonly<Record<string, unknown>>)
  try {
    const action = { at: services.rim.now(), by, action: log.action, counts, filter }
    return { answer, entry: await services.outbox().logAction(action, positions) }
  } catch (thrown) {
    const name = nameOf(thrown)
    logLine('error', { event: 'action-not-logged', action: log.action, name })
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
