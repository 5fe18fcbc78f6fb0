/**
 * Tells a wrong setting from a wrong event, when AEP refuses with 400 or 422.
 *
 * The idea: a refusal is the event's fault only if AEP accepts others under the same settings. When three different
 * events have been refused and none was accepted by an attempt that began after the first of them, the setting is
 * wrong: everything is held, reason `rejecting`, and no event is dead.
 *
 * Promises: the hold ends with an acceptance whose attempt began after the latest refusal, and a refusal never ends
 * it. An event that was refused in an earlier hold does not count towards the next one.
 * Never counts 413, which speaks of one event's size. Pure: times are epoch milliseconds.
 */

/** Distinct refused events that make the setting suspect. */
const REFUSALS_TO_HOLD = 3

export type Refusal = { id: string; at: number; status: number | null }

export type Refusals = {
  /** Under which settings: refusals under others say nothing (`settingsOf`). */
  settings: string
  /** The newest refusals of distinct events, newest first. */
  newest: readonly Refusal[]
  /** Newest refusal of any event, in a hold or before one. */
  refusedAt: number
  /** Newest beginning of an attempt that was accepted. */
  acceptedFrom: number
  /** The latest hold: events refused from `from` on are concerned. 0: there was none. */
  hold: { since: number; from: number }
  /** Holds that began up to here are over. */
  endedAt: number
}

export function noRefusals(settings: string): Refusals {
  const hold = { since: 0, from: 0 }
  return { settings, newest: [], refusedAt: 0, acceptedFrom: 0, hold, endedAt: 0 }
}

/** Whether AEP refuses everything under these settings, so that nothing but a probe may be sent. */
export function isRejecting({ hold, endedAt }: Refusals): boolean {
  return hold.since > endedAt
}

/** Both must be under the same settings. */
export function mergeRefusals(a: Refusals, b: Refusals): Refusals {
  return {
    settings: a.settings >= b.settings ? a.settings : b.settings,
    newest: newestOf([...a.newest, ...b.newest]),
    refusedAt: Math.max(a.refusedAt, b.refusedAt),
    acceptedFrom: Math.max(a.acceptedFrom, b.acceptedFrom),
    hold: laterHold(a.hold, b.hold),
    endedAt: Math.max(a.endedAt, b.endedAt),
  }
}

function laterHold(a: Refusals['hold'], b: Refusals['hold']): Refusals['hold'] {
  if (a.since !== b.since) return a.since > b.since ? a : b
  return a.from <= b.from ? a : b
}

/** Each event once, with its newest refusal. */
function newestOf(refusals: readonly Refusal[]): readonly Refusal[] {
  if (refusals.length < 2) return refusals
  const sorted = [...refusals].sort(
    (a, b) =>
      b.at - a.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : (a.status ?? 0) - (b.status ?? 0)),
  )
  const distinct = sorted.filter(
    ({ id }, index) => sorted.findIndex((each) => each.id === id) === index,
  )
  return distinct.slice(0, REFUSALS_TO_HOLD)
}

/** The same, with a hold begun or ended where what is known now says so. */
export function resolveHold(refusals: Refusals): Refusals {
  const { newest, refusedAt, acceptedFrom, hold, endedAt } = refusals
  if (isRejecting(refusals)) {
    return acceptedFrom > refusedAt ? { ...refusals, endedAt: hold.since } : refusals
  }
  const [latest] = newest
  const first = newest[REFUSALS_TO_HOLD - 1]
  if (!latest || !first || acceptedFrom > first.at || latest.at <= endedAt) return refusals
  return { ...refusals, hold: { since: latest.at, from: acceptedFrom } }
}

/** `beganAt`: of the attempt that AEP accepted. Parts of a split event do not count, only the last one does. */
export function afterAccepted(refusals: Refusals, beganAt: number): Refusals {
  return resolveHold({ ...refusals, acceptedFrom: Math.max(refusals.acceptedFrom, beganAt) })
}

/** `refusedBefore`: this event was refused in an earlier hold, or earlier in this one. */
export function afterRefused(
  refusals: Refusals,
  refusal: Refusal,
  refusedBefore: boolean,
): Refusals {
  if (refusal.status === 413) return refusals
  if (refusedBefore && !isRejecting(refusals)) return refusals
  return resolveHold({
    ...refusals,
    newest: refusedBefore ? refusals.newest : newestOf([refusal, ...refusals.newest]),
    refusedAt: Math.max(refusals.refusedAt, refusal.at),
  })
}

/** An operator resumed, or nothing is pending any more. */
export function endHold(refusals: Refusals, now: number): Refusals {
  return { ...refusals, endedAt: Math.max(refusals.endedAt, refusals.hold.since, now) }
}

export function refusalsAhead({ refusedAt, acceptedFrom, hold, endedAt }: Refusals): number {
  return Math.max(refusedAt, acceptedFrom, hold.since, endedAt)
}

/** Dates back to `now` what a clock that ran ahead dated in the future. */
export function correctRefusals(refusals: Refusals, now: number): Refusals {
  const past = (at: number) => Math.min(at, now)
  const { hold } = refusals
  return {
    settings: refusals.settings,
    newest: refusals.newest.map((refusal) => ({ ...refusal, at: past(refusal.at) })),
    refusedAt: past(refusals.refusedAt),
    acceptedFrom: past(refusals.acceptedFrom),
    hold: { since: past(hold.since), from: past(hold.from) },
    // A hold that is over stays over, one that is not stays.
    endedAt: isRejecting(refusals)
      ? past(Math.min(refusals.endedAt, now - 1))
      : past(refusals.endedAt),
  }
}
