/** Deadlines for one piece of work. The time runs from when the work begins: one deadline per attempt. */

/**
 * Resolves as `work` does, or rejects with a `TimeoutError` after `ms`. The work itself goes on: it is let go, not
 * aborted. The timer ends with the work, since one that went on would keep a Durable Object awake, and billed.
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

export function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.name === 'TimeoutError' || thrown.name === 'AbortError')
}
