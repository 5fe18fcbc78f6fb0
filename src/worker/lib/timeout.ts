/** A deadline for one promise. The time runs from the call, so every attempt gets its own deadline. */

/**
 * Settles as `work` does, or rejects with a `TimeoutError` after `ms` milliseconds. Never aborts `work`: it continues,
 * and its result is ignored. Clears the timer as soon as `work` settles, because a running timer keeps a Durable
 * Object awake and billed.
 */
export async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(timeoutError()), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

export function timeoutError(): DOMException {
  return new DOMException('The time is over.', 'TimeoutError')
}

/** Whether `thrown` is a timeout, in either form in which `fetch` and `AbortSignal` throw it. */
export function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.name === 'TimeoutError' || thrown.name === 'AbortError')
}
