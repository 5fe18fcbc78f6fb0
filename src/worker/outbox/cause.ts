/**
 * Why an event was parked, in the form by which such events are grouped, counted, listed and alerted about. Names places
 * and expectations, never values. Pure.
 * Accepts: numbers in a path become `*`, so `messages.0.text` and `messages.7.text` are one cause, and so are two names
 * that differ in a digit only.
 */

import type { Reading } from '../chatlio/event.ts'
import type { StoredKind } from '../chatlio/kind.ts'
import { MAX_JSON_VALUES } from '../limits.ts'
import type { ParkedState, StoredError } from './event.ts'

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

/** `path`: the first documented place that is not valid, or the first pointer of AEP's report; empty where neither is known. */
export type Reason = { code: string; path: string }

/** Events parked in one state for one reason. */
export type Cause = Reason & { state: ParkedState; kind: StoredKind }

export function causeKey({ state, kind, code, path }: Cause): string {
  return [state, kind, code, path].join(' ')
}

/** Reads the two forms of `message`: that of `quarantineError`, and AEP's (`aep/client/verdict.ts`). */
export function reasonOf(error: { code: string; message: string } | null): Reason {
  if (!error) return { code: 'unknown', path: '' }
  const { code, message } = error
  const place = code === 'invalid-payload' ? /^([^;]*?): / : / at (#.*?)(?:, |$)/s
  const path = (place.exec(message)?.[1] ?? '').replaceAll(/[\d*]+/g, '*')
  return { code, path: path === '#' ? '' : path }
}
