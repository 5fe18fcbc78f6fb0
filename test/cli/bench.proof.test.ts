/** The benchmark sees a loss where there is one. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

it('finds what is lost in a Worker that answers before it relays, and none in the relay', async () => {
  const bench = fileURLToPath(new URL('../bench/bench.ts', import.meta.url))
  const args = [bench, '--quick', '--only', 'loss', '--opponents', 'wait-until']
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const rows = stdout.split('\n').filter((line) => line.startsWith('| '))
  const lost = (title: string) =>
    rows
      .map((row) => row.split('|').map((cell) => cell.trim()))
      .filter(([, name]) => name === title)
      .map(([, , , acknowledged, , count]) => ({
        acknowledged: Number(acknowledged),
        lost: Number(count?.replaceAll('*', '')),
      }))
  const first = lost('a Worker that answers first')
  expect(first).toHaveLength(2)
  expect(first[0]?.lost).toBeGreaterThan(0)
  for (const title of ['raw', 'xdm', 'store-first'].map((name) => `**this relay**, ${name}`)) {
    expect(lost(title).map((each) => each.lost)).toEqual([0, 0])
    for (const { acknowledged } of lost(title)) expect(acknowledged).toBeGreaterThan(0)
  }
})
