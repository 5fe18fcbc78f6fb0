/**
 * Takes one webhook from its bytes into custody.
 *
 * Promises: reads no more than the limit, compressed or not; everything that could be read is passed on, valid or not,
 * so that a change on Chatlio's side loses nothing; the result holds all that the answer and the log line need.
 * A compressed body is decoded first: its id and the stored bytes are those of the decoded body. One that cannot be
 * decoded goes to quarantine as malformed, with its bytes as they came; so does what comes under another type than JSON.
 */
import { eventId, type Reading, readEvent, readEventOrNull } from '../chatlio/event.ts'
import type { Route, StoredKind } from '../chatlio/kind.ts'
import { hasTrait, type Subject, subjectOf, type Trait } from '../chatlio/person.ts'
import { readUpTo } from '../lib/bounded.ts'
import { type Compression, decompress } from '../lib/decompress.ts'
import { type Parsed, type ParsedText, parseJson } from '../lib/json.ts'
import type { Rim } from '../lib/rim.ts'
import { MAX_BODY_BYTES, MAX_JSON_VALUES } from '../limits.ts'
import { logLine, nameOf } from '../log.ts'
import type { Unsupported } from '../outbox/event.ts'
import type { Received, RelayResult } from '../relay.ts'
import type { Refusal } from './problem.ts'

/**
 * `bytes`: length of the stored body. `refusal`: the answer to an event in quarantine. `isInformed`: the isolate knew of
 * pauses, holds and suppressions.
 */
export type Ingested = RelayResult & {
  id: string
  kind: StoredKind
  bytes: number
  receivedAt: number
  subject: Subject
  refusal: Refusal | null
  isInformed: boolean
}

/** Nothing is stored. */
export type Refused = { outcome: 'refused'; kind: Route; refusal: Refusal }

/** Its visitor has opted out: it is neither stored nor relayed, and leaves no receipt. */
export type OptedOut = { outcome: 'opted-out'; kind: StoredKind; id: string }

/** Relays or stores an event; an invalid one goes to quarantine. */
type EventAcceptor = {
  accept(received: Received, reading: Reading | Unsupported): Promise<RelayResult>
  /** Stores an event that our own code fails to read. */
  acceptUnread(received: Received, thrown: unknown): Promise<RelayResult>
}

/** Sees every event that could be read, once it is in custody; never one of a suppressed person. */
type Observer = (reading: Reading, parsed: Parsed, id: string) => void

/** What taking in a webhook needs of its isolate and of its caller. `source`: the name of the caller's key. */
type IngestDeps = {
  acceptor: EventAcceptor
  source: string | null
  optOut: Trait | null
  sha256: Rim['sha256']
  /** Asked once the body has arrived, however long that took: whether the isolate knows of pauses, holds and suppressions. */
  reporter: { ready(): Promise<boolean> }
  observe: Observer
}

/** `receivedAt`: epoch milliseconds. */
export async function ingest(
  request: Request,
  route: Route,
  receivedAt: number,
  { acceptor, source, optOut, sha256, reporter, observe }: IngestDeps,
): Promise<Ingested | OptedOut | Refused> {
  const { headers } = request
  const compression = compressionOf(headers.get('content-encoding'))
  if (compression === 'unsupported') {
    return refused(route, { code: 'unsupported-media-type', header: 'content-encoding' })
  }
  const read = await readBody(request, compression)
  if ('code' in read) return refused(route, read)
  const { body, parsed } = read
  const id = await eventId(route, body, parsed, receivedAt, sha256)
  const arrival = { id, kind: route, receivedAt }
  const arrived = (kind: StoredKind, subject: Subject) => {
    return { id, kind, bytes: body.length, receivedAt, subject }
  }
  if (optOut !== null && hasTrait(parsed, optOut)) {
    return { outcome: 'opted-out', kind: readEventOrNull(arrival, parsed)?.kind ?? route, id }
  }
  const isInformed = await reporter.ready()
  let reading: Reading
  try {
    reading = readEvent(arrival, parsed)
  } catch (thrown) {
    const subject = subjectOf({ kind: route, parsed, body, isValid: false })
    const result = await acceptor.acceptUnread({ ...arrival, source, body, subject }, thrown)
    return { ...result, ...arrived(route, subject), refusal: null, isInformed }
  }
  const { kind } = reading
  const subject = subjectOf({ kind, parsed, body, isValid: reading.outcome === 'valid' })
  const unsupported: Unsupported | null = isAcceptedMediaType(headers.get('content-type'))
    ? null
    : { outcome: 'unsupported-media-type', kind }
  const received = { id, kind, source, receivedAt, body, subject }
  const result = await acceptor.accept(received, unsupported ?? reading)
  if (result.outcome !== 'suppressed') {
    try {
      observe(reading, parsed, id)
    } catch (thrown) {
      // The event is in custody: a fault of the observer must not change the answer.
      const name = nameOf(thrown)
      logLine('error', { event: 'error', name })
    }
  }
  const refusal = refusalOf(unsupported ?? reading, id)
  return { ...result, ...arrived(kind, subject), refusal, isInformed }
}

