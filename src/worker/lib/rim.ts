/**
 * What our code has of the world: clock, randomness, timers, the network, hashing. Whatever runs is given a `Rim`; only this
 * file reaches for the runtime's own.
 *
 * Promises: one set for each environment of an isolate or object, the runtime's unless another was put in its place, as the
 * simulator does.
 */
import { type Fetch, joined, TIMERS, type Timers } from './bounded.ts'
import { utf8Bytes } from './json.ts'

export type Rim = {
  /** Epoch milliseconds. */
  now: () => number
  /** From 0 to below 1. */
  random: () => number
  timers: Timers
  fetch: Fetch
  sha256: (bytes: Uint8Array) => Promise<ArrayBuffer>
  /** HMAC-SHA-256 under a key. */
  hmac: (key: Uint8Array) => Promise<(bytes: Uint8Array) => Promise<ArrayBuffer>>
  /** AES-GCM under a key that is made of a passphrase. `open` throws for another passphrase, or changed bytes. */
  seal: (passphrase: string, bytes: Uint8Array) => Promise<Uint8Array>
  open: (passphrase: string, sealed: Uint8Array) => Promise<Uint8Array>
  timingSafeEqual: (one: ArrayBuffer, other: ArrayBuffer) => boolean
  randomBytes: (length: number) => Uint8Array
  randomUUID: () => string
}

/** The most that Workers take (runtime-apis/web-crypto). */
const PBKDF2_ITERATIONS = 100_000

/** Both stand before what they have sealed. */
const [SALT_BYTES, IV_BYTES] = [16, 12]

async function sealingKey(passphrase: string, salt: Uint8Array): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', utf8Bytes(passphrase), 'PBKDF2', false, [
    'deriveKey',
  ])
  const how = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: PBKDF2_ITERATIONS }
  const aes = { name: 'AES-GCM', length: 256 }
  return crypto.subtle.deriveKey(how, base, aes, false, ['encrypt', 'decrypt'])
}

export const RUNTIME: Rim = {
  now: () => Date.now(),
  random: () => Math.random(),
  timers: TIMERS,
  fetch: (url, init) => fetch(url, init),
  sha256: (bytes) => crypto.subtle.digest('SHA-256', bytes),
  hmac: async (raw) => {
    const algorithm = { name: 'HMAC', hash: 'SHA-256' }
    const key = await crypto.subtle.importKey('raw', raw, algorithm, false, ['sign'])
    return (bytes) => crypto.subtle.sign('HMAC', key, bytes)
  },
  seal: async (passphrase, bytes) => {
    const { randomBytes } = RUNTIME
    const [salt, iv] = [randomBytes(SALT_BYTES), randomBytes(IV_BYTES)]
    const key = await sealingKey(passphrase, salt)
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, bytes)
    return joined([salt, iv, new Uint8Array(sealed)])
  },
  open: async (passphrase, all) => {
    const key = await sealingKey(passphrase, all.slice(0, SALT_BYTES))
    const [iv, sealed] = [
      all.slice(SALT_BYTES, SALT_BYTES + IV_BYTES),
      all.slice(SALT_BYTES + IV_BYTES),
    ]
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed))
  },
  timingSafeEqual: (one, other) => crypto.subtle.timingSafeEqual(one, other),
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  randomUUID: () => crypto.randomUUID(),
}

const rims = new WeakMap<object, Rim>()

/** What runs under this environment. */
export function rimOf(env: object): Rim {
  return rims.get(env) ?? RUNTIME
}

export function setRim(env: object, rim: Rim): void {
  rims.set(env, rim)
}
