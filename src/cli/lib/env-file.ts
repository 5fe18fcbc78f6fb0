/**
 * Env file: the variables of a command, from the environment and a dotenv file.
 *
 * Promises: as Node's own `--env-file`, the environment wins over the file; blank counts as unset. Nothing is put into
 * `process.env`, so no child process inherits a secret.
 */
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

export type Environment = Readonly<Record<string, string | undefined>>

/** `file` is null where none was named. Throws the system's error when the file cannot be read. */
export function environmentOf(env: Environment, file: string | null): Environment {
  const own = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))
  return file === null ? own : { ...parseEnv(readFileSync(file, 'utf8')), ...own }
}

/** Trimmed; undefined when unset or blank. */
export function variable(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined
}
