/**
 * Decompresses a body that is already in memory, up to a limit.
 *
 * Promises: 200 MB in 194 kB never exist at once. `DecompressionStream` has no backpressure (it decompresses everything
 * that is written to it, read or not), so the input goes in small steps, and stops once the limit is exceeded.
 * Accepts: a body is decompressed by the runtime's own code, one buffer of the limit's size for each.
 */
import { DECOMPRESSION_STEP_BYTES } from '../limits.ts'

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
