import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { FAULTS, PUT_BACK, withFault } from './faults.ts'
import { type Ended, simulate } from './run.ts'
import { neverReached } from './states.ts'

const here = (...names: string[]) => path.join(import.meta.dirname, ...names)

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
