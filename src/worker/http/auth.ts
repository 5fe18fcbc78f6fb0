/**
 * Checks what callers present: keys of webhooks in the URL, of operators in `Authorization`, and the sessions of operators who
 * signed in with the admin token: a cookie that holds a signed moment of expiry, and nothing of the token.
 *
 * Promises: compares SHA-256 hashes in constant time, and with every key, so that the time of an answer reveals neither
 * the length of a key nor a common prefix. Without keys it admits nobody. Of a session nothing is stored; another token ends
 * every one.
 * Accepts: a session cannot be ended one by one. Signing out makes the browser forget its cookie; a copy of it works
 * until it expires, or the token is replaced.
 */
import type { WebhookKey } from '../config/config.ts'
import { FINGERPRINT_DIGITS } from '../config/webhook-keys.ts'
import { utf8Bytes } from '../lib/json.ts'
import { type Rim, RUNTIME } from '../lib/rim.ts'
import { MIN_SECRET_CHARACTERS, SESSION_MS } from '../limits.ts'

/** Who a caller is. `fingerprint`: enough to tell keys apart in a log, and useless for guessing one. */
export type KeyHolder = { readonly fingerprint: string; readonly name: string | null }

type KnownKey = { readonly holder: KeyHolder; readonly hashes: readonly ArrayBuffer[] }

/** One set per configuration: it hashes each of its keys once. */
export class AccessKeys {
  readonly #keys: readonly WebhookKey[]
  readonly #rim: Rim
  #known: readonly KnownKey[] | null = null
  /** Hashes of keys as good callers presented them: no more entries than ways to write those keys. */
  readonly #admitted = new Map<string, ArrayBuffer>()

  constructor(keys: readonly WebhookKey[], rim: Rim = RUNTIME) {
    this.#keys = keys
    this.#rim = rim
  }

  /** Whose key `presented` is; `null`: it is not one of these. */
  async find(presented: string | undefined): Promise<KeyHolder | null> {
    const form = urlForm(presented ?? '')
    if (form === '') return null
    const known = await this.#knownKeys()
    const hash = this.#admitted.get(form) ?? (await this.#rim.sha256(utf8Bytes(form)))
    let found: KeyHolder | null = null
    for (const { holder, hashes } of known) {
      for (const own of hashes) if (this.#rim.timingSafeEqual(hash, own)) found = holder
    }
    if (found !== null) this.#admitted.set(form, hash)
    return found
  }

  /** Fingerprint of an unknown key; `null` if it is too short to be a key. */
  async fingerprintOf(presented: string | undefined): Promise<string | null> {
    // A key has no blanks: one is a plus that was not escaped.
    const key = urlForm(presented ?? '').replaceAll(' ', '+')
    return key.length < MIN_SECRET_CHARACTERS
      ? null
      : fingerprintOf(await this.#rim.sha256(utf8Bytes(key)))
  }

  /** Of every key, in their order. */
  async holders(): Promise<KeyHolder[]> {
    return (await this.#knownKeys()).map(({ holder }) => holder)
  }

  async #knownKeys(): Promise<readonly KnownKey[]> {
    // Kept as a value, not as a promise: a request must not wait for one that another request started.
    this.#known ??= await Promise.all(this.#keys.map((key) => knownKey(key, this.#rim)))
    return this.#known
  }
}

async function knownKey({ key, name }: WebhookKey, { sha256 }: Rim): Promise<KnownKey> {
  const fingerprint = fingerprintOf(await sha256(utf8Bytes(key)))
  // With its name before it, too: a key that was in use before names existed may have a colon.
  const forms = name === null ? [key] : [key, `${name}:${key}`]
  const hashes = await Promise.all(forms.map((form) => sha256(utf8Bytes(urlForm(form)))))
  return { holder: { fingerprint, name }, hashes }
}

/** The first 6 hex digits of the SHA-256. */
const fingerprintOf = (hash: ArrayBuffer) =>
  new Uint8Array(hash).toHex().slice(0, FINGERPRINT_DIGITS)

/**
 * A key as it arrives in a pasted URL: a `+` as a space, which a base64 key must survive, and perhaps white space or a
 * line end around it, which came along from where it was copied.
 */
function urlForm(key: string): string {
  return key.replaceAll('+', ' ').trim()
}

export class Sessions {
  readonly #token: string
  readonly #rim: Rim
  #sign: Awaited<ReturnType<Rim['hmac']>> | null = null

  constructor(token: string, rim: Rim = RUNTIME) {
    this.#token = token
    this.#rim = rim
  }

  /** The value of the cookie. */
  async start(now: number): Promise<string> {
    const expiry = String(now + SESSION_MS)
    return `${expiry}.${new Uint8Array(await this.#signatureOf(expiry)).toHex()}`
  }

  async isOpen(value: string, now: number): Promise<boolean> {
    const [, expiry = '', signature = ''] = /^(\d{1,15})\.([0-9a-f]{64})$/.exec(value) ?? []
    if (signature === '' || Number(expiry) <= now) return false
    const own = await this.#signatureOf(expiry)
    return this.#rim.timingSafeEqual(own, Uint8Array.fromHex(signature).buffer)
  }

  async #signatureOf(expiry: string): Promise<ArrayBuffer> {
    // Its key is derived, so that a signature says nothing about the token itself.
    const { sha256, hmac } = this.#rim
    this.#sign ??= await hmac(new Uint8Array(await sha256(utf8Bytes(`session\n${this.#token}`))))
    return this.#sign(utf8Bytes(expiry))
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
