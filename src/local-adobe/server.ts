/**
 * Server: the local Adobe on a socket of 127.0.0.1. Connections are cut for real here: the sender sees a
 * reset. With a state file, what the Platform APIs hold outlives the process; the lake never does.
 */
import type { Server } from 'node:http'
import { type Http2Bindings, type HttpBindings, serve } from '@hono/node-server'
import { createLocalAdobe, type LocalAdobe, type LocalAdobeOptions } from './app.ts'
import { readStateFile, writeStateFile } from './state-file.ts'

export type LocalAdobeServer = {
  readonly url: string
  readonly port: number
  readonly adobe: LocalAdobe
  close(): Promise<void>
}

export type ServerOptions = LocalAdobeOptions & { port?: number; stateFile?: string }

/**
 * Rejects with the system's error, `code` included, when the port cannot be used, and with a
 * `StateFileError` when the state file cannot.
 */
export async function startLocalAdobe({
  port = 0,
  stateFile,
  ...options
}: ServerOptions = {}): Promise<LocalAdobeServer> {
  const stored: LocalAdobeOptions = stateFile
    ? {
        snapshot: readStateFile(stateFile),
        onChange: (snapshot) => writeStateFile(stateFile, snapshot),
      }
    : {}
  const adobe = createLocalAdobe({ keepBodies: false, ...stored, ...options })
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
