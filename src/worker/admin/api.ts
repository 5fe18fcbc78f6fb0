/**
 * Every operators' command: its route, what it takes, what it answers, and what of it the operators' log keeps.
 *
 * The routes, their 405s, the forms of the page and the OpenAPI document are made of this list, and `run/run.ts` does not
 * compile while a command has nothing that runs it. So a command is added here, beside the function of its name.
 * Data only: nothing here reads, changes or knows a request.
 */
import * as v from 'valibot'
import { ALERT_NAMES } from '../alerts/alerts.ts'
import { STORED_KINDS } from '../chatlio/kind.ts'
import { DRIFT_CHANGES } from '../drift/drift.ts'
import { DEFAULT_SUPPRESS_DAYS, MAX_SUPPRESS_DAYS } from '../limits.ts'
import { EVENT_STATES, OUTCOMES } from '../outbox/event.ts'
import * as i from './input.ts'

export type Command = {
  method: 'GET' | 'POST' | 'DELETE'
  /** Below `/admin`; `{id}` is an event's. */
  path: `/${string}`
  summary: string
  /** The parameters of a GET's query, the fields of a JSON body otherwise; absent: none. */
  takes?: i.InputSchema
  /**
   * A schema of the JSON, made only when it is described; a media type, for bytes that go out as a download; `null`: nothing,
   * 204.
   */
  answers: (() => v.GenericSchema) | `${string}/${string}` | null
  /** What the operators' log keeps when something was done: the action, and these numbers of the answer. */
  log?: { action: string; counts: readonly string[] }
}

// One by one: taken out of `v` together, all of valibot would be in the bundle.
const object = v.strictObject
const list = v.array
const string = v.string
const orNull = v.nullable
const optional = v.optional

/** A count, bytes, milliseconds. */
const whole = v.pipe(v.number(), v.integer(), v.minValue(0))
/** RFC 3339, UTC, with milliseconds. */
const time = v.pipe(string(), v.isoTimestamp())
const counts = v.record(string(), whole)

/** A schema that the description shows once, under this name. */
const named = <const Schema extends v.GenericSchema>(name: string, schema: Schema) =>
  v.pipe(schema, v.title(name))

const status = () =>
  named(
    'Status',
    object({
      accepted: whole,
      delivered: whole,
      pending: whole,
      dead: whole,
      quarantined: whole,
      erased: whole,
      erasedBy: object({ expired: whole, deleted: whole, person: whole }),
      forwarded: whole,
      suppressed: whole,
      unavailable: whole,
      refused: whole,
      uninformed: whole,
      oldestPendingAt: orNull(time),
      hold: orNull(object({ reason: string(), since: time })),
      nextAttemptAt: orNull(time),
      environment: orNull(string()),
      version: object({ id: orNull(string()), tag: orNull(string()), deployedAt: orNull(time) }),
      destination: orNull(
        object({
          host: string(),
          inlet: string(),
          format: v.picklist(['raw', 'xdm']),
          dataset: orNull(string()),
        }),
      ),
      recordsPausedUntil: orNull(time),
      keys: list(
        object({ fingerprint: string(), name: orNull(string()), lastUsedAt: orNull(time) }),
      ),
    }),
  )

const eventFields = () => ({
  id: string(),
  kind: v.picklist(STORED_KINDS),
  source: orNull(string()),
  attempts: whole,
  receivedAt: time,
  nextAttemptAt: orNull(time),
  lastError: orNull(object({ code: string(), status: orNull(whole), message: string() })),
  bytes: whole,
})
const event = () => ({ ...eventFields(), state: v.picklist(EVENT_STATES) })
/** Delivered ones have `settledAt` and `via`. */
const listed = () => ({
  ...eventFields(),
  state: v.picklist([...EVENT_STATES, 'delivered', 'failed', 'recovered']),
  settledAt: optional(orNull(time)),
  // That AEP did not keep it afterwards, and why.
  failedAt: optional(time),
  code: optional(string()),
  pointer: optional(string()),
  batch: optional(string()),
  via: optional(orNull(v.picklist(['forwarded', 'drained']))),
})
const page = () => ({ cursor: orNull(string()) })

