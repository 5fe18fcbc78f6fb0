/** `npm run simulate` in a process of its own, as tests run it. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const here = (name: string) => path.join(import.meta.dirname, name)

export type Ended = { code: number; stdout: string; stderr: string }

export async function simulate(...args: string[]): Promise<Ended> {
  const started = promisify(execFile)(
    process.execPath,
    ['--import', pathToFileURL(here('loader.ts')).href, here('simulate.ts'), ...args],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  return started.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Ended) => ({ code, stdout, stderr }),
  )
}
