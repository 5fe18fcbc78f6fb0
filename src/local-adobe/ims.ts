/**
 * Ims: Adobe's token endpoint for OAuth server-to-server credentials. Its tokens expire after
 * `tokenLifetimeS` seconds and can be revoked all at once.
 * It reads credentials from the form body only: Adobe advises against the query, which gets logged.
 */
import type { Settings } from './settings.ts'

type TokenAnswer = { readonly status: number; readonly body: unknown }

/** The result of checking an Authorization header; `label` identifies the token without revealing it. */
export type Credential = {
  readonly valid: boolean
  readonly label: string
  readonly why: string
  /** Whose token it is; null for none of this server's. */
  readonly clientId: string | null
}

type Token = {
  readonly clientId: string
  readonly label: string
  readonly expiresAt: number
  revoked: boolean
}

export class Ims {
  readonly #now: () => number
  readonly #tokens = new Map<string, Token>()
  #count = 0

  constructor(now: () => number) {
    this.#now = now
  }

  issue(form: URLSearchParams, settings: Settings): TokenAnswer {
    const missing = ['client_id', 'client_secret', 'grant_type', 'scope'].find((k) => !form.get(k))
    if (missing) return failure(400, 'invalid_request', `${missing} is missing`)
    if (form.get('grant_type') !== 'client_credentials') {
      return failure(400, 'unsupported_grant_type', 'grant_type must be client_credentials')
    }
    const clientId = form.get('client_id') ?? ''
    const secret = secretOf(clientId, settings)
    if (secret === null) return failure(400, 'invalid_client', 'invalid client_id parameter')
    if (form.get('client_secret') !== secret) {
      return failure(401, 'invalid_client', 'invalid client_secret parameter')
    }
    this.#count += 1
    const token = `local-access-token-${this.#count}-6b1f0c`
    this.#tokens.set(token, {
      clientId,
      label: `token-${this.#count}`,
      expiresAt: this.#now() + settings.tokenLifetimeS * 1000,
      revoked: false,
    })
    const expiresIn = settings.tokenLifetimeS
    return {
      status: 200,
      body: { access_token: token, token_type: 'bearer', expires_in: expiresIn },
    }
  }

  /** Every token issued so far stops working. */
  revoke(): void {
    for (const token of this.#tokens.values()) token.revoked = true
  }

  check(authorization: string | null): Credential {
    const refuse = (label: string, state: string): Credential => ({
      valid: false,
      label,
      why: `Ims service token is ${state}`,
      clientId: null,
    })
    if (!authorization) return refuse('none', 'empty')
    const token = this.#tokens.get(authorization.replace(/^Bearer +/i, ''))
    if (!token) return refuse('unknown', 'not valid')
    const { label, expiresAt, revoked, clientId } = token
    if (revoked) return refuse(label, 'revoked')
    if (this.#now() >= expiresAt) return refuse(label, 'expired')
    return { valid: true, label, why: '', clientId }
  }
}

function secretOf(clientId: string, settings: Settings): string | null {
  if (clientId === settings.clientId) return settings.clientSecret
  return clientId === settings.readClientId ? settings.readClientSecret : null
}

const failure = (status: number, error: string, description: string): TokenAnswer => ({
  status,
  body: { error, error_description: description },
})
