/**
 * The tables of the outbox, as numbered steps; and storage of the last layout before 1.0.0, opened as one of these.
 *
 * Promises: storage of any version that has landed ends with the same tables as new storage, with every event kept.
 * `position` orders by receipt: epoch milliseconds × 4096 + a counter within the millisecond. It is the primary key, so
 * that a drain reads neighbouring pages. Every index costs each event one more row written.
 * Never: edits a step of a released version. The number of steps done stands in a table, because Durable Objects refuse
 * `PRAGMA user_version`.
 */
import { ALERTS_TABLES } from './alerts.ts'
import { DRIFT_TABLES } from './drift.ts'
import { REDRIVEN_COLUMN } from './records/operator-log.ts'
import { RECORDS_TABLES } from './records/records.ts'

/** Columns stand here once: the tables and the statements that fill them are made of these. */
export const EVENT_COLUMNS = {
  position: 'INTEGER PRIMARY KEY',
  id: 'TEXT NOT NULL UNIQUE',
  state: 'TEXT NOT NULL',
  kind: 'TEXT NOT NULL',
  // The name of its webhook key.
  source: 'TEXT',
  received_at: 'INTEGER NOT NULL',
  // What it is found by, see `records/`.
  hashes: 'TEXT NOT NULL',
  // Why it is parked, see `reasonOf`; NULL while it is pending.
  code: 'TEXT',
  path: 'TEXT',
  // How often processing it has begun and not ended; counted for large events only.
  begun: 'INTEGER NOT NULL',
  body: 'BLOB NOT NULL',
} as const

export const ATTEMPT_COLUMNS = {
  position: 'INTEGER PRIMARY KEY',
  attempts: 'INTEGER NOT NULL',
  strikes: 'INTEGER NOT NULL',
  struck_at: 'INTEGER',
  throttles: 'INTEGER NOT NULL',
  // AEP refused it, and that does not count against it.
  refused: 'INTEGER NOT NULL',
  tried_at: 'INTEGER',
  next_at: 'INTEGER',
  // `next_at` is what AEP's `Retry-After` asked for.
  asked_to_wait: 'INTEGER NOT NULL',
  code: 'TEXT NOT NULL',
  status: 'INTEGER',
  message: 'TEXT NOT NULL',
  answer: 'TEXT',
  // `[[tried_at, code, status], …]`: the first and the latest.
  history: 'TEXT NOT NULL',
} as const

const createTable = (name: string, columns: Record<string, string>) =>
  `CREATE TABLE ${name} (${Object.entries(columns).map((column) => column.join(' '))});`

const CAUSE_ROW =
  '(NEW.state, NEW.code, NEW.path, NEW.kind, 1, NEW.received_at, NEW.received_at, 1)'
const COUNT_CAUSE = `INSERT INTO causes VALUES ${CAUSE_ROW}
  ON CONFLICT (state, code, path, kind) DO UPDATE SET count = count + 1, uncounted = uncounted + 1,
    first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);`
const OLD_CAUSE = 'state = OLD.state AND code = OLD.code AND path = OLD.path AND kind = OLD.kind'
const UNCOUNT_CAUSE = `UPDATE causes SET count = count - 1, uncounted = min(uncounted, count - 1)
  WHERE ${OLD_CAUSE};
  DELETE FROM causes WHERE ${OLD_CAUSE} AND count = 0;`

/**
 * `causes` equals a `GROUP BY` over the events that are parked, after whatever statement, since triggers keep it: a page
 * that reads it reads a few rows, not all events. `first_at` and `last_at` are those of all events that a group has had
 * since it was last empty; `uncounted` are those that no alert has counted yet.
 */
const EVENTS_TABLES = `
${createTable('events', EVENT_COLUMNS)}
CREATE INDEX events_state ON events (state, position);
CREATE INDEX events_cause ON events (state, code, path, kind, position) WHERE code IS NOT NULL;
${createTable('attempts', ATTEMPT_COLUMNS)}
CREATE INDEX attempts_due ON attempts (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE parts (
  position INTEGER NOT NULL,
  part INTEGER NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (position, part)
) WITHOUT ROWID;
CREATE TABLE splits (
  position INTEGER PRIMARY KEY,
  made_for TEXT NOT NULL,
  parts INTEGER NOT NULL,
  generation INTEGER NOT NULL
);
CREATE TABLE causes (
  state TEXT NOT NULL,
  code TEXT NOT NULL,
  path TEXT NOT NULL,
  kind TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  uncounted INTEGER NOT NULL,
  PRIMARY KEY (state, code, path, kind)
) WITHOUT ROWID;
CREATE TRIGGER cause_counted AFTER INSERT ON events WHEN NEW.code IS NOT NULL BEGIN
  ${COUNT_CAUSE}
END;
CREATE TRIGGER cause_uncounted AFTER DELETE ON events WHEN OLD.code IS NOT NULL BEGIN
  ${UNCOUNT_CAUSE}
END;
CREATE TRIGGER cause_left AFTER UPDATE OF state, code, path, kind ON events
  WHEN OLD.code IS NOT NULL BEGIN
  ${UNCOUNT_CAUSE}
END;
CREATE TRIGGER cause_entered AFTER UPDATE OF state, code, path, kind ON events
  WHEN NEW.code IS NOT NULL BEGIN
  ${COUNT_CAUSE}
END;
CREATE TABLE ledger (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  accepted INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  expired INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  person INTEGER NOT NULL,
  aep TEXT NOT NULL
);
INSERT INTO ledger VALUES (1, 0, 0, 0, 0, 0, '{}');
`

