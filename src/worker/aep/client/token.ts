/**
 * The access token as a sender sees it: remembered here, obtained by way of shard 0 (`outbox/token-keeper.ts`).
 * Remembers the token, never a promise: a promise made in another request may never resolve in this one.
 */
import { isUsable, type Token, type TokenResult } from './ims.ts'

/** Returns a token other than `refused`, if there is one to be had. */
export type ObtainToken = (refused: string | null) => Promise<TokenResult>

export class TokenSource {
  readonly #obtain: ObtainToken
  readonly #now: () => number
  #token: Token | null = null
  #discarded: string | null = null

  constructor(obtain: ObtainToken, now: () => number) {
    this.#obtain = obtain
    this.#now = now
  }

  /** `refused`: a token that AEP did not take; `null` for any. */
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

  /** Never used again: a request with it found no connection, or was refused for the size of its headers. */
  discard(value: string): void {
    this.#discarded = value
  }
}
