/** Compresses bytes in one piece, as a sender does before it states `Content-Encoding`. */
import type { Compression } from '../src/worker/lib/decompress.ts'

export async function compress(bytes: Uint8Array, format: Compression): Promise<Uint8Array> {
  const stream = new Response(bytes).body
  if (!stream) throw new Error('a response without a body')
  return new Response(stream.pipeThrough(new CompressionStream(format))).bytes()
}
