/** Options: the command line of `npm run fuzz`. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

export type Options = {
  /** Determines every request. Only timing, and so what is stored before it is sent, differs between two runs. */
  readonly seed: number
  readonly requests: number
  /** The first request's number. */
  readonly first: number
  readonly formats: readonly ('raw' | 'xdm')[]
  /** Sends this request alone. */
  readonly only: number | null
  /** Where the smallest failing requests are written; `null`: nowhere. */
  readonly save: string | null
}

export const USAGE = `Usage: npm run fuzz -- [options]
  --seed N        any whole number; random by default
  --requests N    how many, over all formats and settings, 100000 by default
  --first N       the number of the first request, 0 by default
  --format F      raw or xdm: what the Worker sends; both by default
  --only N        request N of the seed alone, with all settings
  --save FOLDER   write each failing request there, as small as it gets;
                  in test/fuzz/found it is tried first by every run
  --help`

/** `wrong` says what is wrong with the command line. */
export function readOptions(args: readonly string[]): Options | 'help' | { wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      requests: { type: 'string', default: '100000' },
      first: { type: 'string', default: '0' },
      format: { type: 'string' },
      only: { type: 'string' },
      save: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { format, save = null } = values
  if (format !== undefined && format !== 'raw' && format !== 'xdm') {
    return { wrong: '--format is raw or xdm.' }
  }
  return {
    seed: values.seed === undefined ? randomInt(1_000_000) : whole('--seed', values.seed, 0),
    requests: whole('--requests', values.requests, 1),
    first: whole('--first', values.first, 0),
    formats: format === undefined ? ['raw', 'xdm'] : [format],
    only: values.only === undefined ? null : whole('--only', values.only, 0),
    save,
  }
}

function whole(flag: string, text: string, least: number): number {
  const value = Number(text)
  if (!/^\d{1,9}$/.test(text) || value < least) {
    throw new Error(`${flag} is a whole number, ${least} or more.`)
  }
  return value
}
