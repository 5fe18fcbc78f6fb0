/**
 * When a shard has to be awake. Pure; times are epoch milliseconds.
 *
 * Promises: while work is owed there is always a next moment, so that a shard never sleeps on it.
 */

export type PendingWork = {
  /** Anything pending never tried. */
  untried: boolean
  /** When the wait of the first tried event is over; `null` where there is none. */
  dueAt: number | null
  /** When the oldest event of any state expires; `null` where nothing is stored. */
  expiresAt: number | null
}

export type Gate = {
  paused: boolean
  /** The configuration parses. */
  usable: boolean
  /** The destination fails or holds: one probe at `retryAt`, whichever event it is. */
  failing: boolean
  retryAt: number
  /** AEP's `Retry-After`. */
  notBefore: number
}

/** When the next attempt is due: now or in the past means at once; `null` means not before something else happens. */
export function nextAttemptAt(owed: PendingWork, gate: Gate, now: number): number | null {
  if (gate.paused || !gate.usable) return null
  if (!owed.untried && owed.dueAt === null) return null
  const due = owed.untried || gate.failing ? now : (owed.dueAt ?? now)
  return Math.max(due, earliestAttemptAt(gate, now))
}

/** When the destination may be asked at the earliest. */
export function earliestAttemptAt({ failing, retryAt, notBefore }: Gate, now: number): number {
  return Math.max(now, notBefore, failing ? retryAt : 0)
}

/** When the alarm must fire; `null` lets the shard sleep. A configuration that does not parse is looked at again, since a deploy may have mended it. */
export function nextWakeAt(
  owed: PendingWork,
  gate: Gate,
  now: number,
  recheckMs: number,
): number | null {
  const pending = owed.untried || owed.dueAt !== null
  const moments = [
    nextAttemptAt(owed, gate, now),
    owed.expiresAt,
    pending && !gate.usable ? now + recheckMs : null,
  ].filter((moment) => moment !== null)
  return moments.length === 0 ? null : Math.min(...moments)
}
