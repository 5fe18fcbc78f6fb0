/**
 * What goes into one slot of a drain: one event, or, where AEP takes batches, as many as fit into a request.
 *
 * Promises: only events that were never tried share a request. If it fails as a whole, each is sent alone the next
 * time, so that one that poisons a request takes no other with it. Looks at a bounded number of events.
 */
import type { Envelope } from '../../aep/client/envelope.ts'
import { LARGE_BODY_BYTES, MAX_UNFINISHED_TRIES, MAX_UNSENDABLE_PER_TURN } from '../../limits.ts'
import { type PrepareDeps, type Prepared, prepare } from './prepare.ts'
import type { Selected, Selection } from './selection.ts'

export type Job =
  | { kind: 'prepared'; events: readonly Prepared[]; bytes: number }
  /** Prepared only once it is on record that it begins. `alone`: earlier tries of it never ended. */
  | { kind: 'large'; selected: Selected; alone: boolean; bytes: number }

export type JobDeps = PrepareDeps & { selection: Selection; envelope: Envelope }

export type Turn = {
  /** AEP fails, and one event is to ask whether it still does. */
  probe: boolean
  /** AEP refuses everything: the newest event asks. */
  newestFirst: boolean
  /** Several events may share a request. */
  batches: boolean
  /** Bytes of bodies that may be in flight beside what is; `null` when nothing is, and anything may. */
  roomBytes: number | null
  now: number
}

/** `wait`: the next event waits until others have ended. `null`: nothing is due that can be sent. */
export function nextJob(deps: JobDeps, turn: Turn): Job | 'wait' | null {
  const { selection } = deps
  const looked = new Set<number>()
  while (looked.size < MAX_UNSENDABLE_PER_TURN) {
    const selected = turn.probe ? selection.nextProbe(turn.newestFirst) : selection.next(turn.now)
    if (!selected) return null
    const { position, bytes } = selected
    if (looked.has(position)) {
      selection.done(position)
      return null
    }
    looked.add(position)
    const isLarge = bytes > LARGE_BODY_BYTES
    const alone = isLarge && deps.unfinished.count(position) >= MAX_UNFINISHED_TRIES
    if (turn.roomBytes !== null && (alone || bytes > turn.roomBytes)) {
      selection.giveBack(selected)
      return 'wait'
    }
    if (isLarge) return { kind: 'large', selected, alone, bytes }
    const prepared = prepare(selected, deps)
    if (prepared) return fill(prepared, deps, turn)
    selection.done(position)
  }
  return null
}

function fill(first: Prepared, deps: JobDeps, turn: Turn): Job {
  const { selection, envelope } = deps
  const events = [first]
  const batch = envelope.newBatch()
  for (const { record } of first.records) batch.add(record)
  let { bytes } = first.selected
  const job: Job = { kind: 'prepared', events, bytes }
  const isShared = turn.batches && !turn.probe && first.records.length === 1 && !first.event.tries
  for (let looked = 0; isShared && looked < MAX_UNSENDABLE_PER_TURN; looked += 1) {
    const selected = selection.nextUntried()
    if (!selected) break
    if (selected.bytes > LARGE_BODY_BYTES) {
      selection.giveBack(selected)
      break
    }
    const more = prepare(selected, deps)
    if (!more) {
      selection.done(selected.position)
      continue
    }
    const [record, ...parts] = more.records.map((each) => each.record)
    if (record === undefined || parts.length > 0) {
      selection.giveBack(selected)
      break
    }
    if (!batch.add(record)) {
      selection.giveBack(selected)
      break
    }
    events.push(more)
    bytes += selected.bytes
  }
  return { ...job, bytes }
}
