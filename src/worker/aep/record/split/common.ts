/**
 * What every part of a split event says: who, when, what kind, which part, and the small fields.
 *
 * Promises: what is in no part's common fields is in `unmapped`, unless it only repeats or derives from
 * something that is kept. Identities go only where they would leave next to no room (the email before the
 * visitor), so that parts reach Profile.
 */

import { utf8Length } from '../../../lib/json-text.ts'
import { assemble, type Draft, type Field, type Unmapped } from '../draft.ts'

/** Below this a part has so little room beside its common fields that identities are given up. */
const MIN_ROOM_BYTES = 400

/** Small fields are repeated in every part up to this, and never beyond half of a part. */
const MAX_COMMON_BYTES = 10_000

export type Common = { fields: readonly Field[]; bytes: number; moved: readonly Unmapped[] }

export function commonOf(draft: Draft, partFields: readonly Field[], limit: number): Common {
  const sizeOf = (fields: readonly Field[]) =>
    utf8Length(JSON.stringify(assemble([...draft.core, ...fields, ...partFields])))
  const kept = [...draft.identities]
  const left: Field[] = []
  while (kept.length > 0 && sizeOf(kept) > limit - MIN_ROOM_BYTES) left.push(...kept.splice(-1))

  const budget = Math.min(limit / 2, MAX_COMMON_BYTES)
  let spent = sizeOf(kept)
  for (const { field, bytes } of smallestFirst(draft.fields)) {
    if (spent + bytes > budget) left.push(field)
    else {
      kept.push(field)
      spent += bytes
    }
  }
  const moved = left.flatMap(({ from, value }) => (from === null ? [] : [[from, value] as const]))
  return { fields: [...draft.core, ...kept, ...partFields], bytes: sizeOf(kept), moved }
}

function smallestFirst(fields: readonly Field[]): { field: Field; bytes: number }[] {
  return fields
    .map((field) => ({ field, bytes: maxBytes(field) }))
    .sort((a, b) => a.bytes - b.bytes)
}

/** What a field takes at most: as if no other were in the same objects. */
function maxBytes({ at, value }: Field): number {
  const alone = at.reduceRight((held, key) => ({ [key]: held }), value)
  return utf8Length(JSON.stringify(alone))
}
