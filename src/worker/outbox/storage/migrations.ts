/**
 * The schema of a shard, as numbered steps. A step that has shipped is never edited: add the next one.
 * (`PRAGMA user_version` is refused in Durable Objects, so the count stands in a table.)
 *
 * `position` orders by receipt: epoch milliseconds × 4096 + a counter within the millisecond. It is the primary key,
 * so "oldest first" needs no index of its own: each index is one more row written per event.
 * A body is written once: what changes with every try stands in `tries`. An event too large for one record has its
 * records in `parts`, decided once; a part that AEP has accepted is gone from there.
 */
const STEPS: readonly string[] = [
  `
  CREATE TABLE pending (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL
  );
  CREATE TABLE parked (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL
  );
  CREATE INDEX parked_state ON parked (state, position);
  CREATE TABLE tries (
    position INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL,
    strikes INTEGER NOT NULL,
    tried_at INTEGER,
    next_at INTEGER,
    code TEXT NOT NULL,
    status INTEGER,
    message TEXT NOT NULL,
    answer TEXT
  );
  CREATE INDEX tries_next ON tries (next_at) WHERE next_at IS NOT NULL;
  CREATE TABLE parts (
    position INTEGER NOT NULL,
    part INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (position, part)
  ) WITHOUT ROWID;
  CREATE TABLE ledger (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    accepted INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    erased INTEGER NOT NULL,
    destination TEXT NOT NULL
  );
  `,
  `
  ALTER TABLE tries ADD COLUMN throttles INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE tries ADD COLUMN asked_to_wait INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE unfinished (position INTEGER PRIMARY KEY, tries INTEGER NOT NULL);
  `,
]

export function migrate(storage: DurableObjectStorage): void {
  storage.transactionSync(() => {
    const { sql } = storage
    sql.exec('CREATE TABLE IF NOT EXISTS _migrations (step INTEGER PRIMARY KEY)')
    const done = Number(
      sql.exec('SELECT COALESCE(MAX(step), 0) AS step FROM _migrations').one().step,
    )
    for (let step = done; step < STEPS.length; step += 1) {
      sql.exec(STEPS[step] as string)
      sql.exec('INSERT INTO _migrations (step) VALUES (?)', step + 1)
    }
  })
}
