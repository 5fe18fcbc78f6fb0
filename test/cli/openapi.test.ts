import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { toJsonSchema } from '@valibot/to-json-schema'
import { expect, it } from 'vitest'
import { describedFiles } from '../../src/cli/openapi/main.ts'
import { COMMANDS, type Command } from '../../src/worker/admin/api.ts'
import { jsonSchemaOf } from '../../src/worker/admin/openapi.ts'
import { ALERT_NAMES } from '../../src/worker/alerts/alerts.ts'

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

const commands: [string, Command][] = Object.entries(COMMANDS)
const described = (schema: object) => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  ...schema,
})

it.each(commands)('%s takes and answers what valibot’s own description says', (_, command) => {
  const { takes, answers } = command
  if (takes) {
    const options = { typeMode: 'input', errorMode: 'ignore' } as const
    expect(described(jsonSchemaOf(takes, 'input'))).toEqual(toJsonSchema(takes, options))
  }
  if (typeof answers === 'function') {
    expect(described(jsonSchemaOf(answers()))).toEqual(toJsonSchema(answers()))
  }
})

it('docs/operations.md names every route and every alert', async () => {
  const text = await readFile(path.join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| '))
  const routes = Object.values(COMMANDS).map(({ method, path }) => `\`${method} /admin${path}`)
  for (const route of routes)
    expect(
      rows.some((row) => row.includes(route)),
      route,
    ).toBe(true)
  for (const name of ALERT_NAMES) {
    expect(
      rows.some((row) => row.startsWith(`| \`${name}\` | `)),
      name,
    ).toBe(true)
  }
})
