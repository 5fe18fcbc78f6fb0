/**
 * Sessions of operators who signed in with the admin token: a cookie that holds a signed moment of expiry, and nothing
 * of the token.
 *
 * Promises: nothing is stored here; signatures are compared in constant time; another token ends every session.
 * Accepts: a session cannot be ended one by one. Signing out makes the browser forget its cookie; a copy of it works
 * until it expires, or the token is replaced.
 */
import { utf8Bytes } from '../lib/json-text.ts'
import { SESSION_MS } from '../limits.ts'

const HMAC = { name: 'HMAC', hash: 'SHA-256' }

export class Sessions {
  readonly #token: string
  #key: CryptoKey | null = null

  constructor(token: string) {
    this.#token = token
  }

  /** The value of the cookie. */
  async start(now: number): Promise<string> {
    const expiry = String(now + SESSION_MS)
    const signature = await crypto.subtle.sign(HMAC, await this.#signingKey(), utf8Bytes(expiry))
    return `${expiry}.${new Uint8Array(signature).toHex()}`
  }

  async isOpen(value: string, now: number): Promise<boolean> {
    const [, expiry = '', signature = ''] = /^(\d{1,15})\.([0-9a-f]{64})$/.exec(value) ?? []
    if (signature === '') return false
    const key = await this.#signingKey()
    const bytes = Uint8Array.fromHex(signature)
    if (!(await crypto.subtle.verify(HMAC, key, bytes, utf8Bytes(expiry)))) return false
    return Number(expiry) > now
  }

  /** Derived, so that a signature says nothing about the token itself. */
  async #signingKey(): Promise<CryptoKey> {
    if (this.#key) return this.#key
    const derived = await crypto.subtle.digest('SHA-256', utf8Bytes(`session\n${this.#token}`))
    this.#key = await crypto.subtle.importKey('raw', derived, HMAC, false, ['sign', 'verify'])
    return this.#key
  }
}

/** `__Host-`: a browser takes it only over HTTPS (or from loopback), for this host and every path. */
const NAME = '__Host-admin'

export function sessionCookie(value: string): string {
  const seconds = value === '' ? 0 : SESSION_MS / 1_000
  return `${NAME}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; Secure; SameSite=Strict`
}

/** The value in a `Cookie` header; empty without one. */
export function readSessionCookie(header: string | undefined): string {
  return new RegExp(`(?:^|; *)${NAME}=([^;]*)`).exec(header ?? '')?.[1] ?? ''
}
