/**
 * The sixth step of the schema: why an event was set aside stands beside it, and each try of an event with its last one.
 *
 * Promises: events that were set aside before get the cause that `cause.ts` gives to new ones. `causes` equals a `GROUP BY`
 * over `parked` after whatever statement, since triggers keep it; a group that is empty has no row.
 * Accepts: `first_at` and `last_at` are those of all events that a group has had since it was last empty. Triggers cost a row
 * or two written for an event that is set aside, or leaves.
 */
export const STEP_6 = `
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
`
