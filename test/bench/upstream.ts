/** Stand-ins for AEP on plain node:http, as fast as it gets, in the process of the load generator. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Upstream = {
  readonly port: number
  readonly endpoint: string
  /** Number of requests received so far. */
  taken(): number
  stop(): void
}

const ACCEPTED = JSON.stringify({
  inletId: 'local-inlet',
  xactionId: '1565638336649:1750:244',
  receivedTimeMs: 1565638336705,
})

/** Answers every message with AEP's documented 200. */
export const accepting: RequestListener = (request, response) => {
  request.resume()
  request.once('end', () => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': ACCEPTED.length,
    })
    response.end(ACCEPTED)
  })
}

/** Reads the request and never answers. */
export const silent: RequestListener = (request) => {
  request.resume()
}

/** Answers 503, as AEP's gateway does when nothing is behind it. */
export const unavailable: RequestListener = (request, response) => {
  request.resume()
  request.once('end', () => response.writeHead(503, { 'content-length': 0 }).end())
}

export async function startUpstream(listener: RequestListener): Promise<Upstream> {
  let taken = 0
  const server = createServer((request, response) => {
    taken += 1
    listener(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    endpoint: `http://127.0.0.1:${port}/collection/bench-inlet`,
    taken: () => taken,
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}
