/**
 * What AEP counts of what it has acknowledged: hours, and events that it accepted and refused afterwards.
 *
 * Promises: of AEP's words an event's id, a code, a pointer and a batch are kept, never its texts. Whatever is asked reads a
 * few rows of hours and as many failures as are shown, however much was relayed. Reading twice counts once.
 * Counted in records, as AEP does: a split event is several. What was sent is taken from the activity and kept nowhere else;
 * it is a lower bound and repeats count twice, so more in AEP is no fault.
 * Accepts: after a change of dataflow or dataset what came before is neither read nor compared any more. How many events of
 * a day were refused is counted once, as they are read, and does not change when they are sent again or erased.
 */
import {
  type ComparedHour,
  type Landed,
  type LandedCursor,
  type LandedFailure,
  type LandedFlow,
  type LandedHour,
  landedSince,
  missingIn,
  notAhead,
  type UnnamedRows,
} from '../../aep/landed.ts'
import { explainProblem, type PlatformProblem } from '../../aep/platform-get.ts'
import type { LandedCause, LandedFacts } from '../../alerts/facts.ts'
import type { EventKind } from '../../chatlio/kind.ts'
import type { ReadAccess } from '../../config/destination.ts'
import {
  ACTIVITY_HOURS_MS,
  DAY_MS,
  FAILURES_KEPT_MS,
  HOUR_MS,
  LANDED_BEFORE_MS,
  LANDED_CLEAN_MS,
  LANDED_FIRST_MS,
  LANDED_HOURS,
  LANDED_INTERVAL_MS,
  MAX_CAUSES_READ,
  MAX_FAILURES_SHOWN,
  MAX_REFUSED_KEPT,
} from '../../limits.ts'
import type { CountRow } from './activity.ts'

/** `made_for`: the dataflow and dataset that all of it is of. `state`: JSON of `State`. */
export const LANDED_TABLES = `
CREATE TABLE landed (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  made_for TEXT NOT NULL,
  state TEXT NOT NULL
);
CREATE TABLE landed_hours (
  at INTEGER PRIMARY KEY,
  received INTEGER NOT NULL,
  ingested INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  settled INTEGER NOT NULL
);
CREATE TABLE landed_failures (
  id TEXT PRIMARY KEY,
  code TEXT NOT NULL,
  pointer TEXT NOT NULL,
  batch TEXT NOT NULL,
  at INTEGER NOT NULL,
  recovered_at INTEGER
) WITHOUT ROWID;
CREATE INDEX landed_failures_at ON landed_failures (at);
`

const SAVE_HOUR = `
INSERT INTO landed_hours (at, received, ingested, failed, settled) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (at) DO UPDATE SET received = excluded.received, ingested = excluded.ingested,
  failed = excluded.failed, settled = excluded.settled`

/** Writes a row where it was not known. One that was sent again and refused again is in another batch. */
const SAVE_FAILURE = `
INSERT INTO landed_failures (id, code, pointer, batch, at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET code = excluded.code, pointer = excluded.pointer,
  batch = excluded.batch, at = excluded.at, recovered_at = NULL
WHERE batch <> excluded.batch`

/** The result of one reading of this flow. */
export type LandedRead = Omit<Landed, 'gone' | 'cursor'> & {
  readonly flow: LandedFlow
  /** `null`: reading goes on where it was. */
  readonly cursor: LandedCursor | null
}

/** `recoveredAt`: when AEP took it again; `null`: it has not. */
export type KnownFailure = LandedFailure & { readonly recoveredAt: number | null }

export type Compared = {
  readonly hours: readonly ComparedHour[]
  readonly failures: readonly LandedFailure[]
}

/**
 * Events that AEP accepted on a UTC day and refused afterwards. `kind` and `source` are `null` where AEP's row does not say.
 * `records`: as AEP counts them; a split event is several, and one that was refused again counts again.
 */
