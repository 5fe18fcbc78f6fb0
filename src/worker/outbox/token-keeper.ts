/**
 * The one access token of all isolates and shards, held by shard 0.
 *
 * Promises: asks IMS once at a time, however many wait; keeps the token over an eviction, in the object's own storage
 * and nowhere else; hands it out until shortly before it expires; renews it when told that this very token was
 * refused.
 * Accepts: while shard 0 is out of reach, events for an authenticated inlet wait.
 */
import { requestToken, type Token, type TokenResult } from '../aep/client/ims.ts'
import type { Fetch } from '../aep/client/post.ts'
import { TokenSource } from '../aep/client/token.ts'
import type { Config, Credentials } from '../config/config.ts'
import { TOKEN_SHARD } from './shards.ts'

const KEY = 'token'

/** `of`: whose token it is. After a change of credentials the old one is not used any more. */
type Kept = Token & { of: string }

export class TokenKeeper {
  readonly #storage: DurableObjectStorage
  readonly #credentials: Credentials
  readonly #deps: { fetch: Fetch; now: () => number }
  #asking: Promise<TokenResult> | null = null

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
    const kept = this.#storage.kv.get<Kept>(KEY)
    if (kept && kept.of === this.#owner() && kept.value !== refused) {
      const { value, useUntil } = kept
      if (useUntil > this.#deps.now()) return { token: { value, useUntil } }
    }
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  async #ask(): Promise<TokenResult> {
    const result = await requestToken(this.#credentials, this.#deps)
    if ('token' in result) {
      this.#storage.kv.put(KEY, { ...result.token, of: this.#owner() } satisfies Kept)
    }
    return result
  }

  #owner(): string {
    const { clientId, scopes, imsUrl } = this.#credentials
    return `${imsUrl} ${clientId} ${scopes}`
  }
}

/** What a shard sends with: shard 0 asks IMS, the others ask shard 0. */
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
  const ask = (refused: string | null): Promise<TokenResult> =>
    keeper ? keeper.get(refused) : env.OUTBOX.getByName(TOKEN_SHARD).token(refused)
  return new TokenSource(ask, Date.now)
}
