import { execFile } from 'node:child_process'
import { expect, it } from 'vitest'

const DRILL = ['test/drill/drill.ts', '--events', '200', '--kills', '3', '--seed', '1']

it('keeps custody of 200 events through three kills and every phase of the drill', async () => {
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, DRILL, (error, stdout, stderr) =>
      resolve(`${error?.message ?? ''}${stdout}${stderr}`),
    )
  })
  expect(output).toContain('DRILL PASSED: seed 1')
})