export type RefusedAfterwards = {
  readonly day: number
  readonly kind: EventKind | null
  readonly source: string | null
  readonly events: number
  readonly records: number
}

/** A UTC day, in records: how many AEP has counted as failed, and how many it acknowledged and has not counted at all. */
export type LandedDay = {
  readonly day: number
  readonly failed: number
  readonly missing: number
  readonly refused: readonly RefusedAfterwards[]
}

type State = {
  /** The first hour that is compared. */
  readonly from: number
  readonly cursor: LandedCursor
  /** When the latest reading began. */
  readonly beganAt: number
  readonly problem: PlatformProblem | null
  readonly causes: readonly LandedCause[]
  readonly refused: readonly RefusedAfterwards[]
}

export type LandedDeps = {
  readonly storage: DurableObjectStorage
  readonly access: ReadAccess
  /** Activity by the hour. */
  readonly activity: (from: number, to: number) => readonly CountRow[]
  readonly now: () => number
}

export class LandedStore {
  readonly #deps: LandedDeps
  readonly #sql: SqlStorage

  constructor(deps: LandedDeps) {
    this.#deps = deps
    this.#sql = deps.storage.sql
  }

  /** Where to read on; `null`: not now. Claims the reading: until the next interval others get `null`. */
  begin(): LandedCursor | null {
    const { access, storage } = this.#deps
    if (!access.available) return null
    const now = this.#deps.now()
    const madeFor = flowName(access)
    const known = this.#known()
    const before = known?.madeFor === madeFor ? known.state : null
    const ranAhead = before !== null && before.beganAt > now
    if (before && !ranAhead && now - before.beganAt < LANDED_INTERVAL_MS) return null
    const state = before ?? firstState(now, known?.state ?? null)
    // A clock that ran ahead has settled hours that were not over, and passed by batches that were not there yet.
    const cursor = ranAhead ? landedSince(now - LANDED_FIRST_MS) : state.cursor
    storage.transactionSync(() => {
      if (!before) this.#sql.exec('DELETE FROM landed_hours')
      else if (ranAhead) this.#sql.exec('DELETE FROM landed_hours WHERE at > ?', cursor.hours)
      this.#save(madeFor, { ...state, cursor, beganAt: now })
    })
    return cursor
  }

