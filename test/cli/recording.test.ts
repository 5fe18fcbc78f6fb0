/** The recording of the three commands, as it stands in docs/recording.md. */
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { neutral, page } from '../recording/text.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFile(path.join(ROOT, file), 'utf8')

describe('the recording', () => {
  it('has all three commands, and ends well', async () => {
    const text = await read('docs/recording.md')
    for (const name of ['provision', 'deploy', 'verify'])
      expect(text).toContain(`$ npm run ${name}`)
    expect(text).toContain('All is well.')
  })

  it('shows no key and nothing of the machine it was made on', async () => {
    const text = await read('docs/recording.md')
    // A key is 48 hexadecimal digits; the longest id is 32.
    expect(text).not.toMatch(/[0-9a-f]{33}/)
    expect(text).not.toMatch(/\/(tmp|home|root|Users|var)\//)
    const ports = [...text.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port)
    expect(new Set(ports)).toEqual(new Set(['8787', '8788']))
  })
})

describe('the command', () => {
  it.each([
    ['--help', 0],
    ['--halp', 2],
  ])('records nothing when it is asked with %s', (option, code) => {
    const file = path.join(ROOT, 'test/recording/record.ts')
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--', file, option])
    expect(status).toBe(code)
    expect(`${stdout}${stderr}`).toContain('Usage: npm run recording')
  })
})

describe('the text of a recording', () => {
  const [one] = neutral(
    [{ line: 'npm run deploy', output: 'Deployed.\nkey abcdef\n', seconds: 2 }],
    {
      abcdef: 'ab…',
    },
  )
  const recorded = one ? [one] : []

  it('has what is secret replaced, and the time of each command', () => {
    expect(page(recorded)).toContain('$ npm run deploy\nDeployed.\nkey ab…\n# 2.0 s')
  })
})
