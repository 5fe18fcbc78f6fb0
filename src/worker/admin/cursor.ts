/**
 * Where a listing goes on: behind the last event shown, told by position and shard. Opaque to the caller, and right
 * whatever happens to events between two pages, because it names a place and not a count.
 */
import * as v from 'valibot'

export type Cursor = { position: number; shard: number }

export function encodeCursor({ position, shard }: Cursor): string {
  return `${position.toString(36)}-${shard.toString(36)}`
}

export const CursorSchema = v.pipe(
  v.string(),
  v.regex(/^[0-9a-z]{1,11}-[0-9a-z]{1,2}$/, 'expected a cursor of an earlier page'),
  v.transform((text): Cursor => {
    const [position = '', shard = ''] = text.split('-')
    return { position: Number.parseInt(position, 36), shard: Number.parseInt(shard, 36) }
  }),
)

/** The same for a listing whose newest is first: positions below this. Shards are in order within one position. */
export function before(cursor: Cursor | undefined, shard: number, end: number): number {
  if (!cursor) return end
  return Math.min(shard <= cursor.shard ? cursor.position : cursor.position + 1, end)
}

/** What a shard is asked for: positions greater than this. Shards are in order within one position. */
export function after(cursor: Cursor | undefined, shard: number): number {
  if (!cursor) return -1
  return shard <= cursor.shard ? cursor.position : cursor.position - 1
}
