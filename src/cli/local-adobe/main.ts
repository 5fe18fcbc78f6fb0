/** `npm run local-adobe`: the local Adobe alone, on a port of 127.0.0.1. */
import { parseArgs } from 'node:util'
import type { LocalAdobeOptions } from '../../local-adobe/app.ts'
import { startLocalAdobe } from '../../local-adobe/server.ts'

const USAGE = `Usage: node test/adobe-aep/server.ts [options]
  --port N        8788 by default; 0 for any free port
  --mode M        raw (default) or xdm
  --strict        refuse what AEP would drop later
  --auth          an authenticated inlet
  --inlet-id ID   local-inlet by default
  --flow-id ID    the only dataflow; any by default`

/** Resolves with the exit code when the command line is wrong; otherwise it serves until it is ended. */
export async function main(args: readonly string[]): Promise<number | undefined> {
  const options = readOptions(args)
  if (!options) {
    console.error(USAGE)
    return 2
  }
  const { url, adobe } = await startLocalAdobe(options)
  console.log(`Local Adobe, ${adobe.settings.mode} mode`)
  console.log(`  inlet    ${url}/collection/${adobe.settings.inletId}`)
  console.log(`  lake     ${url}/_/lake`)
  console.log(`  profile  ${url}/_/profile`)
  return undefined
}

function readOptions(args: readonly string[]): (LocalAdobeOptions & { port: number }) | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        port: { type: 'string', default: '8788' },
        mode: { type: 'string', default: 'raw' },
        strict: { type: 'boolean', default: false },
        auth: { type: 'boolean', default: false },
        'inlet-id': { type: 'string', default: 'local-inlet' },
        'flow-id': { type: 'string' },
      },
    })
    const { mode, strict, auth } = values
    const port = Number(values.port)
    if (mode !== 'raw' && mode !== 'xdm') throw new Error('--mode is raw or xdm')
    if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error('--port is no port')
    const flowId = values['flow-id'] ?? null
    return { port, mode, strict, auth, inletId: values['inlet-id'], flowId }
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    return null
  }
}
