/**
 * Alone: one run at a time asks Adobe from a directory. Two for one person that begin together would both find no receipt
 * of the other, and ask for a job each.
 * A run that was killed leaves its file behind: its process is gone then, or the file is too old for any.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Surroundings } from '../lib/run.ts'

const FILE = '.erase-aep.lock'
const POLL_MS = 1_000
/** Longer than all attempts to ask Adobe take together; of one that was killed before it had written its number. */
const [OLD_MS, EMPTY_MS] = [15 * 60_000, 1_000]

export async function alone<T>(
  { directory, io }: Pick<Surroundings, 'directory' | 'io'>,
  act: () => Promise<T>,
): Promise<T> {
  const file = path.join(directory, FILE)
  if (!taken(file)) {
    console.error('Another run is asking Adobe from this directory: waiting for it.')
    do await io.sleep(POLL_MS)
    while (!taken(file))
  }
  try {
    return await act()
  } finally {
    if (isOurs(file)) rmSync(file, { force: true })
  }
}

/** One that takes longer than any may have lost it to the next. */
function isOurs(file: string): boolean {
  try {
    return Number(readFileSync(file, 'utf8')) === process.pid
  } catch {
    return false
  }
}

function taken(file: string): boolean {
  if (isLeftBehind(file)) rmSync(file, { force: true })
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function isLeftBehind(file: string): boolean {
  try {
    const [pid, { mtimeMs }] = [Number(readFileSync(file, 'utf8')), statSync(file)]
    const age = Date.now() - mtimeMs
    if (pid === 0) return age > EMPTY_MS
    return age > OLD_MS || pid === process.pid || !isRunning(pid)
  } catch {
    return false
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
