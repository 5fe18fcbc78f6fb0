/**
 * What the simulation sees: what AEP does hours after it has accepted, and each fault that the relay once had, put back into the
 * code; and what it does not take for a fault. Minutes of processor time, which `npm test` leaves to CI.
 */
import { describe, expect, it } from 'vitest'
import { PUT_BACK } from './faults.ts'
import { simulate } from './run.ts'

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
})

it('sees no haste in asking for each new event once while AEP refuses everything', async () => {
  const { code, stdout } = await simulate('--seed', '2033', '--hours', '6')
  expect(code, stdout.slice(0, 4_000)).toBe(0)
})

describe('a fault to put in', () => {
  it.each(PUT_BACK.map(({ name, seed }) => [name, seed] as const))(
    'is seen: %s, by seed %i',
    async (name, seed) => {
      const { code, stdout } = await simulate('--fault', name, '--seed', String(seed))
      expect(stdout).toMatch(new RegExp(`^fault ${name}, .*: seed ${seed} shows it`))
      expect(code).toBe(0)
    },
  )
})
