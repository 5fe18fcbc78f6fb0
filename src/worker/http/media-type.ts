/**
 * Which content types a webhook may have: JSON in any of its names, `text/plain`, or none, since senders differ.
 * Parameters (charset) are ignored: whether the bytes are UTF-8 is seen when they are read.
 */
const TAKEN = /^\s*(?:application\/json|[\w!#$&^.+-]+\/[\w!#$&^.+-]+\+json|text\/plain)?\s*(?:;|$)/i

export function isAcceptedMediaType(header: string | null): boolean {
  return header === null || TAKEN.test(header)
}
