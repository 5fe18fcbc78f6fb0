/**
 * An access token for the Platform APIs: OAuth server-to-server, as the Developer Console makes the credential.
 * Promises: the secret travels in the body (Adobe: query parameters may be logged) and is in no error.
 */
import { PlatformError, readRefusal } from './platform-error.ts'

export type Credential = {
  readonly clientId: string
  readonly clientSecret: string
  readonly scopes: string
  /** Without a slash at its end. */
  readonly imsUrl: string
}

const TIMEOUT_MS = 30_000

export async function requestToken(
  { clientId, clientSecret, scopes, imsUrl }: Credential,
  fetch: typeof globalThis.fetch,
): Promise<string> {
  const response = await fetch(`${imsUrl}/ims/token/v3`, {
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
  })
  const body: unknown = await response.json().catch(() => null)
  const token =
    typeof body === 'object' && body !== null && 'access_token' in body ? body.access_token : null
  if (response.ok && typeof token === 'string' && token !== '') return token
  const refusal = response.ok
    ? { status: response.status, code: '', message: 'the answer has no access_token' }
    : readRefusal(response.status, body)
  throw new PlatformError('POST /ims/token/v3', refusal)
}
