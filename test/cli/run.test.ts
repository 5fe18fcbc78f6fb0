import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const RUN = fileURLToPath(new URL('../../src/cli/run.mjs', import.meta.url))

function run(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [RUN, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr })
    })
  })
}

describe('the commands', () => {
  it.each(['start'])('%s explains itself with --help', async (name) => {
    const { code, output } = await run(name, '--help')
    expect(code).toBe(0)
    expect(output).toMatch(/^Usage: npm (start|run)/)
  })

  it.each(['start', 'local-adobe', 'provision', 'deploy'])(
    '%s ends with 2 on an option that it does not know, and says so last, below its usage',
    async (name) => {
      const { code, output } = await run(name, '--no-such-option')
      expect(code).toBe(2)
      expect(output).toMatch(/^Usage: /)
      expect(output.trimEnd().split('\n').at(-1)).toContain('--no-such-option')
    },
  )
})
