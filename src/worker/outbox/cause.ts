/**
 * Why an event was set aside, in the form by which such events are grouped: code and place. Pure.
 * Accepts: numbers in a place become `*`, so `messages.0.text` and `messages.7.text` are one cause, and so are two names
 * that differ in a digit only.
 */

/** `path`: the first documented place that is not valid, or the first pointer of AEP's report; empty where neither is known. */
export type Cause = { code: string; path: string }

/** Reads the two forms of `message`: `quarantine.ts`, `aep/client/report.ts`. */
export function causeOf(error: { code: string; message: string } | null): Cause {
  if (!error) return { code: 'unknown', path: '' }
  const { code, message } = error
  const place = code === 'invalid-payload' ? /^([^;]*?): / : / at (#.*?)(?:, |$)/s
  const path = (place.exec(message)?.[1] ?? '').replaceAll(/[\d*]+/g, '*')
  return { code, path: path === '#' ? '' : path }
}
