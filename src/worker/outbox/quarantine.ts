/** Explains why an event is in quarantine: names places and expectations, never values. */
import type { Reading } from '../chatlio/event.ts'
import type { StoredKind } from '../chatlio/kind.ts'
import { MAX_JSON_VALUES } from '../limits.ts'
import type { StoredError } from './event.ts'

/** What came under a type that is no JSON, whatever it is: `redrive` reads it as JSON. */
export type Unsupported = { outcome: 'unsupported-media-type'; kind: StoredKind }

export function quarantineError(
  reading: Exclude<Reading, { outcome: 'valid' }> | Unsupported,
): StoredError {
  if (reading.outcome === 'unsupported-media-type') {
    return { code: reading.outcome, status: null, message: 'not sent as JSON' }
  }
  if (reading.outcome === 'malformed') {
    return { code: 'malformed-json', status: null, message: 'not JSON in UTF-8' }
  }
  if (reading.outcome === 'too-many-values') {
    const message = `more than ${MAX_JSON_VALUES} values`
    return { code: 'too-many-values', status: null, message }
  }
  const places = reading.issues.map(({ path, message }) => (path ? `${path}: ${message}` : message))
  return { code: 'invalid-payload', status: null, message: places.join('; ') }
}
