import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { describedFiles } from '../../src/cli/openapi/main.ts'

it('docs/openapi.json and docs/webhooks.schema.json are as `npm run openapi` writes them', async () => {
  const files = await describedFiles()
  expect(files.map((file) => path.basename(file.path))).toEqual([
    'openapi.json',
    'webhooks.schema.json',
  ])
  for (const file of files) {
    // Compared as data: the formatter lays it out.
    expect(JSON.parse(await readFile(file.path, 'utf8'))).toEqual(JSON.parse(file.text))
  }
})
