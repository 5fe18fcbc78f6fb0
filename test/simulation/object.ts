/**
 * The outbox's Durable Object as the platform runs it: one instance at a time, calls in, answers out once what was written
 * before them is durable, the alarm, crashes. What a crash takes with it: the instance, calls under way, and commits that
 * were not durable.
 */
import { Outbox } from '../../src/worker/outbox/outbox.ts'
import type { Machine } from './machine.ts'
import type { Queue } from './queue.ts'
import { SimulatedStorage } from './storage.ts'

/** How long commits take to be durable. */
type ObjectDeps = {
  queue: Queue
  /** A machine for a new instance, and its environment. */
  start: () => { machine: Machine; env: object }
  flushMs: () => number
  /** The stand-in for `ctx.exports`, whose calls leave through `leave`. */
  exports: (leave: <R>(send: () => Promise<R>) => Promise<R>) => object
  /** How many of `pending` commits survive a crash. */
  survivors: (pending: number) => number
  happened: (what: string) => void
}

type Instance = {
  outbox: Outbox
  machine: Machine
  ready: Promise<unknown>
  /** Calls under way: what to tell each when the instance ends. */
  calls: Set<(thrown: unknown) => void>
  /** What may leave only `after` so many flushes, when what was written before it is durable. */
  gated: { open: () => void; after: number | null }[]
}

const MAX_ALARM_RETRIES = 6

export class ObjectHost {
  readonly storage = new SimulatedStorage()
  readonly #deps: ObjectDeps
  #instance: Instance | null = null
  #flushing = false
  /** What the platform will do about the alarm. */
  #armed: { cancel: () => void; at: number } | null = null
  #alarmRetries = 0
  #alarmRunning = false
  starts = 0
  /** How often each method was called. */
  readonly calls = new Map<string, number>()

  constructor(deps: ObjectDeps) {
    this.#deps = deps
    this.storage.onDirty = () => this.#flush()
  }

  get isRunning(): boolean {
    return this.#instance !== null
  }

  /** Nothing is under way. */
  get isIdle(): boolean {
    const calls = this.#instance?.calls.size ?? 0
    return calls === 0 && !this.#alarmRunning && this.storage.pending === 0
  }

  get machine(): Machine | null {
    return this.#instance?.machine ?? null
  }

