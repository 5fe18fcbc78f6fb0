/**
 * Chooses the fields that every part of a split event repeats: identities, time, kind, part number, and the small ones.
 *
 * Promises: a field left out goes into `unmapped`, unless it only repeats or derives from another. Identities stay, so
 * that Profile can use each part; they are dropped (the email before the visitor) only if they leave almost no room.
 */

import { utf8Length } from '../../../lib/json-text.ts'
import { assemble, type Draft, type Field, type Unmapped } from '../draft.ts'

/** Identities are dropped until a part has at least this much room beside them. */
const MIN_ROOM_BYTES = 400

/** The most that repeated fields may take, unless half of a part is less. */
const MAX_COMMON_BYTES = 10_000

/** `bytes`: UTF-8 size of `fields` as a record. `moved`: fields left out, for `unmapped`. */
export type Common = { fields: readonly Field[]; bytes: number; moved: readonly Unmapped[] }

/** `limit`: UTF-8 bytes of a part. */
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

/** An upper bound of a field's UTF-8 size: as if it shared no object with another field. */
function maxBytes({ at, value }: Field): number {
  const alone = at.reduceRight((held, key) => ({ [key]: held }), value)
  return utf8Length(JSON.stringify(alone))
}
