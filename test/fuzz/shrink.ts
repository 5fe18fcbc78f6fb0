/**
 * Shrink: the smallest request that still fails. Drops headers and compression, members and items of its JSON, halves of its
 * texts, then runs of its bytes.
 */
import { gunzipSync, inflateSync } from 'node:zlib'
import type { Sent } from './connection.ts'

/** Of one request: what is small enough to read is small enough. */
const MOST_TRIES = 400
const MOST_MS = 15_000

/** `fails`: whether a request still fails in the same way. */
export async function shrink(sent: Sent, fails: (sent: Sent) => Promise<boolean>): Promise<Sent> {
  let smallest = sent
  let tries = 0
  const until = Date.now() + MOST_MS
  const shrunk = async (): Promise<boolean> => {
    for (const candidate of candidates(smallest)) {
      tries += 1
      if (tries > MOST_TRIES || Date.now() > until) return false
      if (await fails(candidate)) {
        smallest = candidate
        return true
      }
    }
    return false
  }
  while (await shrunk());
  return smallest
}

function* candidates(sent: Sent): Generator<Sent> {
  if (sent.chunks) yield { ...sent, chunks: null }
  const plain = unpacked(sent)
  if (plain) yield plain
  for (const dropped of sent.headers) {
    yield { ...sent, headers: sent.headers.filter((header) => header !== dropped) }
  }
  for (const json of smaller(parsed(sent.body)))
    yield { ...sent, body: Buffer.from(JSON.stringify(json)) }
  const { body } = sent
  for (let run = body.length >> 1; run >= 1; run >>= 1) {
    for (let from = 0; from < body.length; from += run) {
      yield { ...sent, body: Buffer.concat([body.subarray(0, from), body.subarray(from + run)]) }
    }
  }
}

function unpacked(sent: Sent): Sent | null {
  const encoding = sent.headers.find(([name]) => name === 'content-encoding')?.[1]
  if (encoding === undefined) return null
  try {
    const body = (encoding === 'deflate' ? inflateSync : gunzipSync)(sent.body)
    return { ...sent, body, headers: sent.headers.filter(([name]) => name !== 'content-encoding') }
  } catch {
    return null
  }
}

/** `undefined`: not JSON, or JSON that would not be the same when it is written again. */
function parsed(body: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(body.toString())
    return JSON.stringify(value).length <= body.length * 2 ? value : undefined
  } catch {
    return undefined
  }
}

/** With one thing less, the largest steps first. */
function* smaller(value: unknown): Generator<unknown> {
  if (typeof value === 'string') {
    if (value.length > 1) {
      yield value.slice(0, value.length >> 1)
      yield value.slice(value.length >> 1)
    }
    return
  }
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const at of value.keys()) yield value.toSpliced(at, 1)
    for (const [at, item] of value.entries())
      for (const less of smaller(item)) yield value.with(at, less)
    return
  }
  for (const name of Object.keys(value)) {
    yield Object.fromEntries(Object.entries(value).filter(([each]) => each !== name))
  }
  for (const [name, held] of Object.entries(value)) {
    for (const less of smaller(held)) {
      yield Object.fromEntries(
        Object.entries(value).map(([each, own]) => [each, each === name ? less : own]),
      )
    }
  }
}