  /** A call has arrived. Settles when its answer may leave. */
  call(method: string, args: unknown[]): Promise<unknown> {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1)
    return new Promise((resolve, reject) => {
      let instance: Instance
      try {
        instance = this.#running()
      } catch (thrown) {
        reject(thrown)
        return
      }
      const ended = (thrown: unknown) => reject(thrown)
      instance.calls.add(ended)
      const leave = (settle: () => void) =>
        this.#gate(instance, () => {
          instance.calls.delete(ended)
          settle()
        })
      const outbox = instance.outbox as unknown as Record<string, (...args: unknown[]) => unknown>
      void instance.ready
        .then(() => outbox[method]?.(...args))
        .then(
          (result) => {
            const copy = structuredClone(result)
            leave(() => resolve(copy))
          },
          (thrown) => leave(() => reject(thrown)),
        )
    })
  }

  /** After each event of the queue. */
  endTurn(): void {
    this.storage.endTurn()
    const instance = this.#instance
    if (!instance || instance.gated.length === 0) return
    const { pending, flushes } = this.storage
    const closed = instance.gated.filter((gated) => {
      gated.after ??= pending > 0 ? flushes + 1 : flushes
      if (gated.after <= flushes) this.#deps.queue.after(0, gated.open)
      return gated.after > flushes
    })
    instance.gated = closed
  }

  /** The process is gone, or its memory is. `thrown`: what callers hear. */
  end(how: 'evicted' | 'killed' | 'reset'): void {
    const instance = this.#instance
    if (!instance) return
    const { pending } = this.storage
    const kept = how === 'evicted' ? pending : this.#deps.survivors(pending)
    this.#instance = null
    instance.machine.alive = false
    this.storage.crash(kept)
    this.#flushing = false
    if (this.#alarmRunning) this.#alarmRetries += 1
    this.#alarmRunning = false
    const thrown =
      how === 'reset'
        ? Object.assign(new Error('Durable Object reset because its code was updated.'), {
            durableObjectReset: true,
            retryable: true,
          })
        : Object.assign(new Error('Network connection lost.'), { retryable: true })
    for (const tell of instance.calls) tell(thrown)
    this.rearm()
  }

  /** The platform looks at the alarm again: it was written, or the clock has jumped. */
  rearm(retryMs = 0): void {
    this.#armed?.cancel()
    this.#armed = null
    const at = this.storage.alarm
    if (at === null || this.#alarmRunning) return
    const { queue } = this.#deps
    const now = this.#instance?.machine.clock.now ?? queue.now
    const planned = queue.after(Math.max(at - now, retryMs), () => this.#fire(at))
    this.#armed = { at, cancel: () => queue.cancel(planned) }
  }

  #running(): Instance {
    if (this.#instance) return this.#instance
    const { start, exports, happened } = this.#deps
    const { machine, env } = start()
    this.starts += 1
    let ready: Promise<unknown> = Promise.resolve()
    const calls = new Set<(thrown: unknown) => void>()
    const gated: Instance['gated'] = []
    const instance = { machine, calls, gated } as Partial<Instance> as Instance
    const ctx = {
      storage: this.storage,
      exports: exports((send) => this.#leave(instance, send)),
      blockConcurrencyWhile: (work: () => Promise<unknown>) => {
        ready = work()
        return ready
      },
      waitUntil: () => undefined,
    }
    instance.outbox = new Outbox(ctx as never, env as never)
    instance.ready = ready
    this.#instance = instance
    // An object that cannot start is thrown away.
    ready.catch(() => {
      if (this.#instance === instance) this.end('killed')
    })
    happened('started')
    return instance
  }

  /** Sends once all that was written before is durable; the answer reaches only the instance that asked. */
  #leave<Result>(instance: Instance, send: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#gate(instance, () => {
        send().then(
          (result) => instance.machine.alive && resolve(result),
          (thrown) => instance.machine.alive && reject(thrown),
        )
      })
    })
  }

  #gate(instance: Instance, open: () => void): void {
    instance.gated.push({ open, after: null })
  }

  #flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    const instance = this.#instance
    const ms = this.#deps.flushMs()
    this.#deps.queue.after(ms, () => {
      if (this.#instance !== instance || !this.#flushing) return
      this.#flushing = false
      this.storage.flushed()
      if (this.#armed?.at !== this.storage.alarm) this.rearm()
    })
  }

  #fire(at: number): void {
    this.#armed = null
    if (this.storage.alarm !== at || this.#alarmRunning) return
    let instance: Instance
    try {
      instance = this.#running()
    } catch {
      this.#alarmFailed()
      return
    }
    this.#alarmRunning = true
    this.storage.alarmIsTaken = true
    this.storage.alarmWasSet = false
    const isThere = () => this.#instance === instance
    const tell = () => undefined
    instance.calls.add(tell)
    void instance.ready
      .then(() => instance.outbox.alarm())
      .then(
        async () => {
          if (!isThere()) return
          instance.calls.delete(tell)
          this.#alarmRunning = false
          this.#alarmRetries = 0
          this.storage.alarmIsTaken = false
          if (!this.storage.alarmWasSet) await this.storage.deleteAlarm().catch(() => undefined)
          this.rearm()
        },
        () => {
          if (!isThere()) return
          instance.calls.delete(tell)
          this.#alarmRunning = false
          this.storage.alarmIsTaken = false
          this.#alarmFailed()
        },
      )
  }

  /** A handler that throws is run again, and after six more times never. */
  #alarmFailed(): void {
    this.#alarmRetries += 1
    if (this.#alarmRetries > MAX_ALARM_RETRIES) {
      this.#alarmRetries = 0
      this.#deps.happened('alarm given up')
      this.storage.loseAlarm()
      return
    }
    this.rearm(2_000 * 2 ** (this.#alarmRetries - 1))
  }
}
