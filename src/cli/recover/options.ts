/** Options: the command line of `npm run recover`. */
import { parseArgs } from 'node:util'
import { COMMON_OPTIONS, COMMON_USAGE, type Common, readCommon } from '../compare/options.ts'
import type { Environment } from '../lib/env-file.ts'

export type Options = Common & {
  /** `null`: whatever the cause. */
  readonly code: string | null
  readonly dryRun: boolean
  readonly perSecond: number
}

export const USAGE = `Usage: npm run recover -- [options]
Events that AEP accepted and then refused: names them, groups them by cause, and
sends them again from AEP's own files under the same _id, less those of
suppressed people. First mend what was wrong in mapping or schema, or AEP will
refuse them again.

  --code C           only those that AEP refused with this code
  --dry-run          names and groups only
  --rate N           events a second, 1 to 50; 5 by default
${COMMON_USAGE}

Exit code: 0 done, 1 the relay or AEP failed or refused, 2 usage or a missing
setting.`

/** The text says what is wrong with the command line. */
export function readOptions(
  args: readonly string[],
  environment: Environment,
): Options | 'help' | { readonly wrong: string } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...COMMON_OPTIONS,
      code: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      rate: { type: 'string', default: '5' },
    },
  })
  if (values.help) return 'help'
  const common = readCommon(values, environment)
  if ('wrong' in common) return common
  const perSecond = /^\d{1,2}$/.test(values.rate) ? Number(values.rate) : 0
  if (perSecond < 1 || perSecond > 50) return { wrong: '--rate is a number from 1 to 50.' }
  const { code = null, 'dry-run': dryRun } = values
  return { ...common, code, dryRun, perSecond }
}
