/**
 * An access token for the Platform APIs: OAuth server-to-server, as the Developer Console makes the credential.
 * Promises: the secret travels in the body (Adobe: query parameters may be logged); neither it nor the token is ever
 * printed, also when a server repeats them.
 */
import { isNonEmptyString, isObject, jsonIn } from '../../worker/lib/json.ts'
import { PlatformError, type Refusal, readRefusal } from './platform-error.ts'
import { keepSecret } from './printable.ts'
import { AnswerTooLarge, answerText } from './text.ts'

export type Credential = {
  readonly clientId: string
  readonly clientSecret: string
  readonly scopes: string
  /** Without a slash at its end. */
  readonly imsUrl: string
}

const TIMEOUT_MS = 30_000
const TOKEN_PATH = '/ims/token/v3'
const MAX_ANSWER_BYTES = 65_536

export async function requestToken(
  { clientId, clientSecret, scopes, imsUrl }: Credential,
  fetch: typeof globalThis.fetch,
): Promise<string> {
  keepSecret(clientSecret)
  const request = `POST ${imsUrl}${TOKEN_PATH}`
  const response = await fetch(`${imsUrl}${TOKEN_PATH}`, {
    method: 'POST',
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      client_id: clientId,
      client_secret: clientSecret,
      grant_type: 'client_credentials',
      scope: scopes,
    }).toString(),
  }).catch((error: unknown) => {
    throw new PlatformError(request, unanswered(error))
  })
  const text = await answerText(response, MAX_ANSWER_BYTES).catch((error: unknown) => {
    throw new PlatformError(request, unanswered(error))
  })
  const body = jsonIn(text)
  const token = isObject(body) ? body.access_token : null
  if (response.ok && isNonEmptyString(token)) {
    keepSecret(token)
    return token
  }
  const refusal = response.ok
    ? { status: response.status, code: '', message: 'the answer has no access_token' }
    : readRefusal(response.status, body)
  throw new PlatformError(request, refusal)
}

/** The system's error code, which holds no secret. An answer that never ended is not asked for again. */
export function unanswered(error: unknown): Refusal {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const message = code || (error instanceof Error ? error.name : 'unknown error')
  return { status: error instanceof AnswerTooLarge ? 200 : 0, code: '', message }
}
