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
  // Why an event was set aside (`cause.ts`) beside it and counted, kept exact by SQLite itself; each try of an event.
  `
  ALTER TABLE tries ADD COLUMN history TEXT NOT NULL DEFAULT '[]';
  UPDATE tries SET history = json_array(json_array(tried_at, code, status))
    WHERE attempts > 0 AND tried_at IS NOT NULL;
  ALTER TABLE parked ADD COLUMN code TEXT NOT NULL DEFAULT 'unknown';
  ALTER TABLE parked ADD COLUMN path TEXT NOT NULL DEFAULT '';
  UPDATE parked SET
    code = COALESCE((SELECT code FROM tries WHERE tries.position = parked.position), 'unknown'),
    path = COALESCE((
      SELECT CASE
        WHEN code = 'invalid-payload' THEN substr(issue, 1, max(instr(issue, ': ') - 1, 0))
        WHEN pointer > 0 THEN substr(message, pointer + 4,
          instr(substr(message, pointer + 4) || ', ', ', ') - 1)
        ELSE '' END
      FROM (SELECT code, message, substr(message, 1, instr(message || ';', ';') - 1) AS issue,
        instr(message, ' at #') AS pointer FROM tries WHERE tries.position = parked.position)), '');
  UPDATE parked SET path = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    path, '0', '*'), '1', '*'), '2', '*'), '3', '*'), '4', '*'), '5', '*'), '6', '*'), '7', '*'),
    '8', '*'), '9', '*')
    WHERE path GLOB '*[0-9]*';
  UPDATE parked SET path = replace(replace(replace(replace(path, '**', '*'), '**', '*'), '**', '*'),
    '**', '*') WHERE path LIKE '%**%';
  UPDATE parked SET path = '' WHERE path = '#';
  CREATE INDEX parked_cause ON parked (state, code, path, kind, position);
  CREATE TABLE causes (
    state TEXT NOT NULL,
    code TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (state, code, path, kind)
  ) WITHOUT ROWID;
  INSERT INTO causes SELECT state, code, path, kind, COUNT(*), MIN(received_at), MAX(received_at)
    FROM parked GROUP BY state, code, path, kind;
  CREATE TRIGGER parked_counted AFTER INSERT ON parked BEGIN
    INSERT INTO causes VALUES
      (NEW.state, NEW.code, NEW.path, NEW.kind, 1, NEW.received_at, NEW.received_at)
    ON CONFLICT (state, code, path, kind) DO UPDATE SET count = count + 1,
      first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
  END;
  CREATE TRIGGER parked_uncounted AFTER DELETE ON parked BEGIN
    UPDATE causes SET count = count - 1 WHERE state = OLD.state AND code = OLD.code
      AND path = OLD.path AND kind = OLD.kind;
    DELETE FROM causes WHERE state = OLD.state AND code = OLD.code AND path = OLD.path
      AND kind = OLD.kind AND count = 0;
  END;
  CREATE TRIGGER parked_recounted AFTER UPDATE OF state, code, path, kind ON parked BEGIN
    UPDATE causes SET count = count - 1 WHERE state = OLD.state AND code = OLD.code
      AND path = OLD.path AND kind = OLD.kind;
    DELETE FROM causes WHERE state = OLD.state AND code = OLD.code AND path = OLD.path
      AND kind = OLD.kind AND count = 0;
    INSERT INTO causes VALUES
      (NEW.state, NEW.code, NEW.path, NEW.kind, 1, NEW.received_at, NEW.received_at)
    ON CONFLICT (state, code, path, kind) DO UPDATE SET count = count + 1,
      first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
  END;
`,
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
