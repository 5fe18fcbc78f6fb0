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
import { whyUnreadable } from '../lib/env-file.ts'
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
  const text = textOf(config)
  const vars = read(() => varsOf(text, env), config)
  if (isNeeded) withVars(text, { AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/x' }, env)
  return {
    vars,
    write(vars) {
      const before = readFileSync(config, 'utf8')
      const after = withVars(before, vars, env)
      if (after === before) return `${config} has these settings already.`
      replaceFile(config, after)
      return wrap(`Wrote ${Object.keys(vars).join(', ')} into ${placeOf(env)} of ${config}.`)
    },
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${file} ${whyUnreadable(error)}.`)
  }
}

/** The reader of TOML does not name the file. What stands there is not repeated. */
function read(by: () => Vars, file: string): Vars {
  try {
    return by()
  } catch (error) {
    const lines = (error instanceof Error ? error.message : String(error)).trim().split('\n')
    const [, line] = /\((\d+), \d+\)/.exec(lines[0] ?? '') ?? []
    throw new Error(`${file}${line ? `, line ${line}` : ''}: ${lines.at(-1)}`)
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
