/**
 * The key of the lookup hashes. Shard 0 makes it once and keeps it; the others ask for it when they first need it.
 *
 * Promises: never holds up the storing of an event. A shard that does not know the key yet stores without hashes, and adds
 * them when it does.
 */
import { LOOKUP_KEY_BYTES, LookupHash } from '../../receipts/lookup-hash.ts'
import { TOKEN_SHARD } from '../token-keeper.ts'

const KEY = 'lookup-key'

export class LookupKey {
  readonly #obtain: () => Promise<Uint8Array>
  #hash: LookupHash | null = null
  #asked: Promise<LookupHash | null> | null = null

  constructor(storage: DurableObjectStorage, env: Env, shard: string) {
    this.#obtain = () => env.OUTBOX.getByName(TOKEN_SHARD).lookupKey()
    if (shard !== TOKEN_SHARD) return
    let key = storage.kv.get<Uint8Array>(KEY)
    if (!key) {
      key = crypto.getRandomValues(new Uint8Array(LOOKUP_KEY_BYTES))
      storage.kv.put(KEY, key)
    }
    this.#hash = new LookupHash(key)
  }

  /** `null` while it is not known here. */
  get known(): LookupHash | null {
    return this.#hash
  }

  /** `null` when shard 0 does not answer. */
  async get(): Promise<LookupHash | null> {
    if (this.#hash) return this.#hash
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = null
    })
    return this.#asked
  }

  async #ask(): Promise<LookupHash | null> {
    try {
      this.#hash = new LookupHash(await this.#obtain())
    } catch {
      // Asked again with the next event or sweep.
    }
    return this.#hash
  }
}
