/**
 * What our code has of the world: clock, randomness, timers, the network, hashing. Whatever runs is given a `Rim`; only this
 * file reaches for the runtime's own.
 *
 * Promises: one set for each environment of an isolate or object, the runtime's unless another was put in its place, as the
 * simulator does.
 */
import { type Fetch, TIMERS, type Timers } from './bounded.ts'

type Cipher = {
  seal: (iv: Uint8Array, bytes: Uint8Array) => Promise<ArrayBuffer>
  open: (iv: Uint8Array, bytes: Uint8Array) => Promise<ArrayBuffer | null>
}

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
  /** AES-GCM under a key that is made of a passphrase. `open` answers `null` for another passphrase, or changed bytes. */
  cipher: (passphrase: string, salt: Uint8Array) => Promise<Cipher>
  timingSafeEqual: (one: ArrayBuffer, other: ArrayBuffer) => boolean
  randomBytes: (length: number) => Uint8Array
  randomUUID: () => string
}

/** The most that Workers take (runtime-apis/web-crypto). */
const PBKDF2_ITERATIONS = 100_000

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
  cipher: async (passphrase, salt) => {
    const bytes = new TextEncoder().encode(passphrase)
    const base = await crypto.subtle.importKey('raw', bytes, 'PBKDF2', false, ['deriveKey'])
    const how = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: PBKDF2_ITERATIONS }
    const aes = { name: 'AES-GCM', length: 256 }
    const key = await crypto.subtle.deriveKey(how, base, aes, false, ['encrypt', 'decrypt'])
    return {
      seal: (iv, plain) => crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, plain),
      open: async (iv, sealed) => {
        try {
          return await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed)
        } catch {
          return null
        }
      },
    }
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
