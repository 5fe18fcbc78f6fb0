/**
 * Reads a stream up to a limit, counting while reading: a length header may be absent, or not true.
 *
 * Never cancels what it did not finish: cancelling a refused request's body resets the sender's connection, and
 * it never sees the answer. The reader is released, and the caller decides.
 */

/** `complete` is false where there was more than `limit` bytes; `bytes` is then what had been read. */
export type Read = { bytes: Uint8Array; complete: boolean }

export async function readUpTo(
  stream: ReadableStream<Uint8Array> | null,
  limit: number,
): Promise<Read> {
  if (!stream) return { bytes: new Uint8Array(), complete: true }
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return { bytes: join(chunks, length), complete: true }
      chunks.push(value)
      length += value.length
      if (length > limit) return { bytes: join(chunks, length), complete: false }
    }
  } finally {
    reader.releaseLock()
  }
}

function join(chunks: Uint8Array[], length: number): Uint8Array {
  const [first] = chunks
  if (first && chunks.length === 1) return first
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
