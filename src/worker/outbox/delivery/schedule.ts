/**
 * When a shard has to be awake. Pure; times are epoch milliseconds.
 *
 * Promises: while events are pending there is always a next moment, so a shard never sleeps on them.
 */

export type PendingWork = {
  /** Whether a pending event has never been tried. */
  untried: boolean
  /** When the first tried event's wait ends; `null` when no event was tried. */
  dueAt: number | null
  /** When the oldest event of any state expires; `null` when nothing is stored. */
  expiresAt: number | null
}

export type Gate = {
  paused: boolean
  /** The configuration parses. */
  usable: boolean
  /** AEP fails, or everything is on hold: any one event may probe at `retryAt`. */
  failing: boolean
  retryAt: number
  /** AEP's `Retry-After`. */
  notBefore: number
}

/** When the next attempt is due; a past moment means now. `null`: not before something else happens. */
export function nextAttemptAt(work: PendingWork, gate: Gate, now: number): number | null {
  if (gate.paused || !gate.usable) return null
  if (!work.untried && work.dueAt === null) return null
  const due = work.untried || gate.failing ? now : (work.dueAt ?? now)
  return Math.max(due, earliestAttemptAt(gate, now))
}

/** The earliest moment at which AEP may be asked. */
export function earliestAttemptAt({ failing, retryAt, notBefore }: Gate, now: number): number {
  return Math.max(now, notBefore, failing ? retryAt : 0)
}

/**
 * When the alarm must fire; `null` lets the shard sleep. A configuration that does not parse is checked again after
 * `recheckMs`, since a deployment may have corrected it.
 */
export function nextWakeAt(
  work: PendingWork,
  gate: Gate,
  now: number,
  recheckMs: number,
): number | null {
  const pending = work.untried || work.dueAt !== null
  const moments = [
    nextAttemptAt(work, gate, now),
    work.expiresAt,
    pending && !gate.usable ? now + recheckMs : null,
  ].filter((moment) => moment !== null)
  return moments.length === 0 ? null : Math.min(...moments)
}