  /** Not what was read of another flow, by an isolate of before a deploy. */
  take(read: LandedRead): void {
    const known = this.#known()
    if (known?.madeFor !== flowName(read.flow)) return
    const now = this.#deps.now()
    const { hours, failures, unnamed, cursor, more, problem } = notAhead(read, now)
    this.#deps.storage.transactionSync(() => {
      for (const { at, received, ingested, failed, settled } of hours) {
        this.#sql.exec(SAVE_HOUR, at, received, ingested, failed, settled ? 1 : 0)
      }
      const added: Added[] = unnamed.map((rows) => ({ ...rows, events: rows.count }))
      for (const failure of failures) {
        const { id, code, pointer, batch, at } = failure
        // A part's id begins with that of its event.
        const events = this.failureOf(id.slice(0, 64)) === null ? 1 : 0
        const { rowsWritten } = this.#sql.exec(SAVE_FAILURE, id, code, pointer, batch, at)
        if (rowsWritten > 0) added.push({ ...failure, count: 1, events })
      }
      const isComplete = !more && problem === null
      const causes = withAdded(known.state.causes, added, now)
      this.#save(known.madeFor, {
        ...known.state,
        cursor: cursor ?? known.state.cursor,
        problem,
        causes: isComplete ? causes.filter(({ lastAt }) => now - lastAt < LANDED_CLEAN_MS) : causes,
        refused: withRefused(known.state.refused ?? [], added, now),
      })
      this.#sql.exec('DELETE FROM landed_hours WHERE at < ?', now - ACTIVITY_HOURS_MS)
      this.#sql.exec('DELETE FROM landed_failures WHERE at < ?', now - FAILURES_KEPT_MS)
    })
  }

  facts(): LandedFacts {
    const { access, now } = this.#deps
    const state = access.available ? this.#known()?.state : null
    if (!state) {
      const { available, why } = { why: null, ...access }
      return { available, why, causes: [], missing: 0, since: now(), keptNone: 0 }
    }
    const { problem, causes, from, cursor } = state
    // The hours below where reading goes on are settled.
    const end = cursor.hours
    const since = Math.max(from, end - LANDED_HOURS * HOUR_MS)
    const hours = this.#hours(since - LANDED_BEFORE_MS, end + HOUR_MS)
    return {
      available: problem?.reason !== 'permission',
      why: problem && explainProblem(problem, 'It is tried again within 15 minutes.'),
      causes,
      missing: missingIn(hours, since, end),
      since,
      keptNone: this.#keptNone(),
    }
  }

  /** `from` is included, `to` is not. */
  compared(from: number, to: number): Compared {
    const failures = this.#rows<LandedFailure>(
      `SELECT id, code, pointer, batch, at FROM landed_failures WHERE at >= ? AND at < ?
       ORDER BY at DESC LIMIT ?`,
      from,
      to,
      MAX_FAILURES_SHOWN,
    )
    return { hours: this.#hours(from, to), failures }
  }

  /** Of an event, or of a part of it: one that AEP has not taken again, the latest. */
  failureOf(id: string): KnownFailure | null {
    const [failure] = this.#rows<KnownFailure>(
      `SELECT id, code, pointer, batch, at, recovered_at AS recoveredAt FROM landed_failures
       WHERE ${OF_EVENT} ORDER BY recovered_at IS NULL DESC, at DESC LIMIT 1`,
      ...ofEvent(id),
    )
    return failure ?? null
  }

  /** Those of these events. */
  forget(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#sql.exec(`DELETE FROM landed_failures WHERE ${OF_EVENT}`, ...ofEvent(id))
    }
  }

  /** Of events, or of parts: as AEP has taken them again. */
  recovered(ids: readonly string[]): void {
    const now = this.#deps.now()
    for (const id of ids) {
      this.#sql.exec(
        'UPDATE landed_failures SET recovered_at = ? WHERE id = ? AND recovered_at IS NULL',
        now,
        id,
      )
    }
  }

  /** UTC days of which AEP has counted something. `from` is the beginning of one and included, `to` is not. */
  days(from: number, to: number): LandedDay[] {
    const state = this.#known()?.state
    if (!state || !this.#deps.access.available) return []
    const hours = this.#hours(from - LANDED_BEFORE_MS, to + HOUR_MS)
    return Array.from({ length: Math.ceil((to - from) / DAY_MS) }, (_, index) => {
      const day = from + index * DAY_MS
      const own = hours.filter(({ at }) => at >= day && at < day + DAY_MS)
      const failed = own.reduce((sum, hour) => sum + hour.failed, 0)
      const missing = missingIn(hours, Math.max(day, state.from), day + DAY_MS)
      const refused = (state.refused ?? []).filter((one) => one.day === day)
      return { day, failed, missing, refused }
    })
  }

  /** An hour that is not settled may have been received and not been worked on yet, unless some of it has failed. */
  #keptNone(): number {
    const now = this.#deps.now()
    const hours = this.#hours(now - (LANDED_HOURS + 1) * HOUR_MS, now + HOUR_MS)
    if (hours.some(({ ingested }) => ingested > 0)) return 0
    return hours
      .filter(({ failed, settled }) => failed > 0 || settled)
      .reduce((sum, { received }) => sum + received, 0)
  }

  /** `from` is included, `to` is not. */
  #hours(from: number, to: number): ComparedHour[] {
    const rows = this.#rows<Omit<LandedHour, 'settled'> & { settled: number }>(
      `SELECT at, received, ingested, failed, settled FROM landed_hours WHERE at >= ? AND at < ?
       ORDER BY at`,
      from,
      to,
    )
    const [first] = rows
    if (!first) return []
    const ours = new Map<number, number>()
    for (const row of this.#deps.activity(first.at, (rows.at(-1) ?? first).at + HOUR_MS)) {
      if (row.outcome !== 'forwarded' && row.outcome !== 'drained') continue
      ours.set(row.minute, (ours.get(row.minute) ?? 0) + (row.records ?? row.count))
    }
    return rows.map((row) => {
      return { ...row, settled: row.settled === 1, ours: ours.get(row.at) ?? 0 }
    })
  }

  #known(): { madeFor: string; state: State } | null {
    const [row] = this.#rows<{ madeFor: string; state: string }>(
      'SELECT made_for AS madeFor, state FROM landed',
    )
    return row ? { madeFor: row.madeFor, state: JSON.parse(row.state) } : null
  }

  #rows<Row>(query: string, ...bindings: SqlStorageValue[]): Row[] {
    return this.#sql.exec(query, ...bindings).toArray() as Row[]
  }

  #save(madeFor: string, state: State): void {
    this.#sql.exec(
      `INSERT INTO landed (only, made_for, state) VALUES (1, ?, ?)
       ON CONFLICT (only) DO UPDATE SET made_for = excluded.made_for, state = excluded.state`,
      madeFor,
      JSON.stringify(state),
    )
  }
}

