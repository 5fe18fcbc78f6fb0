/** Format: one line for a terminal: time, what, and the rest, in colours where they are wanted. Pure. */
import { paint } from '../lib/style.ts'
import type { Level, Line } from './event.ts'

const WHAT_WIDTH = 11
/** The usual line fits 80 columns; a longer one stays one line, since lines are searched and counted, up to this. */
const MAX_CHARACTERS = 1_000
const COLOURS = {
  good: 'green',
  info: 'cyan',
  warn: 'yellow',
  error: 'red',
} as const satisfies Record<Level, string>

export function format({ at, level, what, text }: Line): string {
  const time = at === null ? '--:--:--' : clock(at)
  const name = paint(COLOURS[level], what.padEnd(WHAT_WIDTH))
  return `${paint('dim', time)}  ${name} ${shortened(text)}`.trimEnd()
}

function shortened(text: string): string {
  return text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS)}…`
}

/** UTC, `HH:MM:SS`. */
function clock(at: number): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? '--:--:--' : date.toISOString().slice(11, 19)
}
