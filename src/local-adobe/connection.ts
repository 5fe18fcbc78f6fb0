/**
 * Connection: the ways an answer fails to arrive. On a server the socket is destroyed; where there is
 * none (a test that puts this stand-in in the place of `fetch`) the caller sees what `fetch` would
 * show it: a rejection with workerd's words, or silence until its own signal aborts.
 */

/** What the rim must be able to do; absent where there is no socket. */
export type Connection = { destroy(): void }

export class ConnectionLost extends Error {
  constructor() {
    super('Network connection lost.')
  }
}

export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>

export const sleep: Sleep = (ms, signal) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    // No timer where none is needed: a test that has taken over the timers would wait for ever.
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

/** A body that begins like an answer, and then goes no further or is cut. */
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
