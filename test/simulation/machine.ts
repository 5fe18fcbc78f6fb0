/**
 * A machine on which an isolate or the object runs: its clock, which drifts and jumps, its timers, its randomness. Once it
 * has ended nothing reaches it any more, and nothing leaves.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { type Rim, RUNTIME } from '../../src/worker/lib/rim.ts'
import { Random } from '../drill/random.ts'
import type { Planned, Queue } from './queue.ts'

/** How a machine's clock differs from the true time. */
export class Clock {
  readonly #queue: Queue
  #offsetMs: number
  #drift: number
  #since: number

  constructor(queue: Queue, offsetMs: number, drift: number) {
    this.#queue = queue
    this.#offsetMs = offsetMs
    this.#drift = drift
    this.#since = queue.now
  }

  get now(): number {
    const { now } = this.#queue
    return Math.floor(now + this.#offsetMs + (now - this.#since) * this.#drift)
  }

  /** How far it is from the true time. */
  get errorMs(): number {
    return this.now - this.#queue.now
  }

  jump(ms: number): void {
    this.#offsetMs += ms
  }

  /** Right again, as after a look at a time server. */
  correct(): void {
    this.#offsetMs = 0
    this.#drift = 0
    this.#since = this.#queue.now
  }
}

type Timer = { planned: Planned | null }

type Fetch = (url: string, init: RequestInit, machine: Machine) => Promise<Response>

export class Machine {
  readonly name: string
  readonly clock: Clock
  readonly rim: Rim
  readonly queue: Queue
  alive = true
  /** Timers that run, and requests that are kept alive after their answer. */
  timersSet = 0
  held = 0

  constructor(name: string, clock: Clock, seed: number, queue: Queue, fetch: Fetch) {
    this.name = name
    this.clock = clock
    this.queue = queue
    const random = new Random(seed, `machine ${name}`)
    const randomBytes = (length: number) =>
      Uint8Array.from({ length }, () => Math.floor(random.next() * 256))
    this.rim = {
      now: () => clock.now,
      random: () => random.next(),
      timers: {
        set: (run, ms) => this.#setTimer(run, ms) as unknown as NodeJS.Timeout,
        clear: (timer) => timer && this.#clearTimer(timer as never),
      },
      fetch: (url, init) => this.#whileAlive(fetch(url, init, this)),
      // The runtime's own run on other threads, whose order is the machine's.
      sha256: async (bytes) => bufferOf(createHash('sha256').update(bytes).digest()),
      hmac: async (key) => async (bytes) =>
        bufferOf(createHmac('sha256', key).update(bytes).digest()),
      // No operator moves to another account there.
      seal: RUNTIME.seal,
      open: RUNTIME.open,
      timingSafeEqual: (one, other) => timingSafeEqual(new Uint8Array(one), new Uint8Array(other)),
      randomBytes,
      randomUUID: () => Buffer.from(randomBytes(16)).toString('hex'),
    }
  }

  #setTimer(run: () => void, ms: number): Timer {
    this.timersSet += 1
    const timer: Timer = { planned: null }
    timer.planned = this.queue.after(ms, () => {
      this.timersSet -= 1
      timer.planned = null
      if (this.alive) run()
    })
    return timer
  }

  #clearTimer(timer: Timer): void {
    if (!timer.planned) return
    this.timersSet -= 1
    this.queue.cancel(timer.planned)
    timer.planned = null
  }

  /** Never settles once the machine has ended. */
  #whileAlive<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      work.then(
        (result) => this.alive && resolve(result),
        (thrown) => this.alive && reject(thrown),
      )
    })
  }
}

function bufferOf(bytes: Buffer): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
}
