/** Report: what a person reads of a survey and of a run. Pure. */

import { commandLine } from '../lib/command.ts'
import type { PlatformSettings } from '../lib/platform-client.ts'
import { adviceOn } from '../lib/platform-error.ts'
import { at, type Json, textAt } from '../lib/platform-request.ts'
import { COLUMNS, marked, wrap } from '../lib/style.ts'
import { placeOf, type Vars } from '../lib/wrangler-toml.ts'
import { type Done, StepFailed, type Stopped } from './apply.ts'
import type { Options } from './options.ts'
import type { Step } from './step.ts'
import type { State, Surveyed } from './survey.ts'
import type { Wanted } from './wanted.ts'

export function heading({ orgId, sandbox }: PlatformSettings, wanted: Wanted): string {
  const kind = wanted.format === 'raw' ? 'raw, mapped by Data Prep' : 'xdm'
  const inlet = wanted.authenticated ? 'authenticated' : 'without authentication'
  return wrap(
    `Organization ${orgId}, sandbox ${sandbox}, tenant ${wanted.tenant}: ${kind}, ${inlet}`,
  )
}

/** `state`: what is there of it, if that is known. */
export function called(step: Step, wanted: Wanted, state: State | Done | null = null): string {
  return `${step.title} "${nameOf(step, wanted, state)}"`
}

/** As Adobe calls it, where it is known by its id. */
function nameOf(step: Step, wanted: Wanted, state: State | Done | null): string {
  const isById = wanted.ids[step.key] !== undefined
  const body = isById && state !== null && 'found' in state ? state.found.body : null
  return textAt(body, 'name') ?? textAt(body, 'title') ?? step.name(wanted)
}

/** What has been made or changed, its id on the same line where there is room. */
export function doneLine(done: Done, wanted: Wanted): string {
  const [start, hanging] = [done.outcome.padEnd(8), ' '.repeat(10)]
  const [what, { id }] = [called(done.step, wanted, done), done.found]
  const line = `${start}${what}  ${id}`
  if (line.length <= BESIDE_MARK) return line
  return `${wrap(what, start, hanging, BESIDE_MARK)}\n${hanging}${id}`
}

/** On a terminal a mark and two blanks stand before it. */
const BESIDE_MARK = COLUMNS - 3

const PLANNED = { missing: 'make', same: 'keep', differs: 'change', ambiguous: '?' } as const

/** One line each, and what is worth knowing below it. */
export function planText(surveyed: readonly Surveyed[], wanted: Wanted): string {
  return surveyed
    .flatMap((one) => {
      const { step, state } = one
      const remark =
        state.is === 'missing' ? step.forever : state.is === 'differs' && state.amendment?.what
      return [
        row(PLANNED[state.is].padEnd(8), `${step.title} ${nameOf(step, wanted, state)}`),
        ...(remark ? [row(' '.repeat(8), `  ${remark}`)] : []),
      ]
    })
    .join('\n')
}

/** Wrapped below its own beginning. */
function row(start: string, text: string): string {
  const more = /^ */.exec(text)?.[0] ?? ''
  const hanging = ' '.repeat(start.length) + more
  return wrap(text.trim(), start + more, more === '' ? `${hanging}  ` : hanging)
}

const SHOWN_DIFFERENCES = 20

/** What differs has a line for each difference. */
export function statusText(surveyed: readonly Surveyed[], wanted: Wanted): string {
  return surveyed
    .flatMap((one) => {
      const { title } = one.step
      const [state, ...details] = remarks(one)
      return [
        marked(
          one.state.is === 'same',
          `${title} ${nameOf(one.step, wanted, one.state)}: ${state}`,
          '    ',
        ),
        ...details.map((detail) => wrap(detail, '    ', '      ')),
      ]
    })
    .join('\n')
}

function remarks({ state }: Surveyed): readonly string[] {
  if (state.is === 'same') return ['as it should be', state.found.id]
  if (state.is === 'missing') return ['missing']
  if (state.is === 'ambiguous') return ['ambiguous', state.ids.join(', ')]
  const shown = state.differences.slice(0, SHOWN_DIFFERENCES)
  const more = state.differences.length - shown.length
  return [
    'differs',
    ...shown.map(
      ({ field, expected, found }) => `${field}: ${short(found)}, should be ${short(expected)}`,
    ),
    ...(more > 0 ? [`and ${more} more`] : []),
  ]
}

const SHORT = 100

function short(text: string): string {
  return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text
}

/** What would be replaced in wrangler.toml: old above new. */
export function replacedText(
  names: readonly string[],
  there: Vars,
  should: Vars,
  { config, env }: Options,
): string {
  return [
    `In ${placeOf(env)} of ${config} this replaces:`,
    ...names.flatMap((name) => [
      `  ${name}`,
      `    old  ${there[name]}`,
      `    new  ${should[name]}`,
    ]),
    'To keep it, and set up another environment beside it, give --env NAME.',
  ].join('\n')
}

