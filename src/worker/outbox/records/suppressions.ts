/**
 * Whose events are dropped, and until when: keyed hashes only.
 * In memory too, since every stored event is compared while there are any.
 */
import { type Hashes, unpackHashes } from './lookup.ts'

export type Suppression = { hash: string; since: number; until: number }

/** As operators see one. `id` names it without saying whose it is. */
export type ListedSuppression = { id: string; since: number; until: number }

export const SUPPRESSIONS_TABLES = `
CREATE TABLE IF NOT EXISTS suppressions (
  hash TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
`

const ID_DIGITS = 16

export class Suppressions {
  readonly #sql: SqlStorage
  readonly #byHash = new Map<string, Suppression>()
  /** Changes with the set, and with every start of the object. */
  #version: string
  readonly #randomUUID: () => string

  constructor(sql: SqlStorage, randomUUID: () => string) {
    this.#sql = sql
    this.#randomUUID = randomUUID
    this.#version = randomUUID()
    for (const row of sql.exec<Suppression>('SELECT * FROM suppressions')) {
      this.#byHash.set(row.hash, row)
    }
  }

  get version(): string {
    return this.#version
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
    const isRunning = known !== undefined && known.until > now
    const row = {
      hash,
      since: isRunning ? known.since : now,
      until: isRunning ? Math.max(known.until, until) : until,
    }
    this.#sql.exec(
      `INSERT INTO suppressions (hash, since, until) VALUES (?, ?, ?)
       ON CONFLICT (hash) DO UPDATE SET since = excluded.since, until = excluded.until`,
      hash,
      row.since,
      row.until,
    )
    this.#byHash.set(hash, row)
    this.#version = this.#randomUUID()
    return row.until
  }

  /** Extends the running suppression with this id, never shortens it. Returns its end, or `null` if there is none. */
  extend(id: string, now: number, until: number): number | null {
    const row = this.running(now).find(({ hash }) => hash.slice(0, ID_DIGITS) === id)
    return row ? this.add(row.hash, now, until) : null
  }

  /** Whether there was one. */
  end(hash: string, now: number): boolean {
    const was = this.until(hash, now) !== null
    this.#forget([hash])
    return was
  }

  sweep(now: number): void {
    const over = [...this.#byHash.values()].filter(({ until }) => until <= now)
    this.#forget(over.map(({ hash }) => hash))
  }

  #forget(hashes: readonly string[]): void {
    for (const hash of hashes) {
      this.#sql.exec('DELETE FROM suppressions WHERE hash = ?', hash)
      if (this.#byHash.delete(hash)) this.#version = this.#randomUUID()
    }
  }
}
