/**
 * The one access token of all isolates and shards, held by shard 0.
 *
 * Promises: asks IMS once at a time, however many wait; keeps the token over an eviction, in the object's storage and
 * nowhere else; hands it out until shortly before it expires; renews it when AEP refused this very token.
 * Accepts: while shard 0 is out of reach, events for an authenticated inlet wait.
 */
import { isUsable, requestToken, type Token, type TokenResult } from '../aep/client/ims.ts'
import type { Fetch } from '../aep/client/post.ts'
import { TokenSource } from '../aep/client/token.ts'
import type { Config, Credentials } from '../config/config.ts'

/** The shard that keeps the access token for all. */
export const TOKEN_SHARD = 'shard-0'

const KEY = 'token'

/** `of`: the credentials it was given for. After they change, the old token is not used any more. */
type KeptToken = Token & { of: string }

export class TokenKeeper {
  readonly #storage: DurableObjectStorage
  readonly #credentials: Credentials
  readonly #deps: { fetch: Fetch; now: () => number }
  #requested: Promise<TokenResult> | null = null

  constructor(
    storage: DurableObjectStorage,
    credentials: Credentials,
    deps: { fetch: Fetch; now: () => number },
  ) {
    this.#storage = storage
    this.#credentials = credentials
    this.#deps = deps
  }

  /** `refused`: a token that AEP did not take, or `null`. */
  async get(refused: string | null): Promise<TokenResult> {
    const kept = this.#storage.kv.get<KeptToken>(KEY)
    if (kept && kept.of === this.#owner() && kept.value !== refused) {
      const { value, obtainedAt, useUntil } = kept
      const token = { value, obtainedAt, useUntil }
      if (isUsable(token, this.#deps.now())) return { token }
    }
    this.#requested ??= this.#request().finally(() => {
      this.#requested = null
    })
    return this.#requested
  }

  async #request(): Promise<TokenResult> {
    const result = await requestToken(this.#credentials, this.#deps)
    if ('token' in result) {
      this.#storage.kv.put(KEY, { ...result.token, of: this.#owner() } satisfies KeptToken)
    }
    return result
  }

  #owner(): string {
    const { clientId, scopes, imsUrl } = this.#credentials
    return `${imsUrl} ${clientId} ${scopes}`
  }
}

/** Where a shard gets its tokens: shard 0 asks IMS, the others ask shard 0. */
export function tokenSource(
  storage: DurableObjectStorage,
  env: Env,
  shard: string,
  { destination }: Config,
): TokenSource {
  const deps = { fetch: (url: string, init: RequestInit) => fetch(url, init), now: Date.now }
  const credentials = destination?.credentials
  const keeper =
    credentials && shard === TOKEN_SHARD ? new TokenKeeper(storage, credentials, deps) : null
  const obtain = (refused: string | null): Promise<TokenResult> =>
    keeper ? keeper.get(refused) : env.OUTBOX.getByName(TOKEN_SHARD).token(refused)
  return new TokenSource(obtain, Date.now)
}