/** Of an event and its parts, `{id}-…`. */
const OF_EVENT = '(id = ? OR (id > ? AND id < ?))'
const ofEvent = (id: string) => [id, `${id}-`, `${id}.`]

/** `former`: of another dataflow or dataset, to which went what was sent in this hour. */
function firstState(now: number, former: State | null): State {
  const isChange = former !== null
  const hour = Math.floor(now / HOUR_MS) * HOUR_MS
  return {
    from: isChange ? hour + HOUR_MS : hour,
    cursor: landedSince(isChange ? now : now - LANDED_FIRST_MS),
    beganAt: now,
    problem: null,
    causes: [],
    refused: former?.refused ?? [],
  }
}

const flowName = ({ datasetId, flowId }: LandedFlow) => `${datasetId} ${flowId ?? ''}`

/** Failed rows that have all but their event in common, and of how many events they are the first. */
type Added = UnnamedRows & { readonly events: number }

function withAdded(
  before: readonly LandedCause[],
  added: readonly Added[],
  now: number,
): readonly LandedCause[] {
  const causes = new Map(before.map((cause) => [`${cause.code} ${cause.pointer}`, cause]))
  for (const { code, pointer, count } of added) {
    const key = `${code} ${pointer}`
    const known = causes.get(key) ?? { code, pointer, count: 0, firstAt: now }
    causes.set(key, { ...known, count: known.count + count, lastAt: now })
  }
  return [...causes.values()].sort((a, b) => b.count - a.count).slice(0, MAX_CAUSES_READ)
}

/** The newest days, as many as are kept. */
function withRefused(
  before: readonly RefusedAfterwards[],
  added: readonly Added[],
  now: number,
): readonly RefusedAfterwards[] {
  const sums = new Map(before.map((one) => [`${one.day} ${one.kind} ${one.source}`, one]))
  for (const { kind, source, acceptedAt, count, events } of added) {
    const day = Math.floor(acceptedAt / DAY_MS) * DAY_MS
    const key = `${day} ${kind} ${source}`
    const known = sums.get(key) ?? { day, kind, source, events: 0, records: 0 }
    sums.set(key, { ...known, events: known.events + events, records: known.records + count })
  }
  return [...sums.values()]
    .filter(({ day }) => day > now - ACTIVITY_HOURS_MS)
    .sort((a, b) => b.day - a.day)
    .slice(0, MAX_REFUSED_KEPT)
}
