/**
 * Gives senders the access token: cached here, obtained through shard 0 (`outbox/token-keeper.ts`).
 * Never caches a promise: a promise created in one request may never settle in another.
 */
import { isUsable, type Token, type TokenResult } from './ims.ts'

/** Resolves to a token other than `refused`, or to a verdict without one. Rejects if the outbox does not answer. */
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
