/**
 * Deadlines for one piece of work. The time runs from when the work begins: one deadline per attempt.
 * A timer ends with the work: one that went on would keep a Durable Object awake, and billed, until it is over.
 */

/** Runs work for at most `ms`; rejects with a `TimeoutError` then. */
export type Deadline = <Result>(
  ms: number,
  work: (signal: AbortSignal | null) => Promise<Result>,
) => Promise<Result>

/**
 * For requests: lets go of what is late, without a signal, which costs the healthy path twice as much as the timer.
 * Accepts: what was let go is cancelled only by the runtime, when the request has ended.
 */
export const lettingGo: Deadline = (ms, work) => within(ms, work(null))

/** For Durable Objects, which have no end: aborts what is late. */
export const aborting: Deadline = (ms, work) => {
  const controller = new AbortController()
  return within(ms, work(controller.signal), (reason) => controller.abort(reason))
}

/** Rejects with a `TimeoutError` where work takes longer than `ms`. */
export function within<Result>(
  ms: number,
  work: Promise<Result>,
  onLate?: (reason: DOMException) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const reason = new DOMException('The time is over.', 'TimeoutError')
      reject(reason)
      onLate?.(reason)
    }, ms)
    work.then(
      (result) => {
        clearTimeout(timer)
        resolve(result)
      },
      (thrown) => {
        clearTimeout(timer)
        reject(thrown)
      },
    )
  })
}
