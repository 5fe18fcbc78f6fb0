/** Options: the command line of `npm run drill`. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Phase } from './phases/phase.ts'
import { PHASES } from './phases/phases.ts'

export type Options = {
  /** Determines everything random. Only timing, such as the exact moment of a kill, differs between two runs. */
  readonly seed: number
  /** Number of distinct good events; repeats and webhooks meant to be refused come on top. */
  readonly events: number
  /** Number of times the Worker's process is killed. */
  readonly kills: number
  readonly format: 'raw' | 'xdm'
  /** Posting stops after this time, even if events are left. */
  readonly durationMs: number
  /** `FORWARD_TIMEOUT_MS=0`: everything goes through the outbox. */
  readonly storeFirst: boolean
  /** Acts out these phases instead of the drill; `null`: the drill. */
  readonly phases: readonly Phase[] | null
  /** Keeps storage, bundle and log. */
  readonly keep: boolean
}

export const USAGE = `Usage: npm run drill -- [options]
  --seed N        any whole number; random by default
  --events N      distinct events, 2000 by default
  --kills N       kills of the Worker, 20 by default
  --duration S    post no longer than S seconds
  --format F      raw (default) or xdm: what the Worker sends
  --store-first   store, answer, then relay (FORWARD_TIMEOUT_MS=0)
  --phase NAME    act out one hard situation instead, or all of them (all):
                  ${PHASES.map(({ name }) => name).join(', ')}
  --keep          leave storage, bundle and log in the temporary directory
  --help`

/** `wrong` says what is wrong with the command line. */
export function readOptions(args: readonly string[]): Options | 'help' | { wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      events: { type: 'string', default: '2000' },
      kills: { type: 'string', default: '20' },
      duration: { type: 'string' },
      format: { type: 'string', default: 'raw' },
      'store-first': { type: 'boolean', default: false },
      phase: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { format, keep } = values
  if (format !== 'raw' && format !== 'xdm') return { wrong: '--format is raw or xdm.' }
  const phases = phasesOf(values.phase)
  return {
    phases,
    seed:
      values.seed === undefined ? randomInt(1_000_000) : integerAtLeast('--seed', values.seed, 0),
    events: integerAtLeast('--events', values.events, 1),
    kills: integerAtLeast('--kills', values.kills, 0),
    durationMs:
      values.duration === undefined
        ? Infinity
        : integerAtLeast('--duration', values.duration, 1) * 1_000,
    storeFirst: values['store-first'],
    format,
    keep,
  }
}

function phasesOf(name: string | undefined): readonly Phase[] | null {
  if (name === undefined || name === 'all') return name ? PHASES : null
  const phase = PHASES.find((each) => each.name === name)
  if (phase) return [phase]
  throw new Error(`--phase is all, ${PHASES.map((each) => each.name).join(', ')}.`)
}

function integerAtLeast(flag: string, text: string, min: number): number {
  const value = Number(text)
  if (!/^\d{1,9}$/.test(text) || value < min) {
    throw new Error(`${flag} is a whole number, ${min} or more.`)
  }
  return value
}
