/**
 * The storage of a Durable Object on `node:sqlite`: SQL, transactions, key-value, alarm.
 *
 * What one turn of the event loop writes is one commit, and is durable only after a while: until then everything lies in one
 * open SQLite transaction with a savepoint a commit, so that a crash can keep any beginning of what was not durable, or
 * nothing of it. Answers wait for what was written before them (the output gate, `object.ts`).
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { deserialize, serialize } from 'node:v8'

type Value = string | number | null | Uint8Array | ArrayBuffer
type Row = Record<string, unknown>
type Prepared = { statement: StatementSync | null; reads: boolean; returns: boolean }

/** What storage does to a statement; `null`: nothing. */
const FULL = 'database or disk is full: SQLITE_FULL'

type StorageFault = { kind: 'full' } | { kind: 'fails'; at: (call: number) => boolean }

export class SimulatedStorage {
  readonly sql = { exec: (query: string, ...bindings: Value[]) => this.#exec(query, bindings) }
  readonly kv = {
    get: (key: string): unknown => this.#get(`kv:${key}`),
    put: (key: string, value: unknown): void => this.#put(`kv:${key}`, value),
    delete: (key: string): void => this.#put(`kv:${key}`, null),
  }
  readonly #db = new DatabaseSync(':memory:')
  readonly #statements = new Map<string, Prepared>()
  #depth = 0
  #calls = 0
  #isDirty = false
  /** Commits since the last that is durable. */
  pending = 0
  /** How often what was committed has become durable. */
  flushes = 0
  /** Of the turn that goes on: whoever waits for it to be durable. */
  #synced: { resolve: () => void; reject: (thrown: unknown) => void }[] = []
  fault: () => StorageFault | null = () => null
  /** An alarm handler runs: its alarm is no longer seen. */
  alarmIsTaken = false
  alarmWasSet = false
  /** Called when there is something to make durable. */
  onDirty: () => void = () => undefined

  constructor() {
    this.#db.exec('CREATE TABLE _cf_METADATA (key TEXT PRIMARY KEY, value BLOB)')
    this.#db.exec('BEGIN')
  }

  transactionSync<Result>(work: () => Result): Result {
    this.#depth += 1
    const name = `t${this.#depth}`
    this.#db.exec(`SAVEPOINT ${name}`)
    try {
      const result = work()
      this.#db.exec(`RELEASE ${name}`)
      return result
    } catch (thrown) {
      this.#db.exec(`ROLLBACK TO ${name}`)
      this.#db.exec(`RELEASE ${name}`)
      throw thrown
    } finally {
      this.#depth -= 1
    }
  }

  async sync(): Promise<void> {
    if (!this.#isDirty && this.pending === 0) return
    await new Promise<void>((resolve, reject) => this.#synced.push({ resolve, reject }))
  }

  async getAlarm(): Promise<number | null> {
    return this.alarmIsTaken && !this.alarmWasSet ? null : this.alarm
  }

  async setAlarm(at: number | Date): Promise<void> {
    this.#mayFail(true)
    this.#put('alarm', Number(at))
    this.alarmWasSet = true
  }

  async deleteAlarm(): Promise<void> {
    this.#put('alarm', null)
  }

  get alarm(): number | null {
    return (this.#get('alarm') as number | undefined) ?? null
  }

  /** Rows of the object's own tables, for an observer: no faults, no effects. */
  look<Result extends object>(query: string, ...bindings: (string | number)[]): Result[] {
    return this.#prepared(query).statement?.all(...bindings) as Result[]
  }

  /** Rows changed so far; those of indexes are not counted. */
  get changes(): number {
    return this.look<{ n: number }>('SELECT total_changes() AS n')[0]?.n ?? 0
  }

  /** A turn has ended: what it has written is one commit. */
  endTurn(): void {
    if (!this.#isDirty) return
    this.#isDirty = false
    this.pending += 1
    this.#db.exec(`SAVEPOINT c${this.pending}`)
    this.onDirty()
  }

  /** Everything that was committed is durable. */
  flushed(): void {
    this.pending = 0
    this.flushes += 1
    this.#db.exec('COMMIT')
    this.#db.exec('BEGIN')
    for (const { resolve } of this.#synced.splice(0)) resolve()
  }

  /** The process is gone: of what was not durable, the first `kept` commits are there. */
  crash(kept: number): void {
    if (kept < this.pending) {
      this.#db.exec(kept === 0 ? 'ROLLBACK' : `ROLLBACK TO c${kept}`)
    }
    if (kept > 0 || this.pending === 0) this.#db.exec('COMMIT')
    this.#db.exec('BEGIN')
    this.pending = 0
    this.#isDirty = false
    this.#synced = []
    this.#depth = 0
    this.alarmIsTaken = false
    this.alarmWasSet = false
  }

  close(): void {
    this.#db.close()
  }

  loseAlarm(): void {
    this.#db.exec("DELETE FROM _cf_METADATA WHERE key = 'alarm'")
  }

  #exec(query: string, bindings: Value[]) {
    const prepared = this.#prepared(query)
    // What changes nothing takes no room: a table that is there already, rows of which there are none.
    const mayGrow =
      !prepared.reads && !/^\s*(DELETE|UPDATE|CREATE TABLE IF NOT EXISTS)/i.test(query)
    this.#mayFail(mayGrow)
    if (!prepared.reads) this.#isDirty = true
    if (!prepared.statement) {
      if (bindings.length > 0) throw new Error(`several statements with bindings: ${query}`)
      this.#db.exec(query)
      return new Cursor([], 0)
    }
    const values = bindings.map((value) =>
      value instanceof ArrayBuffer ? new Uint8Array(value) : value,
    )
    if (prepared.returns) {
      return new Cursor(prepared.statement.all(...values).map(withBuffers), 0)
    }
    if (this.fault()?.kind !== 'full') {
      return new Cursor([], Number(prepared.statement.run(...values).changes))
    }
    this.#db.exec('SAVEPOINT before_full')
    const { changes } = prepared.statement.run(...values)
    const grew = changes > 0 && !/^\s*DELETE/i.test(query)
    this.#db.exec(`${grew ? 'ROLLBACK TO before_full; ' : ''}RELEASE before_full`)
    if (grew) throw new Error(FULL)
    return new Cursor([], Number(changes))
  }

  #prepared(query: string): Prepared {
    let known = this.#statements.get(query)
    if (!known) {
      const reads = /^\s*(SELECT|WITH|PRAGMA|EXPLAIN)/i.test(query)
      // One with a semicolon inside may be several.
      const statement = query.replace(/;\s*$/, '').includes(';') ? null : this.#db.prepare(query)
      known = { statement, reads, returns: reads || /\bRETURNING\b/i.test(query) }
      // Tables come and go while a schema is made; what is prepared then would not know.
      if (statement && !/^\s*(CREATE|DROP|ALTER)/i.test(query)) this.#statements.set(query, known)
    }
    return known
  }

  #mayFail(grows: boolean): void {
    this.#calls += 1
    const fault = this.fault()
    if (fault?.kind === 'full' && grows) {
      throw new Error(FULL)
    }
    if (fault?.kind === 'fails' && fault.at(this.#calls)) {
      throw new Error('disk I/O error: SQLITE_IOERR')
    }
  }

  #get(key: string): unknown {
    const [row] = this.look<{ value: Uint8Array }>(
      'SELECT value FROM _cf_METADATA WHERE key = ?',
      key,
    )
    return row && deserialize(row.value)
  }

  #put(key: string, value: unknown): void {
    if (!key.startsWith('alarm')) this.#mayFail(true)
    this.#isDirty = true
    if (value === null) {
      this.#prepared('DELETE FROM _cf_METADATA WHERE key = ?').statement?.run(key)
    } else {
      this.#prepared('INSERT OR REPLACE INTO _cf_METADATA VALUES (?, ?)').statement?.run(
        key,
        serialize(value),
      )
    }
  }
}

class Cursor {
  readonly rowsWritten: number
  readonly #rows: Row[]

  constructor(rows: Row[], rowsWritten: number) {
    this.#rows = rows
    this.rowsWritten = rowsWritten
  }

  toArray(): Row[] {
    return this.#rows
  }

  one(): Row {
    const [row] = this.#rows
    if (!row || this.#rows.length !== 1) throw new Error('expected exactly one row')
    return row
  }

  [Symbol.iterator](): Iterator<Row> {
    return this.#rows[Symbol.iterator]()
  }
}

function withBuffers(row: Row): Row {
  for (const name in row) {
    const value = row[name]
    if (value instanceof Uint8Array) {
      row[name] = value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength)
    }
  }
  return row
}
