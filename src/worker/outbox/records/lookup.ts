/**
 * The keyed hashes by which events are found: HMAC-SHA-256 under a random key that the outbox makes once and keeps; and those
 * of suppressed persons, whose events are dropped.
 *
 * Promises: an address or id is never stored as text for looking up, and without the key nobody can tell whose hash it is.
 * Different fields have different hashes: a conversation cannot be mistaken for a visitor. All 128 bits are compared
 * wherever somebody's events are erased or dropped.
 */
import type { Subject } from '../../chatlio/person.ts'
import { utf8Bytes } from '../../lib/json.ts'
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
    const known = this.#known.get(text)
    if (known !== undefined) return known
    // Kept as a value: a request must not wait for a promise of another request.
    this.#sign ??= await this.#hmac(this.raw)
    const mac = await this.#sign(utf8Bytes(text))
    const hash = new Uint8Array(mac, 0, HASH_BYTES).toHex()
    if (this.#known.size >= MAX_KNOWN_HASHES) this.#known.clear()
    this.#known.set(text, hash)
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
}

export type Suppression = { hash: string; since: number; until: number }

/** As operators see one. `id` names it without saying whose it is. */
export type ListedSuppression = Omit<Suppression, 'hash'> & { id: string }

export const SUPPRESSIONS_TABLES = `
CREATE TABLE IF NOT EXISTS suppressions (
  hash TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
`

const ID_DIGITS = 16

/** In memory too, since every stored event is compared while there are any. */
export class Suppressions {
  readonly #sql: SqlStorage
  readonly #byHash = new Map<string, Suppression>()
  /** Changes with the set, and with every start of the object. */
  version: string
  readonly #randomUUID: () => string

  constructor(sql: SqlStorage, randomUUID: () => string) {
    this.#sql = sql
    this.#randomUUID = randomUUID
    this.version = randomUUID()
    for (const row of sql.exec<Suppression>('SELECT * FROM suppressions')) {
      this.#byHash.set(row.hash, row)
    }
  }

  running(now: number): Suppression[] {
    return [...this.#byHash.values()].filter(({ until }) => until > now)
  }

  /** The oldest first. */
  list(now: number): ListedSuppression[] {
    return this.running(now)
      .sort((a, b) => a.since - b.since)
      .map(({ hash, ...times }) => ({ id: hash.slice(0, ID_DIGITS), ...times }))
  }

  /** Of an event: it must be neither stored nor relayed. */
  has(hashes: Hashes | null, now: number): boolean {
    if (this.#byHash.size === 0) return false
    return unpackHashes(hashes).some(({ hash }) => this.until(hash, now) !== null)
  }

  until(hash: string, now: number): number | null {
    const until = this.#byHash.get(hash)?.until ?? 0
    return until > now ? until : null
  }

  /** One that is running is made longer, never shorter. Returns its end. */
  add(hash: string, now: number, until: number): number {
    const known = this.#byHash.get(hash)
    const running = known && known.until > now ? known : { since: now, until }
    const row = { hash, since: running.since, until: Math.max(running.until, until) }
    this.#sql.exec(
      'INSERT OR REPLACE INTO suppressions (hash, since, until) VALUES (?, ?, ?)',
      hash,
      row.since,
      row.until,
    )
    this.#byHash.set(hash, row)
    this.version = this.#randomUUID()
    return row.until
  }

  /** Extends the running suppression with this id, never shortens it. Returns its end; `null` if no suppression with this id runs. */
  extend(id: string, now: number, until: number): number | null {
    const row = this.running(now).find(({ hash }) => hash.slice(0, ID_DIGITS) === id)
    return row ? this.add(row.hash, now, until) : null
  }

  /** Whether there was one. */
  end(hash: string, now: number): boolean {
    const was = this.until(hash, now) !== null
    this.#forget(hash)
    return was
  }

  sweep(now: number): void {
    for (const { hash, until } of this.#byHash.values()) if (until <= now) this.#forget(hash)
  }

  #forget(hash: string): void {
    this.#sql.exec('DELETE FROM suppressions WHERE hash = ?', hash)
    if (this.#byHash.delete(hash)) this.version = this.#randomUUID()
  }
}
