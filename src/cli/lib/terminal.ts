/**
 * Terminal: what a command says and asks. Results go to stdout, what went wrong to stderr.
 *
 * Promises: without a terminal on both ends nothing is asked and nothing moves; a question that is broken off (Ctrl-C)
 * ends the command. Control characters of texts from outside are shown, not obeyed.
 */
import { styleText } from 'node:util'
import { confirm, isCancel, password, text } from '@clack/prompts'
import { keepSecret, printableLines } from './printable.ts'
import { COLUMNS } from './style.ts'

export type Terminal = {
  readonly isInteractive: boolean
  say(line?: string): void
  complain(line: string): void
  /** `null` where nothing can be asked. Throws `Interrupted`. */
  confirm(question: string): Promise<boolean | null>
  /** `null` where nothing can be asked, or the answer is empty. Throws `Interrupted`. */
  ask(question: string, secret: boolean): Promise<string | null>
  /** Shows that something takes time; the returned function ends it with a line. */
  busy(what: string): (outcome: string) => void
}

/** Ctrl-C at a question. */
export class Interrupted extends Error {
  override name = 'Interrupted'
}

/** As a shell reports it. */
export const INTERRUPTED = 130

export function processTerminal(): Terminal {
  const isInteractive = Boolean(process.stdin.isTTY && process.stdout.isTTY)
  return {
    isInteractive,
    say: (line = '') => console.log(printableLines(line)),
    complain: (line) => console.error(printableLines(line)),
    async confirm(question) {
      if (!isInteractive) return null
      const answer = await confirm({ message: printableLines(question), initialValue: false })
      if (isCancel(answer)) throw new Interrupted()
      return answer
    },
    async ask(question, secret) {
      if (!isInteractive) return null
      const message = printableLines(question)
      const answer = await (secret ? password({ message }) : text({ message }))
      if (isCancel(answer)) throw new Interrupted()
      const given = answer?.trim() || null
      if (secret && given !== null) keepSecret(given)
      return given
    },
    busy(what) {
      if (!isInteractive) return (outcome) => console.log(printableLines(outcome))
      const end = spin(printableLines(what))
      return (outcome) => end(printableLines(outcome))
    },
  }
}

const columns = () => process.stdout.columns || COLUMNS

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'
const FRAME_MS = 100
const CLEAR_LINE = '\r\u001b[2K'

/**
 * Keys are left alone: the spinner of the prompts takes Ctrl-C for itself, and ends the process with 0. What moves stays on
 * one line: only that can be cleared.
 */
function spin(what: string): (outcome: string) => void {
  const since = Date.now()
  const show = () => {
    const frame = FRAMES[Math.floor((Date.now() - since) / FRAME_MS) % FRAMES.length]
    process.stdout.write(`${CLEAR_LINE}${`${frame}  ${what}`.slice(0, columns() - 1)}`)
  }
  show()
  const timer = setInterval(show, FRAME_MS)
  return (outcome) => {
    clearInterval(timer)
    process.stdout.write(`${CLEAR_LINE}◇  ${outcome}\n`)
  }
}

/** Columns as wide as their widest cell; the last one is not padded. Headings in bold on a terminal. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return [styleText('bold', line(headings)), ...rows.map(line)].join('\n')
}
