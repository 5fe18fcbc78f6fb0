/**
 * A load generator: a fixed number of connections to 127.0.0.1, each of which posts again as soon as it has its answer,
 * for a fixed time.
 *
 * Promises: never more requests in flight than connections; resolves only after every request has ended, so that no
 * measurement overlaps the next.
 */
import http from 'node:http'

export type Target = {
  readonly port: number
  readonly path: string
  /** Makes the body of the next request. */
  readonly body: () => string
}

export type Load = { readonly connections: number; readonly forMs: number }

export type Loaded = {
  /** Answers per second within the time. */
  perSecond: number
  /** Number of answers by status, including late ones. Status 0: the connection broke. */
  statuses: Statuses
}

export type Statuses = Record<number, number>

export async function load(target: Target, { connections, forMs }: Load): Promise<Loaded> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const statuses: Statuses = {}
  const until = performance.now() + forMs
  let inTime = 0
  const connection = async () => {
    while (performance.now() < until) {
      const status = await post(target, agent)
      statuses[status] = (statuses[status] ?? 0) + 1
      if (performance.now() < until) inTime += 1
    }
  }
  await Promise.all(Array.from({ length: connections }, connection))
  agent.destroy()
  return { perSecond: (inTime * 1_000) / forMs, statuses }
}

/** Like `load`, for a number of requests instead of a time. */
export async function loadCount(
  target: Target,
  connections: number,
  count: number,
): Promise<Statuses> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const statuses: Statuses = {}
  let begun = 0
  const connection = async () => {
    while (begun < count) {
      begun += 1
      const status = await post(target, agent)
      statuses[status] = (statuses[status] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: connections }, connection))
  agent.destroy()
  return statuses
}

/** Posts once; resolves with the status when the answer has been read. */
export function post({ port, path, body }: Target, agent: http.Agent | false): Promise<number> {
  const bytes = Buffer.from(body())
  return new Promise((resolve) => {
    const request = http.request({
      agent,
      port,
      path,
      host: '127.0.0.1',
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': bytes.length },
    })
    request.on('response', (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode ?? 0))
      response.once('error', () => resolve(0))
    })
    request.on('error', () => resolve(0))
    request.end(bytes)
  })
}

/** Number of all answers, and of those with another status than expected. */
export function tally(statuses: Statuses, expected: number): { all: number; others: number } {
  const all = Object.values(statuses).reduce((sum, count) => sum + count, 0)
  return { all, others: all - (statuses[expected] ?? 0) }
}
