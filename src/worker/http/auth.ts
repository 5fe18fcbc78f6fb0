/**
 * Checks the keys that callers present: of webhooks in the URL, of operators in `Authorization`.
 *
 * Promises: compares SHA-256 hashes in constant time, and with every key, so that the time of an answer reveals neither
 * the length of a key nor a common prefix. Without keys it admits nobody.
 */
import { utf8Bytes } from '../lib/json-text.ts'

/** Enough to tell keys apart in a log, and useless for guessing one. */
const FINGERPRINT_DIGITS = 6

type KnownKey = { hash: ArrayBuffer; fingerprint: string }

/** One set per configuration: it hashes each of its keys once. */
export class AccessKeys {
  readonly #keys: readonly string[]
  #known: readonly KnownKey[] | null = null
  /** Hashes of keys as good callers presented them: no more entries than ways to write those keys. */
  readonly #admitted = new Map<string, ArrayBuffer>()

  constructor(keys: readonly string[]) {
    this.#keys = keys
  }

  /** The fingerprint of the key that `presented` is: 6 hex digits of its SHA-256. `null`: it is not one of these. */
  async find(presented: string | undefined): Promise<string | null> {
    if (!presented) return null
    // Kept as a value, not as a promise: a request must not wait for one that another request started.
    this.#known ??= await this.#hashKeys()
    const hash = this.#admitted.get(presented) ?? (await sha256(queryForm(presented)))
    let found: string | null = null
    for (const known of this.#known) {
      if (crypto.subtle.timingSafeEqual(hash, known.hash)) found = known.fingerprint
    }
    if (found !== null) this.#admitted.set(presented, hash)
    return found
  }

  /** Of every key, in their order. */
  async fingerprints(): Promise<string[]> {
    this.#known ??= await this.#hashKeys()
    return this.#known.map(({ fingerprint }) => fingerprint)
  }

  #hashKeys(): Promise<KnownKey[]> {
    return Promise.all(this.#keys.map(knownKey))
  }
}

async function knownKey(key: string): Promise<KnownKey> {
  const own = new Uint8Array(await sha256(key))
  const fingerprint = own.toHex().slice(0, FINGERPRINT_DIGITS)
  return { hash: await sha256(queryForm(key)), fingerprint }
}

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', utf8Bytes(text))
}

/** A `+` in a pasted URL arrives as a space; a base64 key must work all the same. */
function queryForm(key: string): string {
  return key.replaceAll('+', ' ')
}
