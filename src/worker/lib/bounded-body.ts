/**
 * Reads a message's body up to a limit.
 *
 * Promises: never holds much more than the limit, whatever a length header says or does not say: without one, the bytes
 * are counted while reading; with one, HTTP itself ends the body there, and what was read is counted all the same.
 * Never cancels what it did not finish: cancelling a refused request's body resets the sender's connection, and
 * it never sees the answer. The reader is released, and the caller decides.
 */

/** `complete` is false where there was more than `limit` bytes; `bytes` is then what had been read. */
export type BoundedBody = { bytes: Uint8Array; complete: boolean }

export function readUpTo(message: Request | Response, limit: number): Promise<BoundedBody> {
  if (declaresAtMost(limit, message.headers)) {
    // In one piece, at less than half the cost of a reader: what nearly every message comes to.
    return message.arrayBuffer().then((buffer) => {
      return { bytes: new Uint8Array(buffer), complete: buffer.byteLength <= limit }
    })
  }
  return message.body
    ? readStream(message.body, limit)
    : Promise.resolve({ bytes: new Uint8Array(), complete: true })
}

const decoder = new TextDecoder()

export type BoundedText = { text: string; complete: boolean }

/** The same as text; what is not UTF-8 becomes U+FFFD. */
export function readTextUpTo(message: Request | Response, limit: number): Promise<BoundedText> {
  if (declaresAtMost(limit, message.headers)) {
    return message.text().then((text) => ({ text, complete: true }))
  }
  return readUpTo(message, limit).then(({ bytes, complete }) => {
    return { text: decoder.decode(bytes), complete }
  })
}

/** An encoded body is longer than its length says. */
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
