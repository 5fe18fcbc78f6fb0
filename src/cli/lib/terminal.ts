/**
 * Terminal: what a command says and asks. Results go to stdout, what went wrong to stderr.
 *
 * Promises: without a terminal on both ends nothing is asked and nothing moves; a question that is broken off
 * (Ctrl-C) counts as no. Control characters of texts from outside are shown, not obeyed.
 */
import { styleText } from 'node:util'
import { confirm, isCancel, password, spinner, text } from '@clack/prompts'

export type Terminal = {
  readonly isInteractive: boolean
  say(line?: string): void
  complain(line: string): void
  /** `null` where nothing can be asked. */
  confirm(question: string): Promise<boolean | null>
  /** `null` where nothing can be asked, or the answer is empty. */
  ask(name: string, secret: boolean): Promise<string | null>
  /** Shows that something takes time; the returned function ends it with a line. */
  busy(what: string): (outcome: string) => void
}

export function processTerminal(): Terminal {
  const isInteractive = Boolean(process.stdin.isTTY && process.stdout.isTTY)
  return {
    isInteractive,
    say: (line = '') => console.log(visible(line)),
    complain: (line) => console.error(visible(line)),
    async confirm(question) {
      if (!isInteractive) return null
      const answer = await confirm({ message: question, initialValue: false })
      return !isCancel(answer) && answer
    },
    async ask(name, secret) {
      if (!isInteractive) return null
      const answer = await (secret ? password({ message: name }) : text({ message: name }))
      return isCancel(answer) ? null : answer?.trim() || null
    },
    busy(what) {
      if (!isInteractive) return (outcome) => console.log(visible(outcome))
      const shown = spinner()
      shown.start(visible(what))
      return (outcome) => shown.stop(visible(outcome))
    },
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

/** Line breaks and tabs stay; so does the colour that `styleText` gives. */
function visible(line: string): string {
  return line.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /(?!\u001b\[\d+m)[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
