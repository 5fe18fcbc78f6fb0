/**
 * Whose events are dropped, and until when: keyed hashes only. Every shard has them all, so that each can refuse by itself.
 * In memory too, since every stored event is compared while there are any.
 */
import type { Suppression } from '../../receipts/carried.ts'
import { type Hashes, unpacked } from '../../receipts/hashes.ts'

export class Suppressions {
  readonly #sql: SqlStorage
  readonly #until = new Map<string, Suppression>()
  /** Changes with the set, and with every start of the object. */
  #version: string

  constructor(sql: SqlStorage) {
    this.#sql = sql
    this.#version = crypto.randomUUID()
    for (const row of sql.exec<Suppression>('SELECT * FROM suppressions')) {
      this.#until.set(row.hash, row)
    }
  }

  get version(): string {
    return this.#version
  }

  list(now: number): Suppression[] {
    return [...this.#until.values()].filter(({ until }) => until > now)
  }

  has(hashes: Hashes | null, now: number): boolean {
    if (this.#until.size === 0) return false
    return unpacked(hashes).some((hash) => (this.#until.get(hash)?.until ?? 0) > now)
  }

  until(hash: string, now: number): number | null {
    const until = this.#until.get(hash)?.until ?? 0
    return until > now ? until : null
  }

  /** One that exists is made longer, never shorter. Returns its end. */
  add(hash: string, now: number, until: number): number {
    const known = this.#until.get(hash)
    const isRunning = known !== undefined && known.until > now
    const row = {
      hash,
      since: isRunning ? known.since : now,
      until: isRunning ? Math.max(known.until, until) : until,
    }
    this.#sql.exec(
      'INSERT OR REPLACE INTO suppressions (hash, since, until) VALUES (?, ?, ?)',
      hash,
      row.since,
      row.until,
    )
    this.#until.set(hash, row)
    this.#version = crypto.randomUUID()
    return row.until
  }

  /** Whether there was one. */
  end(hash: string, now: number): boolean {
    const was = this.until(hash, now) !== null
    this.#forget([hash])
    return was
  }

  sweep(now: number): void {
    const over = [...this.#until.values()].filter(({ until }) => until <= now)
    this.#forget(over.map(({ hash }) => hash))
  }

  #forget(hashes: readonly string[]): void {
    for (const hash of hashes) {
      this.#sql.exec('DELETE FROM suppressions WHERE hash = ?', hash)
      if (this.#until.delete(hash)) this.#version = crypto.randomUUID()
    }
  }
}
