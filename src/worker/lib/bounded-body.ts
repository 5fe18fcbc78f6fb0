/**
 * Reads the body of a request or response up to a limit, and decompresses one that is in memory, up to a limit too.
 *
 * Promises: memory stays near the limit. With a `Content-Length`, HTTP ends the body there; without one, the bytes are
 * counted as they arrive. 200 MB in 194 kB never exist at once: `DecompressionStream` has no backpressure (it decompresses
 * everything that is written to it, read or not), so the input goes in small steps, and stops once the limit is exceeded.
 * Never cancels the body, complete or not: cancelling a refused request's body resets the sender's connection, and the
 * sender never sees the answer. The reader is released, so the caller can cancel.
 * Accepts: a body is decompressed by the runtime's own code, one buffer of the limit's size for each.
 */
import { DECOMPRESSION_STEP_BYTES } from '../limits.ts'

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
      if (done) return { bytes: whole(chunks), complete: true }
      chunks.push(value)
      length += value.length
      if (length > limit) return { bytes: whole(chunks), complete: false }
    }
  } finally {
    reader.releaseLock()
  }
}

/** Mostly there is one. */
const whole = (chunks: Uint8Array[]) =>
  chunks.length === 1 && chunks[0] ? chunks[0] : joined(chunks)

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** The two that HTTP and the runtime have in common. `deflate` is the zlib format (RFC 9110, 8.4.1.2). */
export type Compression = 'gzip' | 'deflate'

/** `broken`: cut short, followed by other bytes, or not of this format. `too-large`: more than `limit` bytes. */
type Decompressed = { bytes: Uint8Array } | 'broken' | 'too-large'

export async function decompress(
  compressed: Uint8Array,
  format: Compression,
  limit: number,
): Promise<Decompressed> {
  const stream = new DecompressionStream(format)
  const ended = new AbortController()
  const writing = write(compressed, stream.writable, ended.signal)
  // Reading fails for the same reason and is handled below; this rejection must not count as unhandled.
  writing.catch(() => undefined)
  const reader = stream.readable.getReader({ mode: 'byob' })
  try {
    // Resolves at the end of the stream, or with the first byte too many.
    const { value } = await reader.readAtLeast(limit + 1, new Uint8Array(limit + 1))
    if (value && value.length > limit) return 'too-large'
    await writing
    // A copy: the buffer behind the view is as large as the limit, and would be stored with it.
    return { bytes: value ? value.slice() : new Uint8Array() }
  } catch {
    return 'broken'
  } finally {
    ended.abort()
    reader.releaseLock()
  }
}

async function write(
  bytes: Uint8Array,
  stream: WritableStream<Uint8Array>,
  ended: AbortSignal,
): Promise<void> {
  const writer = stream.getWriter()
  for (let from = 0; from < bytes.length; from += DECOMPRESSION_STEP_BYTES) {
    if (ended.aborted) return
    await writer.write(bytes.subarray(from, from + DECOMPRESSION_STEP_BYTES))
  }
  await writer.close()
}

/** `Accept-Encoding` of a 415 (RFC 9110, 12.5.3). */
export const ACCEPTED_ENCODINGS = 'gzip, deflate'