const STEPS: readonly string[] = [
  EVENTS_TABLES + RECORDS_TABLES + ALERTS_TABLES + DRIFT_TABLES,
  REDRIVEN_COLUMN,
]

/** Runs the steps that this storage has not seen, in one transaction: all of them or none. Throws what SQLite throws. */
export function migrate(storage: DurableObjectStorage): void {
  storage.transactionSync(() => {
    const { sql } = storage
    const old = renameLastLayout(sql)
    sql.exec('CREATE TABLE IF NOT EXISTS migrations (step INTEGER PRIMARY KEY)')
    const { done } = sql
      .exec<{ done: number }>('SELECT COALESCE(MAX(step), 0) AS done FROM migrations')
      .one()
    for (const [index, step] of STEPS.slice(done).entries()) {
      sql.exec(step)
      sql.exec('INSERT INTO migrations VALUES (?)', done + index + 1)
    }
    if (old.length === 0) return
    sql.exec(EVENTS_FROM_LAST_LAYOUT + OTHERS_FROM_LAST_LAYOUT)
    for (const name of old) sql.exec(`DROP TABLE last_${name}`)
  })
}

/** Its tables are called `last_…` from now on. Returns their names; none where the storage is new, or of today. */
function renameLastLayout(sql: SqlStorage): string[] {
  const objects = sql
    .exec<{ type: string; name: string }>(
      `SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL
         AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
    )
    .toArray()
  if (!objects.some(({ name }) => name === '_migrations')) return []
  for (const { type, name } of objects) {
    if (type === 'trigger' || type === 'index') sql.exec(`DROP ${type} ${name}`)
  }
  const tables = objects.filter(({ type }) => type === 'table').map(({ name }) => name)
  for (const name of tables) sql.exec(`ALTER TABLE ${name} RENAME TO last_${name}`)
  return tables
}

/**
 * The last layout kept events in `pending` and `parked`, and their attempts in `tries`. Parts of its first versions are still
 * wrapped in the envelope of their day, which is cut off: the current one is added when they are sent. The settings that parts
 * were made for follow from where they keep their part number; they were made before redaction (`*`). Erasures named nobody.
 */
const EVENTS_FROM_LAST_LAYOUT = `
INSERT INTO events (position, id, state, kind, received_at, hashes, begun, body)
  SELECT position, id, 'pending', kind, received_at, IFNULL(hashes, ''), 0, body FROM last_pending;
INSERT INTO events (position, id, state, kind, received_at, hashes, code, path, begun, body)
  SELECT position, id, state, kind, received_at, IFNULL(hashes, ''), code, path, 0, body
  FROM last_parked;
UPDATE causes SET uncounted = 0;
INSERT INTO attempts (position, attempts, strikes, struck_at, throttles, refused, tried_at, next_at,
    asked_to_wait, code, status, message, answer, history)
  SELECT position, attempts, strikes, IIF(strikes > 0, tried_at, NULL), throttles,
    last_tries.code = 'rejected' AND state = 'pending', tried_at, next_at, asked_to_wait, last_tries.code, status,
    message, answer, history
  FROM last_tries JOIN events USING (position);
INSERT INTO parts SELECT position, part,
    IIF(record LIKE '{"header":%', substr(record, instr(record, ',"xdmEntity":') + 13,
      length(record) - instr(record, ',"xdmEntity":') - 14), record)
  FROM last_parts;
INSERT INTO splits (position, made_for, parts, generation)
  SELECT position, IFNULL('xdm ' || substr(tenant.key, 2), 'raw') || ' *',
    json_extract(record, IIF(tenant.key IS NULL, '$.part.count', '$."' || tenant.key || '".chatlio.part.count')), 0
  FROM parts LEFT JOIN json_each(record) AS tenant
    ON tenant.type = 'object' AND tenant.key LIKE '\\_%' ESCAPE '\\'
      AND json_type(tenant.value, '$.chatlio.part') = 'object'
  GROUP BY position;
UPDATE ledger SET (accepted, delivered, deleted, aep) = (SELECT accepted, delivered, erased,
  json_object('pause', json(IFNULL(json_extract(destination, '$.pause'),
    '{"paused":false,"at":0}'))) FROM last_ledger);
`

/**
 * Receipts and activity of the last layout are not taken over: they were never more than a lower bound. Nor are fields that
 * were called gone, after one event without them.
 */
const OTHERS_FROM_LAST_LAYOUT = `
INSERT INTO suppressions (hash, since, until) SELECT hash, since, until FROM last_suppressions;
INSERT INTO operator_log (position, at, by, action, counts)
  SELECT position, at, by, action, counts FROM last_operator_log;
INSERT INTO alerts SELECT only, states FROM last_alerts;
INSERT INTO drift SELECT kind, path, change, from_type, to_type, count, first_at, last_at, event_id,
    sample, accepted FROM last_drift WHERE change <> 'gone';
INSERT INTO totals SELECT 1, json_object('forwarded', forwarded, 'suppressed', suppressed, 'unavailable', 0,
    'uninformed', 0, 'keys', (SELECT json_group_object(fingerprint, last_used_at)
      FROM last_webhook_keys), 'isolates', json('{}')) FROM last_totals;
`