const logEntry = () =>
  object({
    at: time,
    by: string(),
    action: string(),
    counts,
    filter: v.record(string(), string()),
  })

const driftRow = () =>
  named(
    'DriftRow',
    object({
      kind: v.picklist(STORED_KINDS),
      path: string(),
      change: v.picklist(DRIFT_CHANGES),
      from: orNull(string()),
      to: orNull(string()),
      count: whole,
      firstAt: time,
      lastAt: time,
      eventId: string(),
      sample: orNull(string()),
      accepted: v.boolean(),
    }),
  )

/** Which events a list shows and an action takes; what is not given matches all of the state. `id`: its beginning. */
const filter = {
  kind: optional(i.kind),
  code: optional(i.code),
  source: optional(i.source),
  day: optional(i.dayOrHour),
  id: optional(i.idBeginning),
}
const queried = { ...filter, path: optional(i.pathOrNone) }
/** What an action takes. `all` states at once only by ids: a typing error must not empty the outbox. */
const matching = <const States extends readonly string[]>(states: States) =>
  v.pipe(
    v.object({
      state: i.oneOf([...states, 'all']),
      ids: optional(i.ids),
      ...filter,
      path: optional(orNull(i.pathOrNone)),
      dryRun: i.dryRun,
    }),
    v.check(
      ({ state, ids }) => state !== 'all' || ids !== undefined,
      'expected ids with the state all',
    ),
  )

/** What came of the webhooks of a day, or of some of them. */
const outcomes = {
  received: whole,
  inAep: whole,
  refused: whole,
  lost: whole,
  late: whole,
  slowestMs: orNull(whole),
}

const suppression = () => object({ id: string(), since: time, until: time })

const person = { email: optional(i.text), visitor: optional(i.text) }

