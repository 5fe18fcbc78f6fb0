/**
 * The one access token of all isolates, held by the outbox.
 *
 * Promises: asks IMS once at a time, however many wait; keeps the token over an eviction, in the object's storage and
 * nowhere else; hands it out until shortly before it expires; renews it when AEP refused this very token.
 * Accepts: while the outbox is out of reach, events for an authenticated inlet wait.
 */
import { isUsable, requestToken, type Token, type TokenResult } from '../aep/client/ims.ts'
import type { Ending } from '../aep/client/verdict.ts'
import type { Credentials } from '../config/config.ts'
import type { Fetch, Timers } from '../lib/bounded.ts'

const KEY = 'token'

/** `of`: the credentials it was given for. After they change, the old token is not used any more. */
type KeptToken = Token & { of: string }

export class TokenKeeper {
  readonly #storage: DurableObjectStorage
  readonly #credentials: Credentials | null
  readonly #deps: { fetch: Fetch; now: () => number; timers: Timers }
  #requested: Promise<TokenResult> | null = null

  constructor(
    storage: DurableObjectStorage,
    /** `null`: the inlet wants no token, or the configuration cannot be used. */
    credentials: Credentials | null,
    deps: { fetch: Fetch; now: () => number; timers: Timers },
  ) {
    this.#storage = storage
    this.#credentials = credentials
    this.#deps = deps
  }

  /** `refused`: a token that AEP did not take, or `null`. */
  async get(refused: string | null): Promise<TokenResult> {
    const credentials = this.#credentials
    if (!credentials) return { failed: NO_CREDENTIALS }
    const kept = this.#storage.kv.get<KeptToken>(KEY)
    if (kept && kept.of === ownerOf(credentials) && kept.value !== refused) {
      const { value, obtainedAt, useUntil } = kept
      const token = { value, obtainedAt, useUntil }
      if (isUsable(token, this.#deps.now())) return { token }
    }
    this.#requested ??= this.#request(credentials).finally(() => {
      this.#requested = null
    })
    return this.#requested
  }

  async #request(credentials: Credentials): Promise<TokenResult> {
    const result = await requestToken(credentials, this.#deps)
    if ('token' in result) {
      this.#storage.kv.put(KEY, { ...result.token, of: ownerOf(credentials) } satisfies KeptToken)
    }
    return result
  }
}

function ownerOf({ clientId, scopes, imsUrl }: Credentials): string {
  return `${imsUrl} ${clientId} ${scopes}`
}

/** An isolate of another deployment wants a token that these settings do not know. */
const NO_CREDENTIALS: Ending = {
  verdict: 'deferred',
  error: { code: 'token', status: null, message: 'the outbox has no credentials' },
  answer: null,
  retryAfterMs: null,
}
