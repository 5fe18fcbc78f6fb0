/** Format: one line for a terminal: time, what, and the rest, in colours where they are wanted. Pure. */
import { COLUMNS, paint, wrap } from '../start/style.ts'
import type { Level, Line } from './event.ts'

const WHAT_WIDTH = 11
const COLOURS = {
  good: 'green',
  info: 'cyan',
  warn: 'yellow',
  error: 'red',
} as const satisfies Record<Level, string>

export function format({ at, level, what, text }: Line): string {
  const time = at === null ? '--:--:--' : clock(at)
  const indent = time.length + 2 + WHAT_WIDTH + 1
  const words = wrap(text, '', '', COLUMNS - indent).replaceAll('\n', `\n${' '.repeat(indent)}`)
  const name = paint(COLOURS[level], what.padEnd(WHAT_WIDTH))
  return `${paint('dim', time)}  ${name} ${words}`.trimEnd()
}

/** UTC, `HH:MM:SS`. */
function clock(at: number): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? '--:--:--' : date.toISOString().slice(11, 19)
}
