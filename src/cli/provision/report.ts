/** Report: what a person reads of a survey and of a run. Pure. */

import type { PlatformSettings } from '../lib/platform-client.ts'
import { adviceOn } from '../lib/platform-error.ts'
import { table } from '../lib/terminal.ts'
import { type Done, StepFailed, Stopped } from './apply.ts'
import type { Step } from './step.ts'
import type { Surveyed } from './survey.ts'
import type { Wanted } from './wanted.ts'

export function heading({ orgId, sandbox }: PlatformSettings, wanted: Wanted): string {
  const kind = wanted.format === 'raw' ? 'raw, mapped by Data Prep' : 'xdm'
  const inlet = wanted.authenticated ? 'authenticated' : 'without authentication'
  return `Organization ${orgId}, sandbox ${sandbox}, tenant ${wanted.tenant}: ${kind}, ${inlet}`
}

export function called(step: Step, wanted: Wanted): string {
  return `${step.title} "${step.name(wanted)}"`
}

const PLANNED = { missing: 'make', same: 'keep', differs: 'change', ambiguous: '?' } as const

export function planText(surveyed: readonly Surveyed[], wanted: Wanted): string {
  const rows = surveyed.map(({ step, state }) => {
    const remark =
      state.is === 'missing' ? step.forever : state.is === 'differs' ? state.amendment?.what : ''
    return [PLANNED[state.is], step.title, step.name(wanted), remark ?? '']
  })
  return table(['Plan', 'What', 'Name', ''], rows)
}

const SHOWN_DIFFERENCES = 20

/** Also the table of what differs, which has only the rows that are not well. */
export function statusText(surveyed: readonly Surveyed[], wanted: Wanted): string {
  const rows = surveyed.flatMap((one) =>
    remarks(one).map(([state, detail]) => [one.step.title, one.step.name(wanted), state, detail]),
  )
  return table(['What', 'Name', 'State', ''], rows)
}

type Remark = readonly [state: string, detail: string]

function remarks({ state }: Surveyed): readonly Remark[] {
  if (state.is === 'same') return [['as it should be', state.found.id]]
  if (state.is === 'missing') return [['missing', '']]
  if (state.is === 'ambiguous') return [['ambiguous', state.ids.join(', ')]]
  const shown = state.differences.slice(0, SHOWN_DIFFERENCES)
  const more = state.differences.length - shown.length
  return [
    ...shown.map(
      ({ field, expected, found }): Remark => [
        'differs',
        `${field}: ${short(found)}, should be ${short(expected)}`,
      ],
    ),
    ...(more > 0 ? [['differs', `and ${more} more`] as const] : []),
  ]
}

const SHORT = 100

function short(text: string): string {
  return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text
}

export function ambiguousText(surveyed: readonly Surveyed[], wanted: Wanted): string {
  const lines = surveyed.flatMap(({ step, state }) =>
    state.is === 'ambiguous' ? [`  ${called(step, wanted)}: ${state.ids.join(', ')}`] : [],
  )
  return `There are two of one name, and only you can tell which one is meant. Nothing was changed.\n${lines.join('\n')}
Rename or delete the other one in Adobe, or use another --name.`
}

export function differsText(surveyed: readonly Surveyed[], wanted: Wanted): string {
  const differing = surveyed.filter(({ state }) => state.is === 'differs')
  const mendable = differing.every(
    ({ state }) => state.is === 'differs' && state.amendment !== null,
  )
  const hint = mendable
    ? 'Run again on a terminal, or with --yes, to change them.'
    : 'These cannot be changed without breaking what uses them: use another --name, or correct them in Adobe.'
  return `Something of these names exists and is not what the relay needs. Nothing was changed.\n${statusText(differing, wanted)}\n${hint}`
}

/** Why a run ended, what usually causes that, and what there is so far. */
export function failureText(error: unknown, done: readonly Done[], wanted: Wanted): string {
  const lines: string[] = []
  if (error instanceof StepFailed) {
    lines.push(`${called(error.step, wanted)}: ${error.cause.message}`)
    lines.push(adviceOn(error.cause.refusal, error.step.permission))
  } else if (error instanceof Stopped) {
    lines.push(`${called(error.step, wanted)}: ${error.message}.`)
  } else lines.push(error instanceof Error ? error.message : String(error))
  if (done.length > 0) {
    lines.push('So far there is:')
    lines.push(
      ...done.map(
        ({ step, found, outcome }) => `  ${called(step, wanted)}, ${outcome}: ${found.id}`,
      ),
    )
  }
  lines.push(
    'wrangler.toml was not changed. Run the same command again: it continues from here and makes nothing twice.',
  )
  return lines.join('\n')
}

export const FLOW_PAUSE =
  'Wait five minutes before any event is sent: AEP may drop data in the first five minutes of a new or changed dataflow.'
export const SCHEMA_PAUSE =
  'The schema is new or changed: it can take up to fifteen minutes until AEP validates by it everywhere.'

/** What to wait for, and what to do next. */
export function nextText(done: readonly Done[], { authenticated }: Wanted): string {
  const touched = (keys: readonly string[]) =>
    done.some(({ step, outcome }) => keys.includes(step.key) && outcome !== 'found')
  const lines: string[] = []
  if (touched(['flow'])) lines.push(FLOW_PAUSE)
  if (touched(['fieldGroup', 'schema', 'union'])) lines.push(SCHEMA_PAUSE)
  if (authenticated) {
    lines.push(
      'The endpoint is authenticated: set AEP_CLIENT_ID under [vars] in wrangler.toml, and have AEP_CLIENT_SECRET in the environment of the deploy, which stores it as a secret.',
    )
  }
  lines.push('Next: npm run deploy')
  return lines.join('\n')
}
