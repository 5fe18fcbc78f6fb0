import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { FAULTS, PUT_BACK, withFault } from './faults.ts'
import { neverReached } from './states.ts'

const here = (...names: string[]) => path.join(import.meta.dirname, ...names)

type Ended = { code: number; stdout: string; stderr: string }

async function simulate(...args: string[]): Promise<Ended> {
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

const lastLine = ({ stdout }: Ended) => stdout.trimEnd().split('\n').at(-1)

describe('the simulator', () => {
  it('repeats a run byte for byte from its seed', async () => {
    const [once, again] = await Promise.all([
      simulate('--seed', '52', '--hours', '1', '--timeline'),
      simulate('--seed', '52', '--hours', '1', '--timeline'),
    ])
    expect(lastLine(once)).toMatch(/^[0-9a-f]{64}$/)
    const history = ({ stdout }: Ended) => stdout.replace(/^\d+ runs .*$/m, '')
    expect(history(again)).toBe(history(once))
    expect(once.stdout.length).toBeGreaterThan(10_000)
  })

  it('names each state that a thousand runs must reach and did not', () => {
    const all = neverReached(new Map(), 9)
    expect(all).toContain('a bisect inside a hold')
    expect(neverReached(new Map(all.map((state) => [state, 1])), 9)).toEqual([])
    const [first, ...others] = all
    expect(neverReached(new Map(others.map((state) => [state, 1])), 9)).toEqual([first])
    // A run of three hours is too short for what AEP settles after four.
    expect(neverReached(new Map(), 3).length).toBeLessThan(all.length)
  })

  it('says what is wrong with an option', async () => {
    expect(await simulate('--runs', 'many')).toMatchObject({
      code: 2,
      stderr: '--runs is a number.\n',
    })
    expect(await simulate('--unknown')).toMatchObject({ code: 2 })
    expect(await simulate('--fault', '5')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^--fault is one of 1, 2, /),
    })
  })

  it('sees what becomes of events after AEP has accepted them', async () => {
    const refused = await simulate('--seed', '157', '--hours', '9', '--states')
    expect(refused.code, refused.stdout.slice(0, 4_000)).toBe(0)
    for (const state of [
      'a failed batch that must be named',
      'a receipt called failed',
      'alert not-landed firing',
      'alert not-landed resolved',
      'alert incomplete firing',
      'alert incomplete resolved',
      'an hour compared with that of AEP',
    ]) {
      expect(refused.stdout).toMatch(new RegExp(`^  \\d+  ${state}$`, 'm'))
    }
    const lost = await simulate('--seed', '211', '--hours', '9', '--states')
    expect(lost.code, lost.stdout.slice(0, 4_000)).toBe(0)
    expect(lost.stdout).toContain('records that AEP lost')
  }, 240_000)
})

describe('a fault to put in', () => {
  it.each(FAULTS.map((fault) => [fault.name, fault] as const))(
    'still has its lines in the code: %s',
    (_, fault) => {
      for (const { file } of fault.lines) {
        const text = readFileSync(here('../..', file), 'utf8')
        expect(withFault(fault, file, text)).not.toBe(text)
      }
    },
  )

  it.each(PUT_BACK.map(({ name, seed }) => [name, seed] as const))(
    'is seen: %s, by seed %i',
    async (name, seed) => {
      const { code, stdout } = await simulate('--fault', name, '--seed', String(seed))
      expect(stdout).toMatch(new RegExp(`^fault ${name}, .*: seed ${seed} shows it`))
      expect(code).toBe(0)
    },
    300_000,
  )

  it('whose line is gone ends the run', () => {
    const [fault] = PUT_BACK
    const [first] = fault?.lines ?? []
    expect(() => fault && withFault(fault, first?.file ?? '', 'nothing of it')).toThrow(
      /^Fault 1: src\/worker\/.* has not once the line/,
    )
  })
})

/** The shortest history of each fault that a run has found, and that was mended. */
describe('a history that once broke a promise', () => {
  it.each(readdirSync(here('found')))('no longer does: %s', async (file) => {
    const { code, stdout } = await simulate('--plan', here('found', file))
    expect(code, stdout.slice(0, 4_000)).toBe(0)
  })
})
