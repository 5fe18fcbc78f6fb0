/**
 * The operators' log, in shard 0: which operator did what.
 * Accepts: an action that cannot be put on record has happened all the same, so that is a log line and no failure.
 */
import { toIso } from '../../chatlio/timestamp.ts'
import { logLine } from '../../log.ts'
import type { Services } from '../../services.ts'
import { before, type Cursor, encodeCursor } from '../cursor.ts'

/** `by`: `token`, or the operator's address; `counts`: numbers only, never an id or an address. */
export async function logAction(
  { shards }: Services,
  by: string,
  action: string,
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  try {
    await shards.tokenKeeper().logAction({ at: Date.now(), by, action, counts })
  } catch (thrown) {
    const name = thrown instanceof Error ? thrown.name : 'unknown'
    logLine('error', { event: 'action-not-logged', action, name })
  }
}

/** The newest first. */
export async function readLog(
  { shards }: Services,
  page: { limit: number; cursor?: Cursor | undefined },
) {
  const { limit, cursor } = page
  const below = before(cursor, 0, Number.MAX_SAFE_INTEGER)
  // One more than asked for tells whether there is another page.
  const entries = await shards.tokenKeeper().actions(below, limit + 1)
  const last = entries.length > limit ? entries[limit - 1] : undefined
  return {
    entries: entries.slice(0, limit).map(({ at, by, action, counts }) => {
      return { at: toIso(at), by, action, counts }
    }),
    cursor: last ? encodeCursor({ position: last.position, shard: 0 }) : null,
  }
}
