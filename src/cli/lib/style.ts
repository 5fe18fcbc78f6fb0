/**
 * Style: colours, marks and line breaks of the commands.
 * Colours only on a terminal that wants them: `styleText` respects NO_COLOR, FORCE_COLOR and pipes.
 */
import { styleText } from 'node:util'

/** Every line fits the narrowest terminal in common use. */
export const COLUMNS = 80

type Colour = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold'

export function paint(colour: Colour, text: string): string {
  return styleText(colour, text)
}

export function mark(ok: boolean): string {
  return ok ? paint('green', '✔') : paint('red', '✘')
}

/** A line of a result; `null`: neither well nor not. */
export function marked(well: boolean | null, text: string, hanging = '  '): string {
  return `${well === null ? '-' : mark(well)}${wrap(text, ' ', hanging, COLUMNS - 1)}`
}

/** Each line by itself. */
export function wrapLines(text: string): string {
  return text
    .split('\n')
    .map((line) => wrap(line, /^ */.exec(line)?.[0]))
    .join('\n')
}

/**
 * Breaks at blanks. `hanging` stands before every line but the first; a longer word stays whole, and so does a command
 * in backticks, which is copied from the terminal.
 */
export function wrap(text: string, indent = '', hanging = indent, columns = COLUMNS): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.match(/[^\s`]*`[^`]*`[^\s`]*|\S+/g) ?? []) {
    const before = lines.length === 0 ? indent : hanging
    if (line === '') line = before + word
    else if (line.length + 1 + word.length <= columns) line += ` ${word}`
    else {
      lines.push(line)
      line = hanging + word
    }
  }
  return [...lines, line].join('\n')
}
