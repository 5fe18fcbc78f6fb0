/**
 * One webhook, from its bytes to custody.
 *
 * Promises: reads at most the limit; decides nothing about AEP itself, which is what `custody` is for; a result
 * says everything that the answer and the log line need, so that both are made in one place each.
 */
import { type ChatEvent, readEvent } from './chatlio/event.ts'
import { eventId } from './chatlio/id.ts'
import { parseJson } from './chatlio/json.ts'
import type { Route, StoredKind } from './chatlio/kind.ts'
import { MAX_BODY_BYTES } from './limits.ts'
import { isTakenMediaType } from './media-type.ts'
import type { Refusal } from './problem.ts'
import { readUpTo } from './read.ts'

/** Where an event is now. `upstreamStatus`: what AEP answered, `null` where it did not, or was not asked. */
export type Custody = {
  outcome: 'forwarded' | 'buffered' | 'dead-lettered' | 'unavailable'
  upstreamStatus: number | null
  /** Why it was not forwarded. */
  code?: string
}

export type Ingested = { kind: StoredKind; bytes: number; id: string } & (
  | Custody
  | { outcome: 'quarantined'; refusal: Refusal }
)
export type Refused = { outcome: 'refused'; kind: Route; refusal: Refusal }

export type IngestDeps = {
  now: () => number
  forward: (event: ChatEvent) => Promise<Custody>
}

export async function ingest(
  request: Request,
  route: Route,
  { now, forward }: IngestDeps,
): Promise<Ingested | Refused> {
  const refused = (refusal: Refusal): Refused => ({ outcome: 'refused', kind: route, refusal })
  if (!isTakenMediaType(request.headers.get('content-type') ?? undefined)) {
    return refused({ code: 'unsupported-media-type' })
  }
  const receivedAt = now()
  const { bytes: body, complete } = await readUpTo(request.body, MAX_BODY_BYTES)
  if (!complete) return refused({ code: 'payload-too-large', limitBytes: MAX_BODY_BYTES })

  const parsed = parseJson(body)
  const id = await eventId(route, body, parsed, receivedAt)
  const reading = readEvent({ id, kind: route, receivedAt }, parsed)
  const known = { id, kind: reading.kind, bytes: body.length }
  switch (reading.outcome) {
    case 'malformed':
      return { ...known, outcome: 'quarantined', refusal: { code: 'malformed-json' } }
    case 'invalid':
      return {
        ...known,
        outcome: 'quarantined',
        refusal: { code: 'invalid-payload', issues: reading.issues },
      }
    case 'valid':
      return { ...known, ...(await forward(reading.event)) }
  }
}
