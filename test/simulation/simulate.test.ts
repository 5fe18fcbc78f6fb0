import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const LOADER = new URL('./loader.ts', import.meta.url).href
const COMMAND = fileURLToPath(new URL('./simulate.ts', import.meta.url))

type Ended = { code: number; stdout: string; stderr: string }

async function simulate(...args: string[]): Promise<Ended> {
  const started = promisify(execFile)(process.execPath, ['--import', LOADER, COMMAND, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  })
  return started.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Ended) => ({ code, stdout, stderr }),
  )
}

const lastLine = ({ stdout }: Ended) => stdout.trimEnd().split('\n').at(-1)

describe('the simulator', () => {
  it('repeats a run byte for byte from its seed, and another seed is another run', async () => {
    const [once, again, other] = await Promise.all([
      simulate('--seed', '7', '--hours', '1', '--timeline'),
      simulate('--seed', '7', '--hours', '1', '--timeline'),
      simulate('--seed', '8', '--hours', '1'),
    ])
    expect(lastLine(once)).toMatch(/^[0-9a-f]{64}$/)
    const history = ({ stdout }: Ended) => stdout.replace(/^\d+ runs .*$/m, '')
    expect(history(again)).toBe(history(once))
    expect(lastLine(other)).not.toBe(lastLine(once))
  })

  it('says what is wrong with an option', async () => {
    expect(await simulate('--runs', 'many')).toMatchObject({
      code: 2,
      stderr: '--runs is a number.\n',
    })
    expect(await simulate('--unknown')).toMatchObject({ code: 2 })
  })
})

const FOUND = new URL('./found/', import.meta.url)

/** The shortest history of each fault that a run has found, and that was mended. */
describe('a history that once broke a promise', () => {
  it.each(readdirSync(FOUND))('no longer does: %s', async (file) => {
    const { code, stdout } = await simulate('--plan', fileURLToPath(new URL(file, FOUND)))
    expect(code, stdout.slice(0, 4_000)).toBe(0)
  })
})
