/**
 * The seventh step of the schema: receipts, their index and counters are packed, many to a row.
 *
 * Promises: counters and the last uses of webhook keys come along; suppressions and operators' actions stay as they are.
 * Accepts: receipts of before are forgotten.
 */
import { RECORDS_TABLES } from '../records/records.ts'

const SUMS = (table: string, stepMs: number) => `
  SELECT at - at % 3600000 AS hour, json_object('minute', at - at % ${stepMs}, 'kind', kind,
    'outcome', outcome, 'source', NULL, 'count', count, 'histogram', json(histogram)) AS counted
  FROM ${table}`

export const STEP_7 = `
ALTER TABLE totals RENAME TO old_totals;
ALTER TABLE receipts RENAME TO old_receipts;
${RECORDS_TABLES}
INSERT INTO activity (hour, sums, minutes)
  SELECT hour, json_group_array(json(counted)), '[]' FROM (${SUMS('hours', 3_600_000)}
    UNION ALL ${SUMS('minutes', 3_600_000)}) GROUP BY hour;
UPDATE activity SET minutes = IFNULL((
  SELECT json_group_array(json(counted)) FROM (${SUMS('minutes', 60_000)}) AS m
  WHERE m.hour = activity.hour), '[]');
INSERT INTO totals (only, totals)
  SELECT 1, json_object('forwarded', forwarded, 'suppressed', suppressed, 'keys',
    json((SELECT json_group_object(fingerprint, last_used_at) FROM webhook_keys))) FROM old_totals;
DROP TABLE old_totals;
DROP TABLE old_receipts;
DROP TABLE lookups;
DROP TABLE minutes;
DROP TABLE hours;
DROP TABLE carriers;
DROP TABLE webhook_keys;
DROP INDEX pending_without_hashes;
DROP INDEX parked_without_hashes;
`
