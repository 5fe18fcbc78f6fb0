/** Which `Content-Type` and `Content-Encoding` a webhook may have. */
import type { Compression } from '../lib/decompress.ts'

/**
 * JSON under any of its names, `text/plain`, or no type at all, since senders differ. Parameters (charset) are ignored:
 * parsing shows whether the bytes are UTF-8.
 */
const ACCEPTED =
  /^\s*(?:(?:application|text)\/json|[\w!#$&^.+-]+\/[\w!#$&^.+-]+\+json|text\/plain)?\s*(?:;|$)/i

/** Two equal headers arrive as one, with a comma between: a sender and its proxy have both said it. */
export function isAcceptedMediaType(header: string | null): boolean {
  return header === null || header.split(',').every((type) => ACCEPTED.test(type))
}

/** `Accept-Encoding` of a 415 (RFC 9110, 12.5.3). */
export const ACCEPTED_ENCODINGS = 'gzip, deflate'

/** `null`: not compressed. `unsupported`: any other encoding, or several of them, one inside the other. */
export function compressionOf(header: string | null): Compression | 'unsupported' | null {
  const encoding = header?.trim().toLowerCase() ?? ''
  switch (encoding) {
    case '':
    case 'identity':
      return null
    case 'gzip':
    case 'deflate':
      return encoding
    // The same under its old name (RFC 9110, 8.4.1.3).
    case 'x-gzip':
      return 'gzip'
    default:
      return 'unsupported'
  }
}
