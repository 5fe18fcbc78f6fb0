/**
 * The keyed hashes by which events are found: HMAC-SHA-256 under a random key that the outbox makes once and keeps.
 *
 * Promises: an address or id is never stored as text for looking up, and without the key nobody can tell whose hash it is.
 * Different fields have different hashes: a conversation cannot be mistaken for a visitor. All 128 bits are compared
 * wherever somebody's events are erased or dropped.
 */
import type { Subject } from '../../chatlio/person.ts'
import type { Rim } from '../../lib/rim.ts'
import { MAX_KNOWN_HASHES } from '../../limits.ts'

/** `unknown`: of events that an earlier version stored, which did not write the field down. */
export type LookupField = 'conversation' | 'visitor' | 'email' | 'unknown'

type LabelledHash = { field: LookupField; hash: string }

/**
 * The hashes of an event as one column of its row: each the first letter of its field and 32 hexadecimal digits, separated
 * by blanks. Empty: nothing to look it up by but its id.
 */
export type Hashes = string

const FIELDS: { readonly [letter: string]: LookupField } = {
  c: 'conversation',
  v: 'visitor',
  e: 'email',
}

/** 128 bits: two values that share a hash by chance are out of reach. */
const HASH_BYTES = 16
const HASH_DIGITS = 2 * HASH_BYTES

const encoder = new TextEncoder()

export function packHashes(hashes: readonly LabelledHash[]): Hashes {
  return hashes.map(({ field, hash }) => (field === 'unknown' ? '' : field[0]) + hash).join(' ')
}

export function unpackHashes(hashes: Hashes | null): LabelledHash[] {
  if (!hashes) return []
  return hashes.split(' ').map((text) => {
    const label = text.length > HASH_DIGITS ? (text[0] ?? '') : ''
    return { field: FIELDS[label] ?? 'unknown', hash: text.slice(-HASH_DIGITS) }
  })
}

export function hasHash(hashes: Hashes | null, hash: string): boolean {
  return unpackHashes(hashes).some((each) => each.hash === hash)
}

export class LookupHash {
  readonly raw: Uint8Array
  readonly #hmac: Rim['hmac']
  #sign: Awaited<ReturnType<Rim['hmac']>> | null = null
  /** In memory only: a conversation has several events, and its hashes are made once. */
  readonly #known = new Map<string, string>()

  constructor(raw: Uint8Array, hmac: Rim['hmac']) {
    this.raw = raw
    this.#hmac = hmac
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

  async ofSubject({ conversation, visitors, emails }: Subject): Promise<Hashes> {
    const hashes: LabelledHash[] = []
    const add = async (field: LookupField, value: string) => {
      hashes.push({ field, hash: await this.of(field, value) })
    }
    if (conversation !== null) await add('conversation', conversation)
    for (const visitor of visitors) await add('visitor', visitor)
    for (const email of emails) await add('email', email)
    return packHashes(hashes)
  }

  async #mac(text: string): Promise<string> {
    // Kept as a value: a request must not wait for a promise of another request.
    this.#sign ??= await this.#hmac(this.raw)
    const mac = await this.#sign(encoder.encode(text))
    return new Uint8Array(mac, 0, HASH_BYTES).toHex()
  }
}
