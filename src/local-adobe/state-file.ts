/**
 * State file: what the Platform APIs hold, as JSON. A write is complete on the disk or not there at all, so
 * a process that is killed at any moment leaves the last complete state. Never overwrites a file that is
 * not a state file: the reading before refuses it.
 */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { type Snapshot, SnapshotSchema } from './platform/store.ts'

/** The text says what is wrong with the file, for the person who named it. */
export class StateFileError extends Error {}

/** Null when there is no file yet, and one can be made. */
export function readStateFile(file: string): Snapshot | null {
  const refuse = (why: string) => new StateFileError(`The state file ${file} ${why}`)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ENOENT') {
      throw refuse(`cannot be read (${code}). Name another one, or a file that does not exist yet.`)
    }
    try {
      accessSync(path.dirname(file), constants.W_OK)
      return null
    } catch (missing) {
      throw refuse(`cannot be made (${codeOf(missing)}). Name one in a directory that is there.`)
    }
  }
  let input: unknown
  try {
    input = JSON.parse(text)
  } catch {
    throw refuse('is not JSON. It is left as it is; name another one.')
  }
  const result = v.safeParse(SnapshotSchema, input)
  if (result.success) return result.output
  const [issue] = result.issues
  const where = v.getDotPath(issue) ?? 'its root'
  throw refuse(
    `is not a state of the local Adobe (${where}). It is left as it is; name another one.`,
  )
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error)

export function writeStateFile(file: string, snapshot: Snapshot): void {
  const temporary = `${file}.${process.pid}.tmp`
  const descriptor = openSync(temporary, 'w', 0o600)
  try {
    writeSync(descriptor, `${JSON.stringify(snapshot, null, 2)}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(temporary, file)
}
