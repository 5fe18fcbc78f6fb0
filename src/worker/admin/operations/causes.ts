/** What is set aside, by cause: the same state, code and path over all kinds and shards, the most frequent first. */
import type { StoredKind } from '../../chatlio/kind.ts'
import { toIso } from '../../chatlio/timestamp.ts'
import type { ParkedState } from '../../outbox/state.ts'
import type { Services } from '../../services.ts'

/** `state`, `code` and `path` are the filter that matches exactly these events. `firstAt`, `lastAt`: of receipt. */
export type CauseView = {
  state: ParkedState
  code: string
  path: string | null
  count: number
  firstAt: string
  lastAt: string
  kinds: Partial<Record<StoredKind, number>>
}

export async function readCauses({ shards }: Services): Promise<CauseView[]> {
  const rows = await shards.all((shard) => shard.causes())
  const causes = new Map<string, CauseView>()
  for (const { state, code, path, kind, count, ...row } of rows.flat()) {
    const [firstAt, lastAt] = [toIso(row.firstAt), toIso(row.lastAt)]
    const key = JSON.stringify([state, code, path])
    const cause = causes.get(key)
    if (cause) {
      cause.count += count
      if (firstAt < cause.firstAt) cause.firstAt = firstAt
      if (lastAt > cause.lastAt) cause.lastAt = lastAt
      cause.kinds[kind] = (cause.kinds[kind] ?? 0) + count
    } else {
      const kinds = { [kind]: count }
      causes.set(key, { state, code, path: path || null, count, firstAt, lastAt, kinds })
    }
  }
  return [...causes.values()].sort((a, b) => b.count - a.count || (a.lastAt < b.lastAt ? 1 : -1))
}
