/** Options of `npm run bench`. */
import { parseArgs } from 'node:util'
import { CONTENDERS, PARTS, type Part } from './contenders.ts'
import type { Conditions } from './scenes/scene.ts'

export const USAGE = `Usage: npm run bench -- [options]

Measures the relay beside other ways to take webhooks for AEP, in the same run
on this machine, and writes the figures into docs/benchmarks.md and
docs/costs.md. Opponents are installed on demand into test/bench/opponents.
Half an hour on two cores.

  --only PARTS       separated by commas, of
                     ${inLines(PARTS)}
  --opponents NAMES  separated by commas, of
                     ${inLines(CONTENDERS.filter(({ isOurs }) => !isOurs).map(({ id }) => id))}
  --rounds N         of healthy and outage (5)
  --events N         that wait in drain (50000)
  --quick            short rounds, to see that everything runs; writes nothing
  --dry-run          prints the tables and writes nothing
  --help`

function inLines(names: readonly string[]): string {
  return names
    .join(', ')
    .replaceAll(/(.{1,55})(?:, |$)/g, '$1,\n                     ')
    .replace(/,\s*$/, '')
}

export type Options = {
  readonly parts: readonly Part[]
  /** By id; `null`: all. */
  readonly opponents: readonly string[] | null
  readonly conditions: Conditions
  readonly writes: boolean
}

const NORMAL: Conditions = {
  rounds: 5,
  roundMs: 800,
  warmUpMs: 2_000,
  steadyMs: 6_000,
  backlog: 50_000,
}
const QUICK: Conditions = { rounds: 2, roundMs: 300, warmUpMs: 200, steadyMs: 1_000, backlog: 300 }

/** `wrong` says what is wrong with the command line. */
export function readOptions(args: readonly string[]): Options | 'help' | { wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      opponents: { type: 'string' },
      rounds: { type: 'string' },
      events: { type: 'string' },
      quick: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return 'help'
  const parts = listed(values.only)
  const unknown = parts?.find((name) => !PARTS.includes(name as Part))
  if (unknown !== undefined) return { wrong: `--only: there is no ${unknown}` }
  const opponents = listed(values.opponents)
  const nobody = opponents?.find((name) => !CONTENDERS.some(({ id }) => id === name))
  if (nobody !== undefined) return { wrong: `--opponents: there is no ${nobody}` }
  const base = values.quick ? QUICK : NORMAL
  const rounds = Number(values.rounds ?? base.rounds)
  const backlog = Number(values.events ?? base.backlog)
  if (!isCount(rounds)) return { wrong: '--rounds: a whole number, 1 or more' }
  if (!isCount(backlog)) return { wrong: '--events: a whole number, 1 or more' }
  return {
    parts: PARTS.filter((part) => parts === null || parts.includes(part)),
    opponents,
    conditions: { ...base, rounds, backlog },
    writes: !values.quick && !values['dry-run'],
  }
}

const isCount = (value: number) => Number.isInteger(value) && value > 0

function listed(text: string | undefined): string[] | null {
  return text === undefined
    ? null
    : text
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean)
}
