/**
 * Where the next page of a list begins: after the last event shown, given by its position and its shard. Opaque to the
 * caller. It names a place and not a count, so it stays right while events come and go between two pages.
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

/** The same for a list with the newest first: positions below this one, none from `end` on. */
export function before(cursor: Cursor | undefined, shard: number, end: number): number {
  if (!cursor) return end
  return Math.min(shard <= cursor.shard ? cursor.position : cursor.position + 1, end)
}

/** The position after which a shard lists its events. Events of equal position are in the order of their shards. */
export function after(cursor: Cursor | undefined, shard: number): number {
  if (!cursor) return -1
  return shard <= cursor.shard ? cursor.position : cursor.position - 1
}
