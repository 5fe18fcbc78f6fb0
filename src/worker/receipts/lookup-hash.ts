/**
 * The keyed hashes by which events are found: HMAC-SHA-256 under a random key that shard 0 makes and keeps.
 *
 * Promises: an address or id is never stored as text for looking up, and without the key nobody can tell whose hash it is.
 * Different fields have different hashes: a conversation cannot be mistaken for a visitor.
 */
import type { Subject } from '../chatlio/subject.ts'
import { utf8Bytes } from '../lib/json-text.ts'
import { MAX_KNOWN_HASHES } from '../limits.ts'
import { type Hashes, packed } from './hashes.ts'

export type LookupField = 'conversation' | 'visitor' | 'email'

/** 128 bits: two values that share a hash by chance are out of reach. */
const HASH_BYTES = 16

/** Length of a new key. */
export const LOOKUP_KEY_BYTES = 32

export class LookupHash {
  readonly raw: Uint8Array
  #key: CryptoKey | null = null
  /** In memory only: a conversation has several events, and its hashes are made once. */
  readonly #known = new Map<string, string>()

  constructor(raw: Uint8Array) {
    this.raw = raw
  }

  /** Hexadecimal. */
  async of(field: LookupField, value: string): Promise<string> {
    const text = `${field}\n${value}`
    let hash = this.#known.get(text)
    if (hash === undefined) {
      hash = await this.#mac(text)
      if (this.#known.size >= MAX_KNOWN_HASHES) this.#known.clear()
      this.#known.set(text, hash)
    }
    return hash
  }

  async ofSubject({ conversation, visitor, emails }: Subject): Promise<Hashes> {
    const hashes: string[] = []
    if (conversation !== null) hashes.push(await this.of('conversation', conversation))
    if (visitor !== null) hashes.push(await this.of('visitor', visitor))
    for (const email of emails) hashes.push(await this.of('email', email))
    return packed(hashes)
  }

  async #mac(text: string): Promise<string> {
    // Kept as a value: a request must not wait for a promise of another request.
    this.#key ??= await crypto.subtle.importKey(
      'raw',
      this.raw,
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['sign'],
    )
    const mac = await crypto.subtle.sign('HMAC', this.#key, utf8Bytes(text))
    return new Uint8Array(mac, 0, HASH_BYTES).toHex()
  }
}
