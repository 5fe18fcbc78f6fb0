/**
 * Deadlines for one piece of work. The time runs from when the work begins: one deadline per attempt.
 * A timer ends with the work: one that went on would keep a Durable Object awake, and billed, until it is over.
 */

/**
 * Runs work for at most `ms`; comes then to what `late` says, or rejects with what it throws. `reason` is a
 * `TimeoutError`.
 */
export type Deadline = <Result>(
  ms: number,
  work: (signal: AbortSignal | null) => Promise<Result>,
  late: (reason: DOMException) => Result,
) => Promise<Result>

/**
 * For requests: lets go of what is late. The runtime cancels it when the request has ended; a signal would be one more
 * object on the healthy path.
 */
export const withoutAbort: Deadline = (ms, work, late) => atMost(ms, work(null), late)

/** For Durable Objects, which have no end: aborts what is late. */
export const withAbort: Deadline = (ms, work, late) => {
  const controller = new AbortController()
  return atMost(ms, work(controller.signal), (reason) => {
    controller.abort(reason)
    return late(reason)
  })
}

/** Rejects with a `TimeoutError` where work takes longer than `ms`. */
export function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  return atMost(ms, work, (reason) => {
    throw reason
  })
}

function atMost<Result>(
  ms: number,
  work: Promise<Result>,
  late: (reason: DOMException) => Result,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(late(new DOMException('The time is over.', 'TimeoutError')))
      } catch (thrown) {
        reject(thrown)
      }
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
