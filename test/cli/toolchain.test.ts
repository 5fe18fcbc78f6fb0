/** What `npm ci` installs is what the lock file vouches for, Node included, and an older Node is told so. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

type Locked = { version: string; integrity?: string; resolved?: string; os?: string; cpu?: string }

const read = (file: string) =>
  JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
const { optionalDependencies } = read('package.json') as {
  optionalDependencies: Record<string, string>
}
const { '': _, ...locked } = read('package-lock.json').packages as Record<string, Locked>

describe('the toolchain', () => {
  it('has one Node for all five platforms, each with its hash', () => {
    const nodes = Object.keys(optionalDependencies).map((name) => locked[`node_modules/${name}`])
    expect(nodes.map((node) => `${node?.os} ${node?.cpu}`).sort()).toEqual([
      'darwin arm64',
      'darwin x64',
      'linux arm64',
      'linux x64',
      'win32 x64',
    ])
    expect(new Set(Object.values(optionalDependencies)).size).toBe(1)
    expect(nodes.map((node) => node?.version)).toEqual(Object.values(optionalDependencies))
  })

  it('has a hash of every package, and asks whichever registry npm is set to', () => {
    const wrong = Object.entries(locked).filter(
      ([, { integrity, resolved }]) => !integrity?.startsWith('sha512-') || resolved !== undefined,
    )
    expect(wrong).toEqual([])
  })

  it('tells an older Node what to do', () => {
    const older = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' })
      await import(${JSON.stringify(new URL('../../src/cli/require-node.mjs', import.meta.url).href)})`
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', older], {
      encoding: 'utf8',
    })
    expect(status).toBe(1)
    expect(stderr).toContain('needs Node 22.12 or newer, and runs on 20.20.2')
    expect(stderr).toContain('npm ci')
  })
})
