/** Deadlines. The time runs from when one is made, so every attempt gets its own. */

export type Timers = {
  set: (run: () => void, ms: number) => ReturnType<typeof setTimeout>
  clear: (timer: ReturnType<typeof setTimeout>) => void
}

/** The runtime's own. */
export const TIMERS: Timers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer),
}

/**
 * A deadline for steps that follow each other.
 * A late step continues, and its result is ignored, unless it was given the `signal` of a deadline that aborts.
 */
export class Deadline {
  /** Aborted when the time is over; `null` unless asked for. */
  readonly signal: AbortSignal | null
  readonly #timers: Timers
  readonly #timer: ReturnType<Timers['set']>
  #reject: ((reason: DOMException) => void) | null = null
  #reason: DOMException | null = null

  constructor(
    ms: number,
    { aborts = false, timers = TIMERS }: { aborts?: boolean; timers?: Timers | undefined } = {},
  ) {
    this.#timers = timers
    const controller = aborts ? new AbortController() : null
    this.signal = controller?.signal ?? null
    this.#timer = timers.set(() => {
      this.#reason = timeoutError()
      controller?.abort(this.#reason)
      this.#reject?.(this.#reason)
    }, ms)
  }

  /** Settles as `step` does, or rejects with a `TimeoutError` when the time is over. One step at a time. */
  limit<Result>(step: Promise<Result>): Promise<Result> {
    // Cheaper than `Promise.race`, on a path that every webhook takes twice.
    return new Promise((resolve, reject) => {
      if (this.#reason) reject(this.#reason)
      this.#reject = reject
      step.then(resolve, reject)
    })
  }

  /** A running timer keeps a Durable Object awake and billed. */
  end(): void {
    this.#timers.clear(this.#timer)
  }
}

/** Settles as `work` does, or rejects with a `TimeoutError` after `ms` milliseconds. Never aborts `work`. */
export async function within<Result>(
  ms: number,
  work: Promise<Result>,
  timers: Timers = TIMERS,
): Promise<Result> {
  const deadline = new Deadline(ms, { timers })
  try {
    return await deadline.limit(work)
  } finally {
    deadline.end()
  }
}

/** Aborted after `ms` milliseconds, by these timers: for a request whose body is under its deadline too. */
export function signalAfter(ms: number, timers: Timers = TIMERS): AbortSignal {
  const controller = new AbortController()
  timers.set(() => controller.abort(timeoutError()), ms)
  return controller.signal
}

export function timeoutError(): DOMException {
  return new DOMException('The time is over.', 'TimeoutError')
}

/** Whether `thrown` is a timeout, in either form in which `fetch` and `AbortSignal` throw it. */
export function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.name === 'TimeoutError' || thrown.name === 'AbortError')
}
