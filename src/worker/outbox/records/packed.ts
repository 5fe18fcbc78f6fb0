/**
 * Receipts, and index entries of stored events, as bytes: many to a row, so that they cost hundredths of a row written an
 * event.
 *
 * Promises: what is unpacked equals what was packed; records stand on their own, so packed receipts joined are packed
 * receipts. Looking compares the bytes where they lie: a beginning finds, all 128 bits of a hash decide. Which of many
 * rows may hold a key a Bloom filter says, in blocks of 64 bytes, so that a question reads one block of each row and no receipt:
 * a key that was added is always found, one that was not is taken for found once in some 300 (16 bits a key), which costs the
 * reading of one row. A key is the first 32 bits of an id or of a keyed hash, which are random already. Pure.
 *
 * A record, numbers in little endian: id 32 · receivedAt 6 · settledAt 6 · bytes 4 · attempts 2 · kind 1 · via 1 ·
 * length of source 1 · hashes 1 · source · for each hash its field 1 and 16 bytes. Some 105 bytes with three hashes.
 */
import type { StoredKind } from '../../chatlio/kind.ts'
import { joined } from '../../lib/bounded.ts'
import { PER_MS } from '../event.ts'
import { type Hashes, type LookupField, packHashes, unpackHashes } from './lookup.ts'

/** How an event was delivered: inside its request, or by the outbox. */
export type Via = 'forwarded' | 'drained'

/** Where a delivered event went. Times are epoch milliseconds, `bytes` those of its body, `source` the name of its key. */
export type Receipt = {
  /** 64 hexadecimal digits. */
  id: string
  kind: StoredKind
  source: string | null
  receivedAt: number
  settledAt: number
  via: Via
  attempts: number
  bytes: number
  hashes: Hashes
}

/** `id`: its beginning, 8 digits at least. `hash`: 32 hexadecimal digits. */
export type Wanted = { id: string } | { hash: string }

/** Numbers that are stored: never changed, only added to. */
const KINDS: Record<StoredKind, number> = {
  transcript: 0,
  'offline-message': 1,
  'new-conversation': 2,
  unanswered: 3,
  feedback: 4,
  conversation: 5,
  auto: 6,
}
const KIND_NAMES = Object.keys(KINDS) as StoredKind[]
const VIAS: readonly Via[] = ['forwarded', 'drained']
const FIELDS: readonly LookupField[] = ['conversation', 'visitor', 'email', 'unknown']

const ID = 0
const RECEIVED_AT = 32
const SETTLED_AT = 38
const BYTES = 44
const ATTEMPTS = 48
const KIND = 50
const VIA = 51
const SOURCE_LENGTH = 52
const HASH_COUNT = 53
const HEAD = 54
const HASH = 17

export function packReceipts(receipts: readonly Receipt[]): Uint8Array<ArrayBuffer> {
  return joined(receipts.map(packReceipt))
}

function packReceipt(receipt: Receipt): Uint8Array {
  const hashes = unpackHashes(receipt.hashes).slice(0, 255)
  const source = new TextEncoder().encode(receipt.source ?? '').subarray(0, 255)
  const bytes = new Uint8Array(HEAD + source.length + hashes.length * HASH)
  const view = new DataView(bytes.buffer)
  bytes.set(Uint8Array.fromHex(receipt.id), ID)
  setTime(view, RECEIVED_AT, receipt.receivedAt)
  setTime(view, SETTLED_AT, receipt.settledAt)
  view.setUint32(BYTES, receipt.bytes, true)
  view.setUint16(ATTEMPTS, Math.min(receipt.attempts, 0xffff), true)
  bytes[KIND] = KINDS[receipt.kind]
  bytes[VIA] = VIAS.indexOf(receipt.via)
  bytes[SOURCE_LENGTH] = source.length
  bytes[HASH_COUNT] = hashes.length
  bytes.set(source, HEAD)
  let at = HEAD + source.length
  for (const { field, hash } of hashes) {
    bytes[at] = FIELDS.indexOf(field)
    bytes.set(Uint8Array.fromHex(hash), at + 1)
    at += HASH
  }
  return bytes
}

export function unpackReceipt(record: Uint8Array): Receipt {
  const view = viewOf(record)
  const hashesAt = HEAD + (record[SOURCE_LENGTH] ?? 0)
  const source = new TextDecoder().decode(record.subarray(HEAD, hashesAt))
  const hashes = Array.from({ length: record[HASH_COUNT] ?? 0 }, (_, index) => {
    const at = hashesAt + index * HASH
    const field = FIELDS[record[at] ?? 0] ?? 'unknown'
    return { field, hash: record.subarray(at + 1, at + HASH).toHex() }
  })
  return {
    id: idOf(record),
    kind: KIND_NAMES[record[KIND] ?? 0] ?? 'auto',
    source: source || null,
    receivedAt: timeAt(view, RECEIVED_AT),
    settledAt: timeAt(view, SETTLED_AT),
    via: VIAS[record[VIA] ?? 0] ?? 'drained',
    attempts: view.getUint16(ATTEMPTS, true),
    bytes: view.getUint32(BYTES, true),
    hashes: packHashes(hashes),
  }
}

