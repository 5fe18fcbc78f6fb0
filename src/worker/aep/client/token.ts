/**
 * The access token as a sender sees it: remembered here, asked for there (`outbox/token.ts`, by way of shard 0).
 * Remembers the token, never a promise: one made in another request may never resolve in this one.
 */
import type { Token, TokenResult } from './ims.ts'

/** Answers a token other than `refused`, if there is one to be had. */
export type AskForToken = (refused: string | null) => Promise<TokenResult>

export class TokenSource {
  readonly #ask: AskForToken
  readonly #now: () => number
  #token: Token | null = null

  constructor(ask: AskForToken, now: () => number) {
    this.#ask = ask
    this.#now = now
  }

  async get(refused: string | null): Promise<TokenResult> {
    const known = this.#token
    if (known && known.value !== refused && known.useUntil > this.#now()) return { token: known }
    const result = await this.#ask(refused)
    if ('token' in result) this.#token = result.token
    return result
  }
}
