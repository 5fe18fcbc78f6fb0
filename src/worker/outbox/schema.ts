/**
 * The tables of the outbox, as numbered steps; and storage of the last layout before 1.0.0, opened as one of these.
 *
 * Promises: storage of any version that has landed ends with the same tables as new storage, with every event kept.
 * Never: edits a step of a released version. The number of steps done stands in a table, because Durable Objects refuse
 * `PRAGMA user_version`.
 */
import { ALERTS_FROM_LAST_LAYOUT, ALERTS_TABLES } from './alerts/tables.ts'
import { EVENTS_TABLES } from './events.ts'
import { RECORDS_FROM_LAST_LAYOUT, RECORDS_TABLES } from './records/tables.ts'

const STEPS: readonly string[] = [EVENTS_TABLES + RECORDS_TABLES + ALERTS_TABLES]

/** Runs the steps that this storage has not seen, in one transaction: all of them or none. Throws what SQLite throws. */
export function migrate(storage: DurableObjectStorage): void {
  storage.transactionSync(() => {
    const { sql } = storage
    const old = setLastLayoutAside(sql)
    sql.exec('CREATE TABLE IF NOT EXISTS migrations (step INTEGER PRIMARY KEY)')
    const { done } = sql
      .exec<{ done: number }>('SELECT COALESCE(MAX(step), 0) AS done FROM migrations')
      .one()
    for (const [index, step] of STEPS.entries()) {
      if (index < done) continue
      sql.exec(step)
      sql.exec('INSERT INTO migrations VALUES (?)', index + 1)
    }
    if (old.length === 0) return
    sql.exec(EVENTS_FROM_LAST_LAYOUT + RECORDS_FROM_LAST_LAYOUT + ALERTS_FROM_LAST_LAYOUT)
    for (const name of old) sql.exec(`DROP TABLE last_${name}`)
  })
}

/** Its tables are called `last_…` from now on. Returns their names; none where the storage is new, or of today. */
function setLastLayoutAside(sql: SqlStorage): string[] {
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
 * Events lay in `pending` and `parked`, their attempts in `tries`. Parts of the very first versions have the envelope of
 * the day around them; the one that counts is added when they are sent. What was erased did not say by whom.
 */
const EVENTS_FROM_LAST_LAYOUT = `
INSERT INTO events (position, id, state, kind, received_at, hashes, begun, body)
  SELECT position, id, 'pending', kind, received_at, IFNULL(hashes, ''), 0, body FROM last_pending;
INSERT INTO events (position, id, state, kind, received_at, hashes, code, path, begun, body)
  SELECT position, id, state, kind, received_at, IFNULL(hashes, ''), code, path, 0, body
  FROM last_parked;
INSERT INTO attempts (position, attempts, strikes, struck_at, throttles, refused, tried_at, next_at,
    asked_to_wait, code, status, message, answer, history)
  SELECT position, attempts, strikes, IIF(strikes > 0, tried_at, NULL), throttles,
    code = 'rejected' AND state = 'pending', tried_at, next_at, asked_to_wait, last_tries.code, status,
    message, answer, history
  FROM last_tries JOIN events USING (position);
INSERT INTO parts SELECT position, part,
    IIF(record LIKE '{"header":%', substr(record, instr(record, ',"xdmEntity":') + 13,
      length(record) - instr(record, ',"xdmEntity":') - 14), record)
  FROM last_parts;
INSERT INTO splits SELECT position, '', MAX(part) + 1, 0 FROM parts GROUP BY position;
UPDATE ledger SET (accepted, delivered, deleted, aep) = (SELECT accepted, delivered, erased,
  json_object('pause', json(IFNULL(json_extract(destination, '$.pause'),
    '{"paused":false,"at":0}'))) FROM last_ledger);
`
