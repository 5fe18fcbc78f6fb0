/**
 * The keyed hashes by which events are found: HMAC-SHA-256 under a random key that shard 0 makes and keeps.
 *
 * Promises: an address or id is never stored as text for looking up, and without the key nobody can tell whose hash it is.
 * Different fields have different hashes: a conversation cannot be mistaken for a visitor.
 */
import type { Subject } from '../chatlio/subject.ts'
import { utf8Bytes } from '../lib/json-text.ts'
import { type Hashes, packed } from './hashes.ts'

export type LookupField = 'conversation' | 'visitor' | 'email'

/** 128 bits: two values that share a hash by chance are out of reach. */
const HASH_BYTES = 16

/** Length of a new key. */
export const LOOKUP_KEY_BYTES = 32

export class LookupHash {
  readonly raw: Uint8Array
  #key: CryptoKey | null = null

  constructor(raw: Uint8Array) {
    this.raw = raw
  }

  /** Hexadecimal. */
  async of(field: LookupField, value: string): Promise<string> {
    return this.#mac(`${field}\n${value}`)
  }

  /** `known`: hashes by what is hashed, for events that are hashed together: a visitor writes more than once. */
  async ofSubject(
    { conversation, visitor, emails }: Subject,
    known = new Map<string, string>(),
  ): Promise<Hashes> {
    const texts = emails.map((email) => `email\n${email}`)
    if (visitor !== null) texts.unshift(`visitor\n${visitor}`)
    if (conversation !== null) texts.unshift(`conversation\n${conversation}`)
    const hashes: string[] = []
    for (const text of texts) {
      let hash = known.get(text)
      if (hash === undefined) {
        hash = await this.#mac(text)
        known.set(text, hash)
      }
      hashes.push(hash)
    }
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
