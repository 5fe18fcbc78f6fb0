/** `npm run local-adobe`: the local Adobe alone, on a port of 127.0.0.1, until it is ended. */
import { type LocalAdobeServer, startLocalAdobe } from '../../local-adobe/server.ts'
import { StateFileError } from '../../local-adobe/state-file.ts'
import { runCommand } from '../lib/run.ts'
import { messageOf } from '../lib/text.ts'
import { type Options, readOptions, USAGE } from './options.ts'

/** Resolves with the exit code when it cannot start; otherwise it serves until it is ended. */
export function main(args: readonly string[]): Promise<number | undefined> {
  return runCommand(() => readOptions(args), USAGE, serve)
}

async function serve(options: Options): Promise<number | undefined> {
  try {
    console.log(description(await startLocalAdobe(options), options))
    return undefined
  } catch (error) {
    console.error(reasonOf(error, options.port))
    return 2
  }
}

function description({ url, adobe }: LocalAdobeServer, { stateFile }: Options): string {
  const { mode, inletId, orgId, clientId, clientSecret, sandboxes, tenant } = adobe.settings
  const { readClientId, readClientSecret } = adobe.settings
  return [
    `Local Adobe on ${url}`,
    `  Platform APIs   ${url}/data   (AEP_PLATFORM_URL=${url})`,
    `  tokens          ${url}/ims/token/v3   (AEP_IMS_URL=${url})`,
    `  credential      ${clientId}, secret ${clientSecret}, organization ${orgId}`,
    `  read only       ${readClientId}, secret ${readClientSecret}`,
    `  sandboxes       ${sandboxes.join(', ')}; tenant id ${tenant}`,
    `  inlet           ${url}/collection/${inletId} (${mode}), and those of the dataflows you make`,
    `  look inside     ${url}/_/lake  /_/failed  /_/profile  /_/requests  /_/platform  /_/settings  /_/clock`,
    `  state           ${stateFile ?? 'in memory only; --state FILE keeps it'}`,
  ].join('\n')
}

function reasonOf(error: unknown, port: number): string {
  if (error instanceof StateFileError) return error.message
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (code === 'EADDRINUSE') return `Port ${port} is in use. Choose another one: --port N`
  return messageOf(error)
}
