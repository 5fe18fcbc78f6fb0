/**
 * `npm run openapi`: writes docs/openapi.json and docs/webhooks.schema.json anew from the schemas in the code.
 * After a change of a route or a payload; a test says when it was forgotten.
 */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openApi, webhookSchemas } from '../../worker/admin/openapi.ts'

const HELP = `Writes docs/openapi.json and docs/webhooks.schema.json from the schemas in the code.

  npm run openapi
`

export async function main(args: string[]): Promise<number> {
  try {
    const { values } = parseArgs({ args, options: { help: { type: 'boolean', short: 'h' } } })
    if (values.help) {
      process.stdout.write(HELP)
      return 0
    }
  } catch (thrown) {
    process.stderr.write(
      `${thrown instanceof Error ? thrown.message : 'unknown option'}\n\n${HELP}`,
    )
    return 2
  }
  for (const { path: file, text } of await describedFiles()) {
    await writeFile(file, text)
    process.stdout.write(`wrote ${path.relative(process.cwd(), file)}\n`)
  }
  return 0
}

/** Path and text of each described file, as it should be. */
export async function describedFiles(): Promise<{ path: string; text: string }[]> {
  const inProject = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
  const { version } = JSON.parse(await readFile(inProject('package.json'), 'utf8'))
  const asText = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
  return [
    { path: inProject('docs/openapi.json'), text: asText(openApi(version)) },
    { path: inProject('docs/webhooks.schema.json'), text: asText(webhookSchemas()) },
  ]
}
