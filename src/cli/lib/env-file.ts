/**
 * Env file: the variables of a command, from the environment and a dotenv file.
 *
 * Promises: as Node's own `--env-file`, the environment wins over the file; blank counts as unset. A file that an editor
 * or PowerShell wrote with a byte order mark or in UTF-16 is read as what it says. Nothing is put into `process.env`, so
 * no child process inherits a secret.
 */
import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { parseEnv } from 'node:util'
import { decodeText, messageOf } from './text.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** `file`: null without `--env-file`. Throws an error with a sentence for the operator if it is no readable file. */
export function environmentOf(env: Environment, file: string | null): Environment {
  const own = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))
  return file === null ? own : { ...parseEnv(readTextFile(file)), ...own }
}

function readTextFile(file: string): string {
  let text: string
  try {
    text = decodeText(readFileSync(file))
  } catch (error) {
    throw new Error(`${file} (--env-file) ${whyUnreadable(error)}.`)
  }
  if (text.includes('\0')) throw new Error(`${file} (--env-file) is no text file.`)
  return text
}

/** Completes "FILE …". */
export function whyUnreadable(error: unknown): string {
  const { code, path: file = '' } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') {
    // npm starts a command at the root of the project, wherever it is called.
    return isAbsolute(file)
      ? 'is not there'
      : `is not there: it is looked for from ${process.cwd()}`
  }
  if (code === 'EISDIR') return 'is a directory'
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user'
  return `cannot be read (${code ?? messageOf(error)})`
}

/** Trimmed; undefined when unset or blank. */
export function variable(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined
}
