/** The described files, and what should be in them. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { openApi, webhookSchemas } from './describe.ts'

const inProject = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/** Path and text of each file. */
export async function describedFiles(): Promise<{ path: string; text: string }[]> {
  const { version } = JSON.parse(await readFile(inProject('package.json'), 'utf8'))
  return [
    { path: inProject('docs/openapi.json'), text: asText(openApi(version)) },
    { path: inProject('docs/webhooks.schema.json'), text: asText(webhookSchemas()) },
  ]
}

function asText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