/** Each record as a part of these bytes, in their order. */
export function recordsIn(packed: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = []
  for (let at = 0; at < packed.length; ) {
    const end = at + lengthOf(packed, at)
    records.push(packed.subarray(at, end))
    at = end
  }
  return records
}

/** The records that are wanted, as parts of these bytes. */
export function matching(packed: Uint8Array, wanted: Wanted): Uint8Array[] {
  const found: Uint8Array[] = []
  const isId = 'id' in wanted
  const odd = isId && wanted.id.length % 2 === 1
  const beginning = Uint8Array.fromHex(
    isId ? wanted.id.slice(0, wanted.id.length & ~1) : wanted.hash,
  )
  for (let at = 0; at < packed.length; ) {
    const length = lengthOf(packed, at)
    if (isId) {
      const isFound =
        startsWith(packed, at, beginning) &&
        (!odd || idOf(packed.subarray(at)).startsWith(wanted.id))
      if (isFound) found.push(packed.subarray(at, at + length))
    } else {
      const hashesAt = at + HEAD + (packed[at + SOURCE_LENGTH] ?? 0)
      for (let hash = hashesAt; hash < at + length; hash += HASH) {
        if (!startsWith(packed, hash + 1, beginning)) continue
        found.push(packed.subarray(at, at + length))
        break
      }
    }
    at += length
  }
  return found
}

/** Orders receipts among stored events, the moment of receipt first. Two of one millisecond share a place once in 4,096. */
export function positionOf({ receivedAt, id }: Pick<Receipt, 'receivedAt' | 'id'>): number {
  return receivedAt * PER_MS + Number.parseInt(id.slice(0, 3), 16)
}

export function idOf(record: Uint8Array): string {
  return record.subarray(ID, RECEIVED_AT).toHex()
}

/** Moments of a record: epoch milliseconds. */
export function timesOf(record: Uint8Array): { receivedAt: number; settledAt: number } {
  const view = viewOf(record)
  return { receivedAt: timeAt(view, RECEIVED_AT), settledAt: timeAt(view, SETTLED_AT) }
}

/** Of a record: its kind and its conversation's hash, `null` if it names none. Far less than unpacking it. */
export function conversationOf(record: Uint8Array): { kind: StoredKind; hash: string | null } {
  const kind = KIND_NAMES[record[KIND] ?? 0] ?? 'auto'
  const hashesAt = HEAD + (record[SOURCE_LENGTH] ?? 0)
  for (let at = hashesAt; at < record.length; at += HASH) {
    if (FIELDS[record[at] ?? 0] !== 'conversation') continue
    return { kind, hash: record.subarray(at + 1, at + HASH).toHex() }
  }
  return { kind, hash: null }
}

/** What a filter holds of a record: the beginnings of its id and its hashes. */
export function keysOf(record: Uint8Array): number[] {
  const view = viewOf(record)
  const keys = [view.getUint32(ID)]
  const hashesAt = HEAD + (record[SOURCE_LENGTH] ?? 0)
  for (let at = hashesAt; at < record.length; at += HASH) keys.push(view.getUint32(at + 1))
  return keys
}

export function keyOf(wanted: Wanted): number {
  return Number.parseInt(('id' in wanted ? wanted.id : wanted.hash).slice(0, 8), 16)
}

/** An event that may be looked up by the hash that begins with `key`. */
export type IndexEntry = { key: number; position: number }

const ENTRY = 12

/** Sorted by key, twelve bytes each. */
export function packEntries(entries: readonly IndexEntry[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(entries.length * ENTRY)
  const view = viewOf(bytes)
  const sorted = entries.toSorted((a, b) => a.key - b.key)
  for (const [index, { key, position }] of sorted.entries()) {
    view.setUint32(index * ENTRY, key)
    view.setFloat64(index * ENTRY + 4, position)
  }
  return bytes
}

export function unpackEntries(packed: Uint8Array): IndexEntry[] {
  const view = viewOf(packed)
  return Array.from({ length: packed.length / ENTRY }, (_, index) => {
    return { key: view.getUint32(index * ENTRY), position: view.getFloat64(index * ENTRY + 4) }
  })
}

/** Positions of the entries with this key. */
export function positionsIn(packed: Uint8Array, key: number): number[] {
  const view = viewOf(packed)
  let [low, high] = [0, packed.length / ENTRY]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (view.getUint32(middle * ENTRY) < key) low = middle + 1
    else high = middle
  }
  const positions: number[] = []
  for (; low * ENTRY < packed.length && view.getUint32(low * ENTRY) === key; low += 1) {
    positions.push(view.getFloat64(low * ENTRY + 4))
  }
  return positions
}

function lengthOf(packed: Uint8Array, at: number): number {
  return HEAD + (packed[at + SOURCE_LENGTH] ?? 0) + (packed[at + HASH_COUNT] ?? 0) * HASH
}

function startsWith(bytes: Uint8Array, at: number, beginning: Uint8Array): boolean {
  for (let index = 0; index < beginning.length; index += 1) {
    if (bytes[at + index] !== beginning[index]) return false
  }
  return true
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length)
}

function setTime(view: DataView, at: number, ms: number): void {
  view.setUint32(at, ms % 2 ** 32, true)
  view.setUint16(at + 4, Math.floor(ms / 2 ** 32), true)
}

function timeAt(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint16(at + 4, true) * 2 ** 32
}

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
