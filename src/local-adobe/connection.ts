/**
 * Connection: the ways in which an answer fails to arrive. A server destroys the socket. Without a socket
 * (in a test that uses the local Adobe in place of `fetch`) the call rejects with workerd's message, or stays
 * pending until the caller's signal aborts.
 */

/** The socket of a request; absent inside tests, which have no socket. */
export type Connection = { destroy(): void }

class ConnectionLost extends Error {
  constructor() {
    super('Network connection lost.')
  }
}

export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>

export const sleep: Sleep = (ms, signal) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    // A test with fake timers would wait for ever.
    if (ms === 0) return resolve()
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })

/** Settles only when the caller gives up, with the caller's own reason. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

export function reset(connection: Connection | undefined): never {
  connection?.destroy()
  throw new ConnectionLost()
}

/** A body that begins like an answer and then stalls, or is cut. */
export function unfinishedBody(
  start: string,
  then: 'stall' | 'reset',
  signal: AbortSignal,
  connection: Connection | undefined,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(start))
    },
    async pull(controller) {
      try {
        if (then === 'stall') await untilAborted(signal)
        if (!connection) throw new ConnectionLost()
        // A moment for the headers to leave before the socket is gone.
        await sleep(20, signal)
        connection.destroy()
      } catch (error) {
        controller.error(error)
      }
    },
  })
}
