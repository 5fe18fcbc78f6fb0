/**
 * Config file: `wrangler.toml` on disk.
 * Promises: whether it can be written is found out before anything is made in AEP; a run that is killed leaves the old
 * file or the new one, never half of it.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type Vars, varsOf, withVars } from '../lib/wrangler-toml.ts'
import type { Options } from './options.ts'

export type Config = {
  /** `[vars]`; null without a file. */
  readonly vars: Vars | null
  /** Says what it did. */
  write(vars: Vars): string
}

/** Throws where the file is needed and is not there, or cannot be changed. */
export function readConfig({ config, mode, print }: Options): Config {
  const isNeeded = mode === 'make' && !print
  if (!existsSync(config)) {
    if (isNeeded)
      throw new Error(`There is no ${config} here: name it with --config, or use --print.`)
    return { vars: null, write: () => '' }
  }
  const text = readFileSync(config, 'utf8')
  if (isNeeded) withVars(text, { AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/x' })
  return {
    vars: varsOf(text),
    write(vars) {
      const before = readFileSync(config, 'utf8')
      const after = withVars(before, vars)
      if (after === before) return `${config} has these settings already.`
      writeFileSync(`${config}.new`, after)
      renameSync(`${config}.new`, config)
      return `Wrote ${Object.keys(vars).join(', ')} into [vars] of ${config}.`
    },
  }
}
