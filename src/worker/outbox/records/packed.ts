/**
 * Receipts as bytes, many to a row, so that they cost hundredths of a row written an event; and filters of such rows.
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
import { utf8Bytes } from '../../lib/json.ts'
import { PER_MS, VIAS, type Via } from '../event.ts'
import { type Hashes, type LookupField, packHashes, unpackHashes } from './lookup.ts'

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
  const source = utf8Bytes(receipt.source ?? '').subarray(0, 255)
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
  const places = placesOfHashes(record)
  const source = new TextDecoder().decode(
    record.subarray(HEAD, HEAD + (record[SOURCE_LENGTH] ?? 0)),
  )
  const hashes = places.map((at) => ({ field: fieldAt(record, at), hash: hashAt(record, at) }))
  return {
    ...{ id: idOf(record), kind: kindOf(record), source: source || null },
    ...timesOf(record),
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
  const { id, hash } = { id: null, hash: null, ...wanted }
  const bytes = Uint8Array.fromHex(hash ?? id?.slice(0, id.length & ~1) ?? '')
  const isAt = (place: number) => {
    for (let at = 0; at < bytes.length; at += 1) if (packed[place + at] !== bytes[at]) return false
    return true
  }
  // An id is in one place, a hash in any of some.
  const step = hash === null ? Infinity : HASH
  for (let from = 0; from < packed.length; ) {
    const end = from + lengthOf(packed, from)
    const first = hash === null ? from + ID : from + HEAD + (packed[from + SOURCE_LENGTH] ?? 0) + 1
    for (let place = first; place < end; place += step) {
      if (!isAt(place)) continue
      found.push(packed.subarray(from, end))
      break
    }
    from = end
  }
  return id === null ? found : found.filter((record) => idOf(record).startsWith(id))
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
  const at = placesOfHashes(record).find((place) => fieldAt(record, place) === 'conversation')
  return { kind: kindOf(record), hash: at === undefined ? null : hashAt(record, at) }
}

/** What a filter holds of a record: the beginnings of its id and its hashes. */
export function keysOf(record: Uint8Array): number[] {
  const view = viewOf(record)
  return [ID, ...placesOfHashes(record).map((at) => at + 1)].map((at) => view.getUint32(at))
}

export function keyOf(wanted: Wanted): number {
  return Number.parseInt(('id' in wanted ? wanted.id : wanted.hash).slice(0, 8), 16)
}

/** Where its hashes are: each a byte for its field, and sixteen. */
function placesOfHashes(record: Uint8Array): number[] {
  const places: number[] = []
  for (let at = HEAD + (record[SOURCE_LENGTH] ?? 0); at < record.length; at += HASH) places.push(at)
  return places
}

const fieldAt = (record: Uint8Array, at: number) => FIELDS[record[at] ?? 0] ?? 'unknown'
const hashAt = (record: Uint8Array, at: number) => record.subarray(at + 1, at + HASH).toHex()
const kindOf = (record: Uint8Array) => KIND_NAMES[record[KIND] ?? 0] ?? 'auto'

function lengthOf(packed: Uint8Array, at: number): number {
  return HEAD + (packed[at + SOURCE_LENGTH] ?? 0) + (packed[at + HASH_COUNT] ?? 0) * HASH
}

export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
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
  for (const key of keys) {
    const from = (mixed(key) % blocks) * BLOCK_BYTES
    for (const bit of bitsOf(key)) {
      const at = from + (bit >> 3)
      filter[at] = (filter[at] ?? 0) | (1 << (bit & 7))
    }
  }
  return filter
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
