/**
 * Whether a caller holds a key. Compares SHA-256 hashes in constant time, over all keys, so that neither the
 * length of a key nor a common beginning shows in how long the answer takes.
 * Fails closed: no keys, nobody.
 */
import { utf8Bytes } from '../lib/json-text.ts'

async function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', utf8Bytes(text))
}

/**
 * What is hashed often, hashed once: the configured keys, and callers' keys that were good (so there are no more of them
 * than there are good ones). The list itself is the key of the cache, so it must not be changed.
 */
type Hashes = { known: readonly ArrayBuffer[]; admitted: Map<string, ArrayBuffer> }
const hashes = new WeakMap<readonly string[], Hashes>()

export async function holdsKey(
  given: string | undefined,
  keys: readonly string[],
): Promise<boolean> {
  if (!given) return false
  let cached = hashes.get(keys)
  if (!cached) {
    const known = await Promise.all(keys.map((key) => sha256(queryForm(key))))
    cached = { known, admitted: new Map() }
    hashes.set(keys, cached)
  }
  const { known, admitted } = cached
  const hash = admitted.get(given) ?? (await sha256(queryForm(given)))
  let held = false
  for (const each of known) {
    if (crypto.subtle.timingSafeEqual(hash, each)) held = true
  }
  if (held) admitted.set(given, hash)
  return held
}

/** A `+` in a pasted URL reads as a space; a key of base64 letters must still open the door. */
function queryForm(key: string): string {
  return key.replaceAll('+', ' ')
}
