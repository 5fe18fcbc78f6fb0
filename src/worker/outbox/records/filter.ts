/**
 * Which of many packed rows may hold a key: a Bloom filter in blocks of 64 bytes, so that a question reads one block of each
 * row and no receipt.
 *
 * Promises: a key that was added is always found. One that was not is taken for found once in some 300 (16 bits a key), and
 * costs the reading of one row. A key is the first 32 bits of an id or of a keyed hash, which are random already. Pure.
 */

export const BLOCK_BYTES = 64
const BITS_PER_KEY = 16
const BITS_SET = 8

/** A filter that holds these keys; never empty. */
export function filterOf(keys: readonly number[]): Uint8Array<ArrayBuffer> {
  const blocks = Math.max(Math.ceil((keys.length * BITS_PER_KEY) / (BLOCK_BYTES * 8)), 1)
  const filter = new Uint8Array(blocks * BLOCK_BYTES)
  for (const key of keys) addKey(filter, key)
  return filter
}

/** Changes the filter. Many more keys than it was made for make it find too much, and miss nothing. */
export function addKey(filter: Uint8Array, key: number): void {
  const from = (mixed(key) % (filter.length / BLOCK_BYTES)) * BLOCK_BYTES
  for (const bit of bitsOf(key))
    filter[from + (bit >> 3)] = (filter[from + (bit >> 3)] ?? 0) | (1 << (bit & 7))
}

/** SQL: the block of the column `filter` that a key belongs to; its one parameter is `mixed(key)`. */
export const BLOCK_SQL = `substr(filter, 1 + (? % (length(filter) / ${BLOCK_BYTES})) * ${BLOCK_BYTES}, ${BLOCK_BYTES})`

/** Whether the block that `BLOCK_SQL` reads may hold the key. */
export function mayHold(block: Uint8Array, key: number): boolean {
  return bitsOf(key).every((bit) => ((block[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0)
}

/** Places in a block: double hashing. */
function bitsOf(key: number): number[] {
  const start = mixed(key ^ 0x9e3779b9)
  const step = mixed(key ^ 0x7f4a7c15) | 1
  return Array.from({ length: BITS_SET }, (_, index) => (start + index * step) & 511)
}

/** The finalizer of MurmurHash3: unsigned. */
export function mixed(key: number): number {
  let hash = key
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