export const COMMANDS = {
  status: {
    method: 'GET',
    path: '/status',
    summary: 'The ledger: accepted = delivered + pending + dead + quarantined + erased',
    answers: status,
  },
  events: {
    method: 'GET',
    path: '/events',
    summary:
      'Stored events of one state, or all with delivered ones, without payloads; a page may be short and have a cursor',
    takes: v.object({
      state: i.oneOf([...EVENT_STATES, 'all']),
      ...queried,
      order: optional(i.oneOf(['oldest', 'newest']), 'oldest'),
      limit: i.limitText,
      cursor: optional(i.cursor),
    }),
    answers: () =>
      named('Events', object({ events: list(named('Event', object(listed()))), ...page() })),
  },
  event: {
    method: 'GET',
    path: '/events/{id}',
    summary: 'One stored event with its payload and the whole answer of AEP',
    answers: () =>
      named(
        'EventDetail',
        object({
          ...event(),
          payload: v.pipe(
            v.any(),
            v.description("The event's JSON, or its text where it is none."),
          ),
          answer: orNull(string()),
          history: list(object({ at: time, code: string(), status: orNull(whole) })),
        }),
      ),
  },
  body: {
    method: 'GET',
    path: '/events/{id}/body',
    summary: 'The stored bytes of one event, as they came',
    answers: 'application/octet-stream',
  },
  preview: {
    method: 'GET',
    path: '/events/{id}/preview',
    summary: 'What would be sent now for one stored event, and where texts in it are masked',
    answers: () =>
      named(
        'Preview',
        object({
          sendable: v.boolean(),
          why: orNull(string()),
          format: orNull(v.picklist(['raw', 'xdm'])),
          records: list(
            v.pipe(v.any(), v.description('As AEP would get them, the envelope apart.')),
          ),
          masked: list(object({ path: string(), text: orNull(string()) })),
          redacted: counts,
        }),
      ),
  },
  export: {
    method: 'GET',
    path: '/export',
    summary:
      'All events that the filter matches, or some by their ids, a line of JSON each, oldest first',
    takes: v.pipe(
      v.object({
        state: i.oneOf([...EVENT_STATES, 'delivered', 'all']),
        ids: optional(i.ids),
        ...queried,
      }),
      v.check(
        ({ state: _, ids, ...narrower }) => ids === undefined || Object.keys(narrower).length === 0,
        'expected ids without another filter',
      ),
    ),
    answers: 'application/x-ndjson',
    log: { action: 'export', counts: [] },
  },
  deleteEvent: {
    method: 'DELETE',
    path: '/events/{id}',
    summary: 'Erases one stored event',
    answers: null,
    log: { action: 'delete', counts: ['erased'] },
  },
  causes: {
    method: 'GET',
    path: '/causes',
    summary:
      'Why events are parked: how many of each state, code and path, the most frequent first',
    answers: () =>
      named(
        'Causes',
        object({
          causes: list(
            object({
              state: v.picklist(['dead', 'quarantined']),
              code: string(),
              path: orNull(string()),
              count: whole,
              firstAt: time,
              lastAt: time,
              kinds: counts,
            }),
          ),
        }),
      ),
  },
  deleteMatching: {
    method: 'POST',
    path: '/delete',
    summary: 'Erases every stored event that the filter matches, or some by their ids',
    takes: matching(EVENT_STATES),
    answers: () => named('Deleted', object({ matched: whole, erased: whole })),
    log: { action: 'delete', counts: ['matched', 'erased'] },
  },
  redrive: {
    method: 'POST',
    path: '/redrive',
    summary:
      'Sends every dead or quarantined event again that the filter matches, or some by their ids',
    takes: matching(['dead', 'quarantined']),
    answers: () =>
      named('Redriven', object({ matched: whole, redriven: whole, stillInvalid: whole })),
    log: { action: 'redrive', counts: ['matched', 'redriven', 'stillInvalid'] },
  },
  pause: {
    method: 'POST',
    path: '/pause',
    summary: 'Stops relaying; webhooks are stored',
    answers: status,
    log: { action: 'pause', counts: [] },
  },
  resume: {
    method: 'POST',
    path: '/resume',
    summary: 'Relays again, at once',
    answers: status,
    log: { action: 'resume', counts: [] },
  },
  find: {
    method: 'POST',
    path: '/find',
    summary: 'Events of every state, and receipts of delivered ones, newest first',
    takes: i.exactlyOne(['id', 'conversation', 'visitor', 'email'], {
      id: optional(i.text),
      conversation: optional(i.text),
      ...person,
      day: optional(i.day),
      limit: i.limit,
      cursor: optional(orNull(i.cursor)),
    }),
    answers: () =>
      named(
        'Found',
        object({
          events: list(
            object({
              ...listed(),
              settledAt: orNull(time),
              via: orNull(v.picklist(['forwarded', 'drained'])),
            }),
          ),
          ...page(),
        }),
      ),
  },
  activity: {
    method: 'GET',
    path: '/activity',
    summary: 'How many webhooks were answered how, and how fast: a lower bound',
    takes: v.object({
      from: optional(i.moment),
      to: optional(i.moment),
      source: optional(i.source),
      step: optional(i.oneOf(['minute', 'hour', 'day']), 'hour'),
    }),
    answers: () =>
      named(
        'Activity',
        object({
          step: v.picklist(['minute', 'hour', 'day']),
          lowerBound: v.literal(true),
          points: list(
            object({
              at: time,
              kind: v.picklist(STORED_KINDS),
              outcome: v.picklist(OUTCOMES),
              source: orNull(string()),
              count: whole,
              // What AEP acknowledged of them, in its own count: a split event is several.
              records: optional(whole),
              // How much was replaced in them by rule, where anything was.
              redacted: optional(counts),
              p50Ms: orNull(whole),
              p99Ms: orNull(whole),
            }),
          ),
        }),
      ),
  },
  summary: {
    method: 'GET',
    path: '/summary',
    summary: 'What came of each day, by kind and source: a lower bound',
    takes: v.object({ days: i.daysText(90, 7) }),
    answers: () =>
      named(
        'Summary',
        object({
          lowerBound: v.literal(true),
          days: list(
            object({
              day: string(),
              ...outcomes,
              withoutTranscript: orNull(whole),
              rows: list(
                object({
                  kind: v.picklist(STORED_KINDS),
                  source: orNull(string()),
                  ...outcomes,
                }),
              ),
            }),
          ),
        }),
      ),
  },
  completeness: {
    method: 'GET',
    path: '/completeness',
    summary: 'Which conversations that began have a transcript, by day: a lower bound',
    takes: v.object({ days: i.daysText(30, 7) }),
    answers: () =>
      named(
        'Completeness',
        object({
          available: v.boolean(),
          why: orNull(string()),
          hours: whole,
          from: orNull(time),
          days: list(
            object({
              day: string(),
              started: whole,
              completed: whole,
              missing: whole,
              unnamed: whole,
            }),
          ),
          events: list(object({ id: string(), kind: v.picklist(STORED_KINDS), receivedAt: time })),
        }),
      ),
  },
  compared: {
    method: 'GET',
    path: '/compared',
    summary:
      'What AEP counts of what it acknowledged, by the hour, and which events it refused afterwards: the newest thousand',
    takes: v.object({ from: optional(i.moment), to: optional(i.moment) }),
    answers: () =>
      named(
        'Compared',
        object({
          available: v.boolean(),
          why: orNull(string()),
          hours: list(
            object({
              at: time,
              received: whole,
              ingested: whole,
              failed: whole,
              ours: whole,
              settled: v.boolean(),
            }),
          ),
          failures: list(
            object({ id: string(), code: string(), pointer: string(), batch: string(), at: time }),
          ),
        }),
      ),
  },
  erase: {
    method: 'POST',
    path: '/erase',
    summary: "Suppresses one person and erases that person's events and receipts",
    takes: i.exactlyOne(['email', 'visitor'], {
      ...person,
      suppressDays: optional(i.daysUpTo(MAX_SUPPRESS_DAYS), DEFAULT_SUPPRESS_DAYS),
      dryRun: i.dryRun,
    }),
    answers: () =>
      named(
        'Erased',
        object({
          matched: whole,
          erased: whole,
          receipts: whole,
          mentioned: whole,
          suppressedUntil: orNull(time),
        }),
      ),
    log: { action: 'erase', counts: ['matched', 'erased', 'receipts', 'mentioned'] },
  },
  screen: {
    method: 'POST',
    path: '/screen',
    summary:
      'Which of these records are of suppressed people, before they are sent again; and which events have been',
    takes: v.object({ records: i.records, recovered: optional(i.recordIds, []) }),
    answers: () => named('Screened', object({ indexes: list(whole) })),
  },
  suppressions: {
    method: 'GET',
    path: '/suppressions',
    summary: 'How many persons are suppressed, and until when',
    answers: () => named('Suppressions', object({ count: whole, rows: list(suppression()) })),
  },
  extendSuppression: {
    method: 'POST',
    path: '/suppressions',
    summary: `Extends the suppression with this id, to ${MAX_SUPPRESS_DAYS} days from now at most; never shortens it`,
    takes: v.object({ id: i.suppressionId, until: i.moment }),
    answers: () => named('Suppression', suppression()),
    log: { action: 'extend-suppression', counts: ['extended'] },
  },
  exportSuppressions: {
    method: 'POST',
    path: '/suppressions/export',
    summary: 'All suppressions and the key of their hashes, encrypted, for another outbox',
    takes: v.object({ passphrase: i.passphrase }),
    answers: () => named('SuppressionsExport', object({ count: whole, sealed: string() })),
    log: { action: 'export-suppressions', counts: ['count'] },
  },
  importSuppressions: {
    method: 'POST',
    path: '/suppressions/import',
    summary:
      'Takes over what another outbox has exported; only where nothing is stored under a key of its own',
    takes: v.object({ passphrase: i.passphrase, sealed: i.sealed }),
    answers: () =>
      named('SuppressionsImport', object({ imported: whole, error: orNull(string()) })),
    log: { action: 'import-suppressions', counts: ['imported'] },
  },
  carrySuppressions: {
    method: 'POST',
    path: '/suppressions/carry',
    summary:
      'Takes the suppressions of one outbox of this Worker over into that of another jurisdiction, as `deploy` does when it changes',
    takes: v.object({ from: i.jurisdiction, to: i.jurisdiction }),
    answers: () =>
      named('SuppressionsCarried', object({ carried: whole, error: orNull(string()) })),
    log: { action: 'carry-suppressions', counts: ['carried'] },
  },
  endSuppression: {
    method: 'DELETE',
    path: '/suppressions',
    summary: 'Ends the suppression of one person',
    takes: i.exactlyOne(['email', 'visitor'], person),
    answers: null,
    log: { action: 'end-suppression', counts: ['ended'] },
  },
  log: {
    method: 'GET',
    path: '/log',
    summary: 'Which operator did what, newest first',
    takes: v.object({ limit: i.limitText, cursor: optional(i.cursor) }),
    answers: () =>
      named(
        'OperatorLog',
        object({
          entries: list(logEntry()),
          ...page(),
        }),
      ),
  },
  alerts: {
    method: 'GET',
    path: '/alerts',
    summary: 'The state of each alert, and whether its last message got through',
    answers: () =>
      named(
        'Alerts',
        object({
          alerts: list(
            object({
              name: v.picklist(ALERT_NAMES),
              state: v.picklist(['ok', 'pending', 'firing']),
              since: orNull(time),
              lastSentAt: orNull(time),
              lastError: orNull(string()),
            }),
          ),
        }),
      ),
  },
  testAlert: {
    method: 'POST',
    path: '/alerts/test',
    summary: 'Sends a test to ALERT_WEBHOOK_URL',
    answers: () => named('AlertTest', object({ sent: v.boolean(), error: optional(string()) })),
    log: { action: 'test-alert', counts: ['sent'] },
  },
  drift: {
    method: 'GET',
    path: '/drift',
    summary: 'How what Chatlio sends differs from what it documents: names and types, no values',
    answers: () => named('Drift', object({ rows: list(driftRow()) })),
  },
  acceptDrift: {
    method: 'POST',
    path: '/drift/accept',
    summary: 'Accepts one difference, or with {} all of them; what is accepted raises no alert',
    takes: i.allOrNone({ kind: i.kind, path: i.path, change: i.oneOf(DRIFT_CHANGES) }),
    answers: () =>
      named(
        'AcceptedDrift',
        v.union([driftRow(), object({ accepted: whole, rows: list(driftRow()) })]),
      ),
    log: { action: 'accept-drift', counts: ['accepted'] },
  },
  support: {
    method: 'GET',
    path: '/support',
    summary: 'What somebody who helps needs to know, without personal data and without secrets',
    answers: () =>
      named(
        'Support',
        object({
          at: time,
          status: status(),
          health: list(string()),
          causes: v.any(),
          alerts: v.any(),
          settings: v.record(string(), string()),
          problems: list(object({ variable: string(), expected: string() })),
          log: list(logEntry()),
        }),
      ),
  },
  description: {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description',
    answers: () => named('Description', v.looseObject({})),
  },
} as const satisfies Record<string, Command>

type Commands = typeof COMMANDS
export type CommandName = keyof Commands

type Taken<C extends Command> = C extends { takes: infer Schema extends i.InputSchema }
  ? v.InferOutput<Schema>
  : unknown

/** What a command gets: what it takes, checked, and the id in its path. */
export type Input<Name extends CommandName> = Taken<Commands[Name]> &
  (Commands[Name]['path'] extends `${string}{id}${string}` ? { id: string } : unknown)

/** What a command answers; of one that answers nothing the numbers for the log. */
export type Answer<Name extends CommandName> = Commands[Name]['answers'] extends () => infer Schema
  ? Schema extends v.GenericSchema
    ? v.InferOutput<Schema>
    : never
  : Commands[Name]['answers'] extends null
    ? Readonly<Record<string, number>>
    : { body: Uint8Array | ReadableStream<Uint8Array> }
