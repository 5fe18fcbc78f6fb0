/**
 * Whether a caller holds a key. Compares SHA-256 hashes in constant time, over all keys, so that neither the
 * length of a key nor a common beginning shows in how long the answer takes.
 * Fails closed: no keys, nobody.
 */

const encoder = new TextEncoder()

async function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', encoder.encode(text))
}

/** Hashes of configured keys, made once: the list itself is the key of the cache, so it must not be changed. */
const hashes = new WeakMap<readonly string[], ArrayBuffer[]>()

export async function holdsKey(
  given: string | undefined,
  keys: readonly string[],
): Promise<boolean> {
  if (!given) return false
  let known = hashes.get(keys)
  if (!known) {
    known = await Promise.all(keys.map((key) => sha256(queryForm(key))))
    hashes.set(keys, known)
  }
  const hash = await sha256(queryForm(given))
  let held = false
  for (const each of known) {
    if (crypto.subtle.timingSafeEqual(hash, each)) held = true
  }
  return held
}

/** A `+` in a pasted URL reads as a space; a key of base64 letters must still open the door. */
function queryForm(key: string): string {
  return key.replaceAll('+', ' ')
}
