/**
 * Server: the adobe AEP on a socket of 127.0.0.1, for `npm start`, drills, and whoever wants to look.
 * As a program: `node test/adobe-aep/server.ts --port 8788 [--mode raw|xdm] [--strict] [--auth]`.
 * Connections are cut for real here: the sender sees a reset.
 */
import type { Server } from 'node:http'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type Http2Bindings, type HttpBindings, serve } from '@hono/node-server'
import { createLocalAdobe, type LocalAdobe, type LocalAdobeOptions } from './app.ts'

export type LocalAdobeServer = {
  readonly url: string
  readonly port: number
  readonly adobe: LocalAdobe
  close(): Promise<void>
}

/** Rejects with the system's error, `code` and all, when the port is not to be had. */
export function startLocalAdobe({
  port = 0,
  ...options
}: LocalAdobeOptions & { port?: number } = {}): Promise<LocalAdobeServer> {
  const adobe = createLocalAdobe({ keepBodies: false, ...options })
  const fetch = (request: Request, { incoming }: HttpBindings | Http2Bindings) =>
    adobe.handle(request, { destroy: () => incoming.socket.resetAndDestroy() })
  return new Promise((resolve, reject) => {
    const server = serve(
      // Node closes idle connections after 5 s, which a sender that is just about to use one sees as
      // a reset that nobody scripted.
      {
        fetch,
        port,
        hostname: '127.0.0.1',
        overrideGlobalObjects: false,
        serverOptions: { keepAliveTimeout: 120_000 },
      },
      (info) => {
        server.off('error', reject)
        const close = () => stop(server as Server)
        resolve({ url: `http://127.0.0.1:${info.port}`, port: info.port, adobe, close })
      },
    )
    server.once('error', reject)
  })
}

/** Also ends the requests that are meant never to end. */
function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

const USAGE = `Usage: node test/adobe-aep/server.ts [options]
  --port N        8788 by default; 0 for any free port
  --mode M        raw (default) or xdm
  --strict        refuse what AEP would drop later
  --auth          an authenticated inlet
  --inlet-id ID   local-inlet by default
  --flow-id ID    the only dataflow; any by default`

async function main(): Promise<void> {
  const options = readOptions()
  if (!options) {
    console.error(USAGE)
    process.exitCode = 2
    return
  }
  const { url, adobe } = await startLocalAdobe(options)
  console.log(`Local Adobe, ${adobe.settings.mode} mode`)
  console.log(`  inlet    ${url}/collection/${adobe.settings.inletId}`)
  console.log(`  lake     ${url}/_/lake`)
  console.log(`  profile  ${url}/_/profile`)
}

function readOptions(): (LocalAdobeOptions & { port: number }) | null {
  try {
    const { values } = parseArgs({
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

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main().catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}
