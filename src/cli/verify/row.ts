/** Row: one line of the table that `npm run verify` prints, and the table. Pure. */
import { printable } from '../lib/printable.ts'
import { COLUMNS, mark, paint, wrap } from '../lib/style.ts'

export type Row = {
  readonly check: string
  /** `null`: not checked, which is neither good nor bad. */
  readonly ok: boolean | null
  readonly text: string
}

export function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ check }) => check.length))
  // Mark and blank, the check, two blanks.
  const indent = 2 + width + 2
  return rows
    .map(({ check, ok, text }) => {
      const sign = ok === null ? paint('dim', '–') : mark(ok)
      const words = wrap(printable(text), '', '', COLUMNS - indent)
      return `${sign} ${check.padEnd(width)}  ${words.replaceAll('\n', `\n${' '.repeat(indent)}`)}`
    })
    .join('\n')
}
