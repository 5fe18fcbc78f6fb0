/**
 * The schema of a shard, as numbered steps.
 *
 * Promises: storage written by any version that has landed ends with the same schema as new storage, with every row kept.
 * Never: edits a step that has landed. Add the next one, its hash (`test/unit/migrations.test.ts`) and the storage it
 * leaves (`test/fixtures/storage`).
 * The number of steps done stands in a table, because Durable Objects refuse `PRAGMA user_version`.
 *
 * `position` orders by receipt: epoch milliseconds × 4096 + a counter within the millisecond. It is the primary key,
 * so "oldest first" needs no further index, and every index would add one row written per event.
 * A body is written once; what changes with every try is in `tries`. The records of an event that is too large for one
 * are in `parts`: the split is decided once, and a part leaves the table when AEP has accepted it.
 */
import { STEP_6 } from './step-6.ts'
import { STEP_7 } from './step-7.ts'

export const STEPS: readonly string[] = [
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
  // Step 1 was edited once after it had landed: storage written before that edit has no `parts`.
  `
  CREATE TABLE IF NOT EXISTS parts (
    position INTEGER NOT NULL,
    part INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (position, part)
  ) WITHOUT ROWID;
  `,
  // Throttled events, waits that AEP asked for, and tries of large events that never ended.
  `
  ALTER TABLE tries ADD COLUMN throttles INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE tries ADD COLUMN asked_to_wait INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE unfinished (position INTEGER PRIMARY KEY, tries INTEGER NOT NULL);
  `,
  // States of alerts (shard 0), a record of refused events for them, and changes of what Chatlio sends (shard 0).
  `
  CREATE TABLE alerts (only INTEGER PRIMARY KEY CHECK (only = 1), states TEXT NOT NULL);
  CREATE TABLE refused (seq INTEGER PRIMARY KEY, position INTEGER NOT NULL);
  CREATE TRIGGER parked_refused AFTER INSERT ON parked BEGIN
    INSERT INTO refused (position) VALUES (NEW.position);
  END;
  CREATE TRIGGER parked_dead AFTER UPDATE OF state ON parked BEGIN
    INSERT INTO refused (position) VALUES (NEW.position);
  END;
  CREATE TABLE drift (
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    change TEXT NOT NULL,
    from_type TEXT,
    to_type TEXT,
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    sample TEXT,
    accepted INTEGER NOT NULL,
    PRIMARY KEY (kind, path, change)
  ) WITHOUT ROWID;
  CREATE TABLE drift_known (
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (kind, path)
  ) WITHOUT ROWID;
  `,
  // Events are found by keyed hashes, receipts remember delivered ones; counters, suppressions, operators' actions.
  `
  ALTER TABLE pending ADD COLUMN hashes TEXT;
  ALTER TABLE parked ADD COLUMN hashes TEXT;
  CREATE INDEX pending_without_hashes ON pending (position) WHERE hashes IS NULL;
  CREATE INDEX parked_without_hashes ON parked (position) WHERE hashes IS NULL;
  CREATE TABLE lookups (
    hash TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (hash, position)
  ) WITHOUT ROWID;
  CREATE TABLE receipts (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    settled_at INTEGER NOT NULL,
    via TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    hashes TEXT NOT NULL
  );
  CREATE TABLE minutes (
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    count INTEGER NOT NULL,
    histogram TEXT NOT NULL,
    PRIMARY KEY (at, kind, outcome)
  ) WITHOUT ROWID;
  CREATE TABLE hours (
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    count INTEGER NOT NULL,
    histogram TEXT NOT NULL,
    PRIMARY KEY (at, kind, outcome)
  ) WITHOUT ROWID;
  CREATE TABLE carriers (
    isolate TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE totals (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    forwarded INTEGER NOT NULL,
    suppressed INTEGER NOT NULL
  );
  INSERT INTO totals VALUES (1, 0, 0);
  CREATE TABLE webhook_keys (
    fingerprint TEXT PRIMARY KEY,
    last_used_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE suppressions (
    hash TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE operator_log (
    position INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    action TEXT NOT NULL,
    counts TEXT NOT NULL
  );
  `,
  STEP_6,
  STEP_7,
]

/** Runs the steps that this storage has not seen, in one transaction: all of them or none. Throws what SQLite throws. */
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
