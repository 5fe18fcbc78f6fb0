/** Packed receipts, index entries and filters: what goes in comes out, and what was put in is found. */
import { describe, expect, it } from 'vitest'
import { STORED_KINDS } from '../../../src/worker/chatlio/kind.ts'
import { joined } from '../../../src/worker/lib/bounded.ts'
import {
  type IndexEntry,
  packEntries,
  positionsIn,
  unpackEntries,
} from '../../../src/worker/outbox/records/event-index.ts'
import { packHashes, unpackHashes } from '../../../src/worker/outbox/records/lookup.ts'
import {
  BLOCK_BYTES,
  filterOf,
  keyOf,
  keysOf,
  matching,
  mayHold,
  mixed,
  packReceipts,
  positionOf,
  type Receipt,
  recordsIn,
  timesOf,
  unpackReceipt,
} from '../../../src/worker/outbox/records/packed.ts'
import { seeded } from '../../worker/oracle.ts'

const random = seeded(17)
const below = (limit: number) => Math.floor(random() * limit)
const hex = (digits: number) =>
  Array.from({ length: digits }, () => below(16).toString(16)).join('')
const one = <Value>(of: readonly Value[]) => of[below(of.length)] as Value

const FIELDS = ['conversation', 'visitor', 'email', 'unknown'] as const

function anyReceipt(): Receipt {
  const receivedAt = below(2 ** 41)
  return {
    id: hex(64),
    kind: one(STORED_KINDS),
    source: one([null, 'a', 'shop-2', 'x'.repeat(32)]),
    receivedAt,
    settledAt: receivedAt + below(2 ** 33),
    via: one(['forwarded', 'drained']),
    attempts: below(40),
    bytes: below(1_572_864),
    hashes: packHashes(
      Array.from({ length: below(6) }, () => ({ field: one(FIELDS), hash: hex(32) })),
    ),
  }
}

describe('packed receipts', () => {
  const receipts = Array.from({ length: 500 }, anyReceipt)
  const packed = packReceipts(receipts)

  it('unpack to what they were, whatever it was', () => {
    expect(recordsIn(packed).map(unpackReceipt)).toEqual(receipts)
    expect(recordsIn(new Uint8Array())).toEqual([])
  })

  it('may be joined, and taken apart', () => {
    const halves = [receipts.slice(0, 123), receipts.slice(123)].map(packReceipts)
    expect(joined(halves)).toEqual(packed)
    expect(joined(recordsIn(packed))).toEqual(packed)
    expect(recordsIn(packed).map(timesOf)).toEqual(
      receipts.map(({ receivedAt, settledAt }) => ({ receivedAt, settledAt })),
    )
  })

  it('are found by every one of their hashes, and by every beginning of their id', () => {
    for (const receipt of receipts) {
      const found = (wanted: Parameters<typeof matching>[1]) =>
        matching(packed, wanted).map(unpackReceipt)
      for (const { hash } of unpackHashes(receipt.hashes))
        expect(found({ hash })).toEqual([receipt])
      for (const digits of [8, 9, 31, 64]) {
        expect(found({ id: receipt.id.slice(0, digits) })).toEqual([receipt])
      }
    }
  })

  it('are not found by a hash that differs in one bit', () => {
    for (const { hashes } of receipts) {
      for (const { hash } of unpackHashes(hashes)) {
        const bytes = Uint8Array.fromHex(hash)
        const at = below(16)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
        expect(matching(packed, { hash: bytes.toHex() })).toEqual([])
      }
    }
  })

  it('have keys by which their row is found', () => {
    for (const [index, record] of recordsIn(packed).entries()) {
      const { id, hashes } = receipts[index] as Receipt
      const wanted = [{ id }, ...unpackHashes(hashes).map(({ hash }) => ({ hash }))]
      expect(keysOf(record)).toEqual(wanted.map(keyOf))
    }
  })

  it('are in the order of their receipt, in places that are whole numbers', () => {
    for (const { receivedAt, id } of receipts) {
      const position = positionOf({ receivedAt, id })
      expect(Math.floor(position / 4096)).toBe(receivedAt)
      expect(Number.isSafeInteger(position)).toBe(true)
    }
  })
})

describe('packed index entries', () => {
  // The release before halves them to find a key, should one roll back to it: no step of `schema.ts` says that it cannot.
  it('unpack to what they were in the order of their keys, and give all positions of a key', () => {
    const entries: IndexEntry[] = Array.from({ length: 2_000 }, () => ({
      key: below(500),
      position: below(2 ** 53),
    }))
    const packed = packEntries(entries)
    expect(unpackEntries(packed)).toEqual(entries.toSorted((a, b) => a.key - b.key))
    for (let key = 0; key < 510; key += 1) {
      const expected = entries.filter((entry) => entry.key === key).map(({ position }) => position)
      expect(positionsIn(packed, key)).toEqual(expected)
    }
    expect(positionsIn(packEntries([]), 1)).toEqual([])
  })
})

describe('a filter', () => {
  const blockOf = (filter: Uint8Array, key: number) => {
    const from = (mixed(key) % (filter.length / BLOCK_BYTES)) * BLOCK_BYTES
    return filter.subarray(from, from + BLOCK_BYTES)
  }

  it.each([0, 1, 100, 16_384])('of %i keys misses none, and finds few others', (count) => {
    const keys = Array.from({ length: count }, () => below(2 ** 32))
    const filter = filterOf(keys)
    for (const key of keys) expect(mayHold(blockOf(filter, key), key)).toBe(true)
    const others = Array.from({ length: 20_000 }, () => below(2 ** 32))
    const wrong = others.filter((key) => mayHold(blockOf(filter, key), key)).length
    expect(wrong / others.length).toBeLessThan(0.006)
  })
})

describe('the hashes of an event', () => {
  it('keep their field, and those of an earlier version are told apart', () => {
    const hashes = FIELDS.map((field) => ({ field, hash: hex(32) }))
    expect(unpackHashes(packHashes(hashes))).toEqual(hashes)
    expect(unpackHashes(`${'0'.repeat(32)} ${'1'.repeat(32)}`)).toEqual([
      { field: 'unknown', hash: '0'.repeat(32) },
      { field: 'unknown', hash: '1'.repeat(32) },
    ])
    expect(unpackHashes('')).toEqual([])
    expect(unpackHashes(null)).toEqual([])
  })
})
