/**
 * Config file: `wrangler.toml` on disk.
 *
 * Promises: whether it can be written is found out before anything is made in AEP; a run that is killed leaves the old
 * file or the new one, never half of it. A symbolic link stays one: what it leads to is changed. The file keeps its mode,
 * and nothing that somebody has put beside it is written through.
 */
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { wrap } from '../lib/style.ts'
import { placeOf, type Vars, varsOf, withVars } from '../lib/wrangler-toml.ts'
import type { Given } from './options.ts'

export type Config = {
  /** Of the environment that is meant; null without a file. */
  readonly vars: Vars | null
  /** Says what it did. */
  write(vars: Vars): string
}

/** Throws where the file is needed and is not there, or cannot be changed. */
export function readConfig({ config, env, mode, print }: Given): Config {
  const isNeeded = mode === 'make' && !print
  if (!existsSync(config)) {
    if (isNeeded)
      throw new Error(`There is no ${config} here: name it with --config, or use --print.`)
    return { vars: null, write: () => '' }
  }
  const text = readFileSync(config, 'utf8')
  if (isNeeded) withVars(text, { AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/x' }, env)
  return {
    vars: varsOf(text, env),
    write(vars) {
      const before = readFileSync(config, 'utf8')
      const after = withVars(before, vars, env)
      if (after === before) return `${config} has these settings already.`
      replaceFile(config, after)
      return wrap(`Wrote ${Object.keys(vars).join(', ')} into ${placeOf(env)} of ${config}.`)
    },
  }
}

function replaceFile(file: string, text: string): void {
  const target = realpathSync(file)
  const name = `.${path.basename(target)}.${randomBytes(6).toString('hex')}`
  const temporary = path.join(path.dirname(target), name)
  try {
    writeFileSync(temporary, text, { flag: 'wx', mode: 0o600 })
    chmodSync(temporary, statSync(target).mode & 0o7777)
    renameSync(temporary, target)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}