export function ambiguousText(surveyed: readonly Surveyed[], wanted: Wanted): string {
  const lines = surveyed.flatMap(({ step, state }) =>
    state.is === 'ambiguous' ? [`  ${called(step, wanted)}: ${state.ids.join(', ')}`] : [],
  )
  return `${wrap('There are two of one name, and only you can tell which one is meant. Nothing was changed.')}\n${lines.join('\n')}
Rename or delete the other one in Adobe, or use another --name.`
}

export function differsText(surveyed: readonly Surveyed[], wanted: Wanted): string {
  const differing = surveyed.filter(({ state }) => state.is === 'differs')
  const mendable = differing.every(
    ({ state }) => state.is === 'differs' && state.amendment !== null,
  )
  const hint = mendable
    ? 'Run again on a terminal, or with --yes, to change them.'
    : wrap(
        'These cannot be changed without breaking what uses them: use another --name, or correct them in Adobe.',
      )
  return `${wrap('Something of these names exists and is not what the relay needs. Nothing was changed.')}\n${statusText(differing, wanted)}\n${hint}`
}

export const UNEXPLAINED =
  'Adobe does not take this request. If its message does not explain why, run with --dry-run --requests to see what is sent.'

/** Why a run ended, what usually causes that, and what there is so far. */
export function failureText(
  error: StepFailed | Stopped,
  done: readonly Done[],
  wanted: Wanted,
): string {
  const lines: string[] = []
  if (error instanceof StepFailed) {
    lines.push(wrap(`${called(error.step, wanted)}: ${error.message}`))
    lines.push(wrap(adviceOn(error.cause, error.step.permission, UNEXPLAINED)))
  } else lines.push(wrap(`${called(error.step, wanted)}: ${error.message}.`))
  if (done.length > 0) {
    lines.push('So far there is:')
    lines.push(
      ...done.map((one) => `  ${called(one.step, wanted, one)}, ${one.outcome}: ${one.found.id}`),
    )
  }
  lines.push(
    wrap(
      'wrangler.toml was not changed. Run the same command again: it continues from here and makes nothing twice.',
    ),
  )
  return lines.join('\n')
}

const MINUTE_MS = 60_000

export const FLOW_PAUSE =
  'Wait five minutes before any event is sent: AEP may drop data in the first five minutes of a new or changed dataflow.'
const SCHEMA_PAUSE =
  'The schema is new or changed: it can take up to fifteen minutes until AEP validates by it everywhere.'

/** Of a schema that an earlier version made: the relay sends the new fields as soon as it is deployed. */
const DEPLOY_PAUSE =
  'Deploy when they are over: an event with a new field may be dropped until then.'

/** What to wait for, and what to do next. A run before this one may have made it a moment ago. */
export function nextText(
  done: readonly Done[],
  { authenticated, format }: Wanted,
  options: Options,
  now: number,
): string {
  const touched = (keys: readonly string[], minutes: number) =>
    done.some(
      ({ step, outcome, found }) =>
        keys.includes(step.key) &&
        (outcome !== 'found' || changedAt(found.body) > now - minutes * MINUTE_MS),
    )
  const lines: string[] = []
  if (touched(['flow'], 5)) lines.push(FLOW_PAUSE)
  if (touched(['fieldGroup', 'schema', 'union'], 15)) {
    const isUpgrade = format === 'xdm' && done.some(({ outcome }) => outcome === 'changed')
    lines.push(isUpgrade ? `${SCHEMA_PAUSE} ${DEPLOY_PAUSE}` : SCHEMA_PAUSE)
  }
  if (authenticated) {
    lines.push(
      'The endpoint is authenticated: have AEP_CLIENT_SECRET in the environment of the deploy, or in the file of its --env-file. It stores it as a secret.',
    )
  }
  // On one line, however long it is: it is copied.
  return [...lines.map((line) => wrap(line)), `Next: ${commandOf('deploy', options)}`].join('\n')
}

/** In milliseconds; 0 where Adobe does not say. */
function changedAt(body: Json): number {
  const times = [at(body, 'updatedAt'), at(body, 'meta:registryMetadata', 'repo:lastModifiedDate')]
  return Math.max(0, ...times.map((time) => Number(time) || 0))
}

/** A command for the same environment and file, to be run as it is. */
export function commandOf(
  name: 'deploy' | 'provision',
  options: Options,
  ...more: string[]
): string {
  const own =
    name === 'provision'
      ? [
          ...(options.isNamed ? ['--name', options.name] : []),
          ...(options.dataset === null ? [] : ['--dataset', options.dataset]),
          ...(options.profile ? ['--profile'] : []),
        ]
      : []
  return commandLine(name, options, ...own, ...more)
}
