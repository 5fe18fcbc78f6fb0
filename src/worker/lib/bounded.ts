/**
 * Bounds on what comes from outside: how much of a body is read, how long anything is waited for.
 *
 * Promises: memory stays near the limit. With a `Content-Length`, HTTP ends the body there; without one, the bytes are
 * counted as they arrive.
 * Never cancels a body, complete or not: cancelling a refused request's body resets the sender's connection, and the
 * sender never sees the answer. The reader is released, so the caller can cancel.
 */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type Timers = {
  set: (run: () => void, ms: number) => ReturnType<typeof setTimeout>
  clear: (timer: ReturnType<typeof setTimeout>) => void
}

/** The runtime's own. */
export const TIMERS: Timers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer),
}

/**
 * Settles as `work` does, or rejects with a `TimeoutError` after `ms` milliseconds: the time runs from now. Work that is late
 * goes on, and its result is ignored, unless it heeds `late`, which is aborted then.
 */
export function within<Result>(
  ms: number,
  work: Promise<Result>,
  timers: Timers = TIMERS,
  late: AbortController | null = null,
): Promise<Result> {
  // Cheaper than `Promise.race`, on a path that every webhook takes.
  return new Promise((resolve, reject) => {
    const timer = timers.set(() => {
      const reason = timeoutError()
      late?.abort(reason)
      reject(reason)
    }, ms)
    // A running timer keeps a Durable Object awake and billed.
    const settle =
      <Outcome>(by: (outcome: Outcome) => void) =>
      (outcome: Outcome) => {
        timers.clear(timer)
        by(outcome)
      }
    work.then(settle(resolve), settle(reject))
  })
}

/** Aborted after `ms` milliseconds, by these timers: for a request whose body is under its deadline too. */
export function signalAfter(ms: number, timers: Timers = TIMERS): AbortSignal {
  const controller = new AbortController()
  timers.set(() => controller.abort(timeoutError()), ms)
  return controller.signal
}

export function timeoutError(): DOMException {
  return new DOMException('The time is over.', 'TimeoutError')
}

/** Whether `thrown` is a timeout, in either form in which `fetch` and `AbortSignal` throw it. */
export function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.name === 'TimeoutError' || thrown.name === 'AbortError')
}

/** `complete` is false if the body is longer than `limit` bytes; `bytes` then holds the beginning of it. */
type BoundedBody = { bytes: Uint8Array; complete: boolean }

/** Reads bytes. Rejects if the body cannot be read, such as when the connection breaks. */
export function readUpTo(message: Request | Response, limit: number): Promise<BoundedBody> {
  if (declaresAtMost(limit, message.headers)) {
    // The fast path, which nearly every message takes: less than half the cost of a reader.
    return message.arrayBuffer().then((buffer) => {
      return { bytes: new Uint8Array(buffer), complete: buffer.byteLength <= limit }
    })
  }
  return message.body
    ? readStream(message.body, limit)
    : Promise.resolve({ bytes: new Uint8Array(), complete: true })
}

const decoder = new TextDecoder()

type BoundedText = { text: string; complete: boolean }

/** Reads text. Bytes that are not UTF-8 become U+FFFD. Rejects if the body cannot be read. */
export function readTextUpTo(message: Request | Response, limit: number): Promise<BoundedText> {
  if (declaresAtMost(limit, message.headers)) {
    return message.text().then((text) => ({ text, complete: true }))
  }
  return readUpTo(message, limit).then(({ bytes, complete }) => {
    return { text: decoder.decode(bytes), complete }
  })
}

/** False for a compressed body: its `Content-Length` counts the bytes before decompression. */
function declaresAtMost(limit: number, headers: Headers): boolean {
  const length = headers.get('content-length')
  return length !== null && Number(length) <= limit && !headers.has('content-encoding')
}

async function readStream(stream: ReadableStream<Uint8Array>, limit: number): Promise<BoundedBody> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return { bytes: joined(chunks), complete: true }
      chunks.push(value)
      length += value.length
      if (length > limit) return { bytes: joined(chunks), complete: false }
    }
  } finally {
    reader.releaseLock()
  }
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
