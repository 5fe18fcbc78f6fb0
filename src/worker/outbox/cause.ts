/**
 * Why an event was set aside, in the form by which such events are grouped, counted, listed and alerted about. Pure.
 * Accepts: numbers in a path become `*`, so `messages.0.text` and `messages.7.text` are one cause, and so are two names
 * that differ in a digit only.
 */
import type { StoredKind } from '../chatlio/kind.ts'
import type { ParkedState } from './event.ts'

/** `path`: the first documented place that is not valid, or the first pointer of AEP's report; empty where neither is known. */
export type Reason = { code: string; path: string }

/** Events set aside in one state for one reason. */
export type Cause = Reason & { state: ParkedState; kind: StoredKind }

export function causeKey({ state, kind, code, path }: Cause): string {
  return [state, kind, code, path].join(' ')
}

/** Reads the two forms of `message`: `quarantine.ts`, `aep/client/report.ts`. */
export function reasonOf(error: { code: string; message: string } | null): Reason {
  if (!error) return { code: 'unknown', path: '' }
  const { code, message } = error
  const place = code === 'invalid-payload' ? /^([^;]*?): / : / at (#.*?)(?:, |$)/s
  const path = (place.exec(message)?.[1] ?? '').replaceAll(/[\d*]+/g, '*')
  return { code, path: path === '#' ? '' : path }
}
