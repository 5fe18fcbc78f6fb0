/**
 * A deadline for one piece of work, and no longer than the work: `AbortSignal.timeout` would go on running after it, and
 * a running timer keeps a Durable Object from sleeping (and billed) until it is over.
 */

/** Aborts with a `TimeoutError` after `ms`. Make one per attempt, when it begins. */
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
