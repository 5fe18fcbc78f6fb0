/**
 * A pool that refills itself: as soon as one job ends the next begins, so that a job which hangs costs one slot and
 * never a batch.
 *
 * `limit` and `next` are asked anew for every slot, so the number of slots may change while it runs (a probe is the
 * same pool with a limit of one). `run` must not reject. Ends when nothing runs and `next` has nothing.
 */
export type Pool<Job> = {
  limit: () => number
  next: () => Job | null
  run: (job: Job) => Promise<void>
  /** Resolves when there may be something new for `next`. */
  changed: () => Promise<void>
}

export async function runPool<Job>({ limit, next, run, changed }: Pool<Job>): Promise<void> {
  const running = new Set<Promise<void>>()
  for (;;) {
    while (running.size < limit()) {
      const job = next()
      if (job === null) break
      const slot = run(job).finally(() => running.delete(slot))
      running.add(slot)
    }
    if (running.size === 0) return
    await Promise.race([...running, changed()])
  }
}
