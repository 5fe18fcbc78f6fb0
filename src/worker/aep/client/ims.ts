/**
 * An access token from Adobe's Identity Management Service, OAuth server-to-server
 * (developer console, "IMS": POST /ims/token/v3, form body, `expires_in` in seconds).
 *
 * Promises: one request, with a deadline of its own; never throws; never puts a token or a secret into an error.
 * Never caches: see `outbox/token.ts`.
 */

import type { Credentials } from '../../config/config.ts'
import { isObject } from '../../lib/json.ts'
import { withAbort } from '../../lib/timeout.ts'
import { IMS_TIMEOUT_MS, TOKEN_MARGIN_MS } from '../../limits.ts'
import { type Fetch, post } from './post.ts'
import { type Answer, type ErrorCode, type Failure, retryAfterMs, type Verdict } from './verdict.ts'

/** `useUntil`: epoch milliseconds, shortly before it expires. */
export type Token = { value: string; useUntil: number }

export type TokenResult =
  | { token: Token }
  | { failed: Extract<Verdict, { verdict: 'held' | 'deferred' }> }

/** Above this `expires_in` can only be milliseconds, as the deprecated JWT exchange told it (AUTH). */
const MAX_PLAUSIBLE_SECONDS = 1_000_000

export async function requestToken(
  { clientId, clientSecret, scopes, imsUrl }: Credentials,
  { fetch, now }: { fetch: Fetch; now: () => number },
): Promise<TokenResult> {
  const form = new URLSearchParams({
    client_id: clientId,
    client_secret: clientSecret,
    grant_type: 'client_credentials',
    scope: scopes,
  })
  const attempt = {
    url: `${imsUrl}/ims/token/v3`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  }
  try {
    const answer = await post(attempt, IMS_TIMEOUT_MS, { fetch, deadline: withAbort })
    const token = readToken(answer, now())
    return token ? { token } : { failed: refused(answer, now()) }
  } catch {
    return { failed: deferred('token', null, 'no answer from IMS', null) }
  }
}

function readToken(answer: Answer, now: number): Token | null {
  if (answer.status !== 200 || !answer.complete) return null
  try {
    const body: unknown = JSON.parse(answer.body)
    if (!isObject(body)) return null
    const { access_token: value, expires_in: lifetime } = body
    if (typeof value !== 'string' || value === '' || typeof lifetime !== 'number') return null
    const lifetimeMs = lifetime > MAX_PLAUSIBLE_SECONDS ? lifetime : lifetime * 1_000
    return { value, useUntil: now + lifetimeMs - Math.min(TOKEN_MARGIN_MS, lifetimeMs / 10) }
  } catch {
    return null
  }
}

/** IMS says no to who we are (4xx), or is not itself just now. Its texts are not repeated. */
function refused({ status, retryAfter }: Answer, now: number) {
  const wait = retryAfterMs(retryAfter, now)
  const message = `IMS answered ${status}`
  if (status === 429 || status === 408) return deferred('throttled', status, message, wait)
  if (status >= 300 && status < 500) {
    return {
      verdict: 'held' as const,
      reason: 'credentials' as const,
      ...failure('credentials', status, message, wait),
    }
  }
  return deferred('token', status, message, wait)
}

function deferred(code: ErrorCode, status: number | null, message: string, wait: number | null) {
  return { verdict: 'deferred' as const, ...failure(code, status, message, wait) }
}

function failure(
  code: ErrorCode,
  status: number | null,
  message: string,
  retryAfterMs: number | null,
): Failure {
  return { error: { code, status, message }, answer: null, retryAfterMs }
}
