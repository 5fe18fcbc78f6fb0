/** What the routes answer, by name. A test holds real answers against it (`test/worker/openapi.test.ts`). */
import { ALERT_NAMES } from '../../worker/alerts/state.ts'
import { STORED_KINDS } from '../../worker/chatlio/kind.ts'
import { DRIFT_CHANGES } from '../../worker/drift/drift.ts'
import { EVENT_STATES } from '../../worker/outbox/state.ts'
import { OUTCOMES } from '../../worker/receipts/carried.ts'
import {
  boolean,
  type JsonSchema,
  list,
  object,
  oneOf,
  orNull,
  ref,
  string,
  time,
  whole,
} from './schema.ts'

const ledger = {
  accepted: whole,
  delivered: whole,
  pending: whole,
  dead: whole,
  quarantined: whole,
  erased: whole,
  forwarded: whole,
  suppressed: whole,
  oldestPendingAt: orNull(time),
  hold: orNull(object({ reason: string, since: time })),
  nextAttemptAt: orNull(time),
}

const event = {
  id: string,
  kind: oneOf(STORED_KINDS),
  state: oneOf(EVENT_STATES),
  attempts: whole,
  receivedAt: time,
  nextAttemptAt: orNull(time),
  lastError: orNull(object({ code: string, status: orNull(whole), message: string })),
  bytes: whole,
}

const cause = {
  state: oneOf(['dead', 'quarantined']),
  code: string,
  path: orNull(string),
  count: whole,
  firstAt: time,
  lastAt: time,
  kinds: { type: 'object', additionalProperties: whole },
}

const found = {
  ...event,
  state: oneOf([...EVENT_STATES, 'delivered']),
  settledAt: orNull(time),
  via: orNull(oneOf(['forwarded', 'drained'])),
}

const point = {
  at: time,
  kind: oneOf(STORED_KINDS),
  outcome: oneOf(OUTCOMES),
  count: whole,
  p50Ms: orNull(whole),
  p99Ms: orNull(whole),
}

const logEntry = {
  at: time,
  by: string,
  action: string,
  counts: { type: 'object', additionalProperties: whole },
}

const drift = {
  kind: oneOf(STORED_KINDS),
  path: string,
  change: oneOf(DRIFT_CHANGES),
  from: orNull(string),
  to: orNull(string),
  count: whole,
  firstAt: time,
  lastAt: time,
  eventId: string,
  sample: orNull(string),
  accepted: boolean,
}

const alert = {
  name: oneOf(ALERT_NAMES),
  state: oneOf(['ok', 'pending', 'firing']),
  since: orNull(time),
  lastSentAt: orNull(time),
  lastError: orNull(string),
}

export const ANSWERS: Readonly<Record<string, JsonSchema>> = {
  Taken: object({
    status: oneOf(['forwarded', 'buffered', 'dead-lettered', 'suppressed']),
    id: string,
  }),
  Health: object({ status: oneOf(['ok', 'degraded']), reasons: list(string) }, ['reasons']),
  Problem: object(
    {
      type: string,
      title: string,
      status: whole,
      detail: string,
      code: string,
      id: string,
      issues: list(object({ path: string, message: string })),
    },
    ['id', 'issues'],
  ),
  Status: object({
    ...ledger,
    keys: list(object({ fingerprint: string, name: orNull(string), lastUsedAt: orNull(time) })),
    shards: list(object(ledger)),
  }),
  Events: object({ events: list(ref('Event')), cursor: orNull(string) }),
  Event: object(event),
  EventDetail: object({
    ...event,
    payload: { description: "The event's JSON, or its text where it is none." },
    answer: orNull(string),
    tries: list(object({ at: time, code: string, status: orNull(whole) })),
  }),
  Causes: object({ causes: list(object(cause)) }),
  Deleted: object({ matched: whole, erased: whole }),
  Redriven: object({ matched: whole, redriven: whole, stillInvalid: whole }),
  Found: object({ events: list(object(found)), cursor: orNull(string) }),
  Activity: object({
    step: oneOf(['minute', 'hour', 'day']),
    lowerBound: { const: true },
    points: list(object(point)),
  }),
  Erased: object({
    matched: whole,
    erased: whole,
    receipts: whole,
    mentioned: whole,
    suppressedUntil: orNull(time),
  }),
  Suppressions: object({ count: whole, rows: list(object({ since: time, until: time })) }),
  OperatorLog: object({ entries: list(object(logEntry)), cursor: orNull(string) }),
  Alerts: object({ alerts: list(object(alert)) }),
  AlertTest: object({ sent: boolean, error: string }, ['error']),
  DriftRow: object(drift),
  Drift: object({ rows: list(ref('DriftRow')) }),
}
