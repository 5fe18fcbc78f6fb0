/**
 * Requests an access token from Adobe's Identity Management Service, OAuth server-to-server (IMS: POST /ims/token/v3,
 * form body, `expires_in` in seconds).
 *
 * Promises: one request, with a deadline; never throws; never puts a token or a secret into an error; never returns a
 * token that cannot be sent in a header.
 * Accepts: while the outbox is out of reach, events for an authenticated inlet wait.
 */
import type { Credentials } from '../../config/config.ts'
import type { Fetch, Timers } from '../../lib/bounded.ts'
import { IMS_TIMEOUT_MS, MAX_TOKEN_CHARACTERS, TOKEN_MARGIN_MS } from '../../limits.ts'
import { logLine, nameOf } from '../../log.ts'
import { poster } from './client.ts'
import { type Ending, type Failure, type HttpAnswer, jsonOf, retryAfterMs } from './verdict.ts'

/** `useUntil` is shortly before the token expires. Both times are epoch milliseconds. */
export type Token = { value: string; obtainedAt: number; useUntil: number }

/** The verdict for every event that needed the token. */
type NoToken = Extract<Ending, Failure>
export type TokenResult = { token: Token } | { failed: NoToken }

/** A larger `expires_in` must be in milliseconds, as in the deprecated JWT exchange (AUTH). */
const MAX_PLAUSIBLE_SECONDS = 1_000_000

/** RFC 6750, 2.1: b64token. */
const B64_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

function isToken(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TOKEN_CHARACTERS && B64_TOKEN.test(value)
}

/** A token dated in the future is not usable: the clock that dated it ran ahead, so its expiry is unknown. */
const isUsable = ({ obtainedAt, useUntil }: Token, now: number) =>
  obtainedAt <= now && now < useUntil

type Deps = { fetch: Fetch; now: () => number; timers?: Timers | undefined }

/** Resolves to a token, or to a verdict with code `token`: `held` if IMS refuses the credentials, else `deferred`. */
export async function requestToken(
  { clientId, clientSecret, scopes, imsUrl }: Credentials,
  { fetch, now, timers }: Deps,
): Promise<TokenResult> {
  const form = new URLSearchParams({
    client_id: clientId,
    client_secret: clientSecret,
    grant_type: 'client_credentials',
    scope: scopes,
  })
  const request = {
    url: `${imsUrl}/ims/token/v3`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  }
  const answer = await poster(fetch, true, timers)(request, IMS_TIMEOUT_MS).catch(() => null)
  if (answer === null) return { failed: deferred(null, 'IMS did not answer') }
  const at = now()
  return answer.status === 200 ? readToken(answer, at) : { failed: judgeRefusal(answer, at) }
}

function readToken(answer: HttpAnswer, now: number): TokenResult {
  const { access_token: value, expires_in: lifetime } = jsonOf(answer) ?? {}
  const isLifetime = typeof lifetime === 'number' && lifetime > 0
  if (!isToken(value) || !isLifetime) {
    return { failed: deferred(200, 'IMS answered 200 without a usable token') }
  }
  const lifetimeMs = lifetime > MAX_PLAUSIBLE_SECONDS ? lifetime : lifetime * 1_000
  const useUntil = now + lifetimeMs - Math.min(TOKEN_MARGIN_MS, lifetimeMs / 10)
  return { token: { value, obtainedAt: now, useUntil } }
}

/** `held` if IMS refuses the credentials (a 4xx), `deferred` if it fails for now. Never repeats the text of IMS. */
function judgeRefusal({ status, retryAfter }: HttpAnswer, now: number): NoToken {
  const wait = retryAfterMs(retryAfter, now)
  const isTemporary = status === 429 || status === 408 || status < 300 || status >= 500
  if (isTemporary) return deferred(status, `IMS answered ${status}`, wait)
  const failure = deferred(status, `IMS refused the credentials with ${status}`, wait)
  return { ...failure, verdict: 'held', reason: 'credentials' }
}

function deferred(status: number | null, message: string, retryAfterMs: number | null = null) {
  const error = { code: 'token', status, message } as const
  return { verdict: 'deferred', error, answer: null, retryAfterMs } as const
}

/** Resolves to a token other than `refused`, or to a verdict without one. Rejects if the outbox does not answer. */
type ObtainToken = (refused: string | null) => Promise<TokenResult>

/** Remembers the token, never a promise of one: what one request of an isolate awaits may never settle in another. */
export class TokenSource {
  readonly #obtain: ObtainToken
  readonly #now: () => number
  #token: Token | null
  #discarded: string | null = null

  constructor(obtain: ObtainToken, now: () => number, token: Token | null = null) {
    this.#obtain = obtain
    this.#now = now
    this.#token = token
  }

  /** Resolves to a token other than `refused`, which AEP did not accept; `null` if any will do. */
  async get(refused: string | null): Promise<TokenResult> {
    const unwanted = refused ?? this.#discarded
    const known = this.#token
    if (known && known.value !== unwanted && isUsable(known, this.#now())) return { token: known }
    const result = await this.#obtain(unwanted)
    if ('token' in result) {
      this.#token = result.token
      this.#discarded = null
    }
    return result
  }

  /** Stops using a token: with it the connection failed, or the headers were refused as too large. */
  discard(value: string): void {
    this.#discarded = value
  }
}

const KEY = 'token'

/**
 * The one of all isolates, in the outbox: asks IMS once at a time, however many wait, and keeps the token over an eviction, in
 * this storage and nowhere else; one that cannot be kept serves all the same, or a full disk would cost what AEP would take.
 * A token of other credentials is not used.
 * `credentials`: `null` where the inlet wants no token, or the configuration cannot be used; an isolate of another deployment
 * may ask all the same.
 */
export function keptTokens(
  kv: { get: <T>(key: string) => T | undefined; put: (key: string, value: unknown) => void },
  credentials: Credentials | null,
  deps: Deps,
): TokenSource {
  if (!credentials) {
    const failed = deferred(null, 'the outbox has no credentials')
    return new TokenSource(async () => ({ failed }), deps.now)
  }
  const of = `${credentials.imsUrl} ${credentials.clientId} ${credentials.scopes}`
  const request = async () => {
    const result = await requestToken(credentials, deps)
    if ('token' in result) {
      try {
        kv.put(KEY, { ...result.token, of })
      } catch (thrown) {
        logLine('error', { event: 'records-failed', name: nameOf(thrown) })
      }
    }
    return result
  }
  let requested: Promise<TokenResult> | null = null
  const obtain = () => {
    requested ??= request().finally(() => {
      requested = null
    })
    return requested
  }
  const kept = kv.get<Token & { of: string }>(KEY)
  return new TokenSource(obtain, deps.now, kept?.of === of ? kept : null)
}
