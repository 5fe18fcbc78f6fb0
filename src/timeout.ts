/**
 * Deadlines for one piece of work. A signal's time runs from when it is made: make one per attempt, when it begins.
 */

/** Runs work with a signal that aborts with a `TimeoutError` after `ms`. */
export type Deadline = <Result>(
  ms: number,
  work: (signal: AbortSignal) => Promise<Result>,
) => Promise<Result>

/** For requests: the cheapest. Its timer may go on after the work, and ends with the request. */
export const withSignal: Deadline = (ms, work) => work(AbortSignal.timeout(ms))

/**
 * For Durable Objects: ends with the work. A timer that goes on keeps the object from sleeping, and billed, until it is
 * over.
 */
export async function withTimeout<Result>(
  ms: number,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(timeoutError()), ms)
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
  }
}

/** Rejects with a `TimeoutError` where work that cannot be aborted takes longer than `ms`. */
export async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  const deadline = Promise.withResolvers<never>()
  const timer = setTimeout(() => deadline.reject(timeoutError()), ms)
  try {
    return await Promise.race([work, deadline.promise])
  } finally {
    clearTimeout(timer)
  }
}

function timeoutError(): DOMException {
  return new DOMException('The time is over.', 'TimeoutError')
}
