/**
 * One webhook, from its bytes to custody.
 *
 * Promises: reads at most the limit; whatever could be read is given into custody, valid or not, so that a change on
 * Chatlio's side loses nothing; a result says everything that the answer and the log line need.
 */
import { type Reading, readEvent } from '../chatlio/event.ts'
import { eventId } from '../chatlio/id.ts'
import type { Route, StoredKind } from '../chatlio/kind.ts'
import { readUpTo } from '../lib/bounded-body.ts'
import { type Parsed, parseJson } from '../lib/json.ts'
import { MAX_BODY_BYTES } from '../limits.ts'
import type { Received, RelayResult } from '../relay.ts'
import { isAcceptedMediaType } from './media-type.ts'
import type { Refusal } from './problem.ts'

/** `refusal`: what the sender is told of an event in quarantine. */
export type Ingested = RelayResult & {
  id: string
  kind: StoredKind
  bytes: number
  refusal: Refusal | null
}
export type Refused = { outcome: 'refused'; kind: Route; refusal: Refusal }

/** Takes whatever could be read, valid or not. */
export type EventAcceptor = { accept(received: Received, reading: Reading): Promise<RelayResult> }

/** Sees every event that could be read, once it is in custody. */
export type Observer = (reading: Reading, parsed: Parsed, id: string) => void

/** `receivedAt`: epoch milliseconds. */
export async function ingest(
  request: Request,
  route: Route,
  receivedAt: number,
  custodian: EventAcceptor,
  observe: Observer = () => undefined,
): Promise<Ingested | Refused> {
  const refused = (refusal: Refusal): Refused => ({ outcome: 'refused', kind: route, refusal })
  if (!isAcceptedMediaType(request.headers.get('content-type'))) {
    return refused({ code: 'unsupported-media-type' })
  }
  let body: Uint8Array
  try {
    const read = await readUpTo(request, MAX_BODY_BYTES)
    if (!read.complete) return refused({ code: 'payload-too-large', limitBytes: MAX_BODY_BYTES })
    body = read.bytes
  } catch {
    // The sender has gone before its body was whole: nobody hears this but the log.
    return refused({ code: 'malformed-json' })
  }
  const parsed = parseJson(body)
  const id = await eventId(route, body, parsed, receivedAt)
  const reading = readEvent({ id, kind: route, receivedAt }, parsed)
  const { kind } = reading
  const taken = await custodian.accept({ id, kind, receivedAt, body }, reading)
  observe(reading, parsed, id)
  return { ...taken, id, kind, bytes: body.length, refusal: refusalOf(reading, id) }
}

function refusalOf(reading: Reading, id: string): Refusal | null {
  switch (reading.outcome) {
    case 'malformed':
      return { code: 'malformed-json', id }
    case 'invalid':
      return { code: 'invalid-payload', id, issues: reading.issues }
    case 'valid':
      return null
  }
}
