/** Full jitter (AWS, "Exponential Backoff And Jitter"): anything from 0 to the capped exponential, so that many waiters do not wake together. */
export type Backoff = { baseMs: number; capMs: number }

/** Wait before try `failures + 1`, `failures` being 1 or more. Milliseconds. */
export function fullJitterMs(failures: number, { baseMs, capMs }: Backoff, random: () => number) {
  return Math.round(random() * Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 40)))
}