function refused(kind: Route, refusal: Refusal): Refused {
  return { outcome: 'refused', kind, refusal }
}

async function readBody(
  request: Request,
  compression: Compression | null,
): Promise<{ body: Uint8Array; parsed: ParsedText } | Refusal> {
  const tooLarge: Refusal = { code: 'payload-too-large', limitBytes: MAX_BODY_BYTES }
  try {
    const { bytes, complete } = await readUpTo(request, MAX_BODY_BYTES)
    if (!complete) return tooLarge
    if (!compression) return { body: bytes, parsed: parseJson(bytes) }
    const decompressed = await decompress(bytes, compression, MAX_BODY_BYTES)
    if (decompressed === 'too-large') return tooLarge
    if (decompressed === 'broken') return { body: bytes, parsed: { ok: false } }
    return { body: decompressed.bytes, parsed: parseJson(decompressed.bytes) }
  } catch {
    // The sender disconnected before the body was complete: only the log line records this.
    return { code: 'malformed-json' }
  }
}

/** `null`: not compressed. `unsupported`: any other encoding, or several of them, one inside the other. */
export function compressionOf(header: string | null): Compression | 'unsupported' | null {
  const compression = COMPRESSIONS.get(header?.trim().toLowerCase() ?? '')
  return compression === undefined ? 'unsupported' : compression
}

const COMPRESSIONS = new Map<string, Compression | null>([
  ...['', 'identity'].map((name) => [name, null] as const),
  ...(['gzip', 'deflate'] as const).map((name) => [name, name] as const),
  // The same under its old name (RFC 9110, 8.4.1.3).
  ['x-gzip', 'gzip'],
])

function refusalOf(reading: Reading | Unsupported, id: string): Refusal | null {
  switch (reading.outcome) {
    case 'unsupported-media-type':
      return { code: 'unsupported-media-type', header: 'content-type', id }
    case 'malformed':
      return { code: 'malformed-json', id }
    case 'too-many-values':
      return { code: 'too-many-values', id, limit: MAX_JSON_VALUES }
    case 'invalid':
      return { code: 'invalid-payload', id, issues: reading.issues }
    case 'valid':
      return null
  }
}

/**
 * JSON under any of its names, `text/plain`, or no type at all, since senders differ. Parameters (charset) are ignored:
 * parsing shows whether the bytes are UTF-8.
 */
const ACCEPTED =
  /^\s*(?:(?:application|text)\/json|[\w!#$&^.+-]+\/[\w!#$&^.+-]+\+json|text\/plain)?\s*(?:;|$)/i

/** The value of a parameter, in which a comma separates nothing (RFC 9110, 5.6.4); one without an end goes to the end. */
const QUOTED = /"(?:[^"\\]|\\.?)*(?:"|$)/g

/** Two equal headers arrive as one, with a comma between: a sender and its proxy have both set it. */
export function isAcceptedMediaType(header: string | null): boolean {
  const types = header?.replaceAll(QUOTED, '').split(',') ?? []
  return types.every((type) => ACCEPTED.test(type))
}
