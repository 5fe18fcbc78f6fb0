/**
 * Every operators' command: its route, what it takes, what it answers, and what of it the operators' log keeps.
 *
 * The routes, their 405s, the forms of the page and the OpenAPI document are made of this list, and `run/run.ts` does not
 * compile while a command has nothing that runs it. So a command is added here, beside the function of its name.
 * Data only: nothing here reads, changes or knows a request.
 */
import * as v from 'valibot'
import { DRIFT_CHANGES } from '../drift/detector.ts'
import { DEFAULT_SUPPRESS_DAYS, MAX_SUPPRESS_DAYS } from '../limits.ts'
import { EVENT_STATES, OUTCOMES, PARKED_STATES } from '../outbox/event.ts'
import * as i from './input.ts'
import * as o from './output.ts'

export type Command = {
  /** The method, and the path below `/admin`; `{id}` is an event's. */
  route: `${'GET' | 'POST' | 'DELETE'} /${string}`
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

/** The two halves of its route. */
export function routeOf({ route }: Pick<Command, 'route'>) {
  const [method = '', path = ''] = route.split(' ')
  return { method, path }
}

const { optional } = o

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
      path: optional(v.nullable(i.pathOrNone)),
      dryRun: i.dryRun,
    }),
    v.check(
      ({ state, ids }) => state !== 'all' || ids !== undefined,
      'expected ids with the state all',
    ),
  )

const person = { email: optional(i.text), visitor: optional(i.text) }

export const COMMANDS = {
  status: {
    route: 'GET /status',
    summary: 'The ledger: accepted = delivered + pending + dead + quarantined + erased',
    answers: o.status,
  },
  events: {
    route: 'GET /events',
    summary:
      'Stored events of one state, or all with delivered ones, without payloads; a page may be short and have a cursor',
    takes: v.object({
      state: i.oneOf([...EVENT_STATES, 'all']),
      ...queried,
      order: optional(i.oneOf(['oldest', 'newest']), 'oldest'),
      limit: i.limitText,
      cursor: optional(i.cursor),
    }),
    answers: o.answer('Events', () => ({ events: o.list(o.listed()), ...o.page() })),
  },
  event: {
    route: 'GET /events/{id}',
    summary: 'One stored event with its payload and the whole answer of AEP',
    answers: o.answer('EventDetail', () => ({
      ...o.event(),
      payload: v.pipe(v.any(), v.description("The event's JSON, or its text where it is none.")),
      answer: o.textOrNull,
      history: o.list(o.object({ at: o.time, code: o.text, status: o.wholeOrNull })),
    })),
  },
  body: {
    route: 'GET /events/{id}/body',
    summary: 'The stored bytes of one event, as they came',
    answers: 'application/octet-stream',
  },
  preview: {
    route: 'GET /events/{id}/preview',
    summary: 'What would be sent now for one stored event, and where texts in it are masked',
    answers: o.answer('Preview', () => ({
      sendable: o.yes,
      why: o.textOrNull,
      format: v.nullable(o.oneOf(['raw', 'xdm'])),
      records: o.list(v.pipe(v.any(), v.description('As AEP would get them, the envelope apart.'))),
      masked: o.list(o.object({ path: o.text, text: o.textOrNull })),
      redacted: o.counts,
    })),
  },
  export: {
    route: 'GET /export',
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
    route: 'DELETE /events/{id}',
    summary: 'Erases one stored event',
    answers: null,
    log: { action: 'delete', counts: ['erased'] },
  },
  causes: {
    route: 'GET /causes',
    summary:
      'Why events are parked: how many of each state, code and path, the most frequent first',
    answers: o.answer('Causes', () => ({
      causes: o.list(
        o.object({
          state: o.oneOf(PARKED_STATES),
          code: o.text,
          path: o.textOrNull,
          count: o.whole,
          ...o.each(o.time, 'firstAt', 'lastAt'),
          kinds: o.counts,
        }),
      ),
    })),
  },
  deleteMatching: {
    route: 'POST /delete',
    summary: 'Erases every stored event that the filter matches, or some by their ids',
    takes: matching(EVENT_STATES),
    answers: o.answer('Deleted', () => o.wholes('matched', 'erased')),
    log: { action: 'delete', counts: ['matched', 'erased'] },
  },
  redrive: {
    route: 'POST /redrive',
    summary:
      'Sends every dead or quarantined event again that the filter matches, or some by their ids',
    takes: matching(PARKED_STATES),
    answers: o.answer('Redriven', () => o.wholes('matched', 'redriven', 'stillInvalid')),
    log: { action: 'redrive', counts: ['matched', 'redriven', 'stillInvalid'] },
  },
  pause: {
    route: 'POST /pause',
    summary: 'Stops relaying; webhooks are stored',
    answers: o.status,
    log: { action: 'pause', counts: [] },
  },
  resume: {
    route: 'POST /resume',
    summary: 'Relays again, at once',
    answers: o.status,
    log: { action: 'resume', counts: [] },
  },
  find: {
    route: 'POST /find',
    summary: 'Events of every state, and receipts of delivered ones, newest first',
    takes: i.exactlyOne(['id', 'conversation', 'visitor', 'email'], {
      id: optional(i.text),
      conversation: optional(i.text),
      ...person,
      day: optional(i.day),
      limit: i.limit,
      cursor: optional(v.nullable(i.cursor)),
    }),
    answers: o.answer('Found', () => ({ events: o.list(o.found()), ...o.page() })),
  },
  activity: {
    route: 'GET /activity',
    summary: 'How many webhooks were answered how, and how fast: a lower bound',
    takes: v.object({
      from: optional(i.moment),
      to: optional(i.moment),
      source: optional(i.source),
      step: optional(i.oneOf(['minute', 'hour', 'day']), 'hour'),
    }),
    answers: o.answer('Activity', () => ({
      step: o.oneOf(['minute', 'hour', 'day']),
      lowerBound: v.literal(true),
      points: o.list(
        o.object({
          at: o.time,
          kind: o.kind,
          outcome: o.oneOf(OUTCOMES),
          source: o.textOrNull,
          count: o.whole,
          // What AEP acknowledged of them, in its own count: a split event is several.
          records: optional(o.whole),
          // How much was replaced in them by rule, where anything was.
          redacted: optional(o.counts),
          ...o.each(o.wholeOrNull, 'p50Ms', 'p99Ms'),
        }),
      ),
    })),
  },
  summary: {
    route: 'GET /summary',
    summary: 'What came of each day, by kind and source: a lower bound',
    takes: v.object({ days: i.daysText(90, 7) }),
    answers: o.answer('Summary', () => ({
      lowerBound: v.literal(true),
      days: o.list(
        o.object({
          day: o.text,
          ...o.outcomes,
          withoutTranscript: o.wholeOrNull,
          rows: o.list(o.object({ kind: o.kind, source: o.textOrNull, ...o.outcomes })),
        }),
      ),
    })),
  },
  completeness: {
    route: 'GET /completeness',
    summary: 'Which conversations that began have a transcript, by day: a lower bound',
    takes: v.object({ days: i.daysText(30, 7) }),
    answers: o.answer('Completeness', () => ({
      available: o.yes,
      why: o.textOrNull,
      hours: o.whole,
      from: o.timeOrNull,
      days: o.list(
        o.object({ day: o.text, ...o.wholes('started', 'completed', 'missing', 'unnamed') }),
      ),
      events: o.list(o.object({ id: o.text, kind: o.kind, receivedAt: o.time })),
    })),
  },
  compared: {
    route: 'GET /compared',
    summary:
      'What AEP counts of what it acknowledged, by the hour, and which events it refused afterwards: the newest thousand',
    takes: v.object({ from: optional(i.moment), to: optional(i.moment) }),
    answers: o.answer('Compared', () => ({
      available: o.yes,
      why: o.textOrNull,
      hours: o.list(
        o.object({
          at: o.time,
          ...o.wholes('received', 'ingested', 'failed', 'ours'),
          settled: o.yes,
        }),
      ),
      failures: o.list(
        o.object({ ...o.each(o.text, 'id', 'code', 'pointer', 'batch'), at: o.time }),
      ),
    })),
  },
  erase: {
    route: 'POST /erase',
    summary: "Suppresses one person and erases that person's events and receipts",
    takes: i.exactlyOne(['email', 'visitor'], {
      ...person,
      suppressDays: optional(i.daysUpTo(MAX_SUPPRESS_DAYS), DEFAULT_SUPPRESS_DAYS),
      dryRun: i.dryRun,
    }),
    answers: o.answer('Erased', () => ({
      ...o.wholes('matched', 'erased', 'receipts', 'mentioned'),
      suppressedUntil: o.timeOrNull,
    })),
    log: { action: 'erase', counts: ['matched', 'erased', 'receipts', 'mentioned'] },
  },
  screen: {
    route: 'POST /screen',
    summary:
      'Which of these records are of suppressed people, before they are sent again; and which events have been',
    takes: v.object({ records: i.records, recovered: optional(i.recordIds, []) }),
    answers: o.answer('Screened', () => ({ indexes: o.list(o.whole) })),
  },
  suppressions: {
    route: 'GET /suppressions',
    summary: 'How many persons are suppressed, and until when',
    answers: o.answer('Suppressions', () => ({
      count: o.whole,
      rows: o.list(o.object(o.suppression())),
    })),
  },
  extendSuppression: {
    route: 'POST /suppressions',
    summary: `Extends the suppression with this id, to ${MAX_SUPPRESS_DAYS} days from now at most; never shortens it`,
    takes: v.object({ id: i.suppressionId, until: i.moment }),
    answers: o.answer('Suppression', o.suppression),
    log: { action: 'extend-suppression', counts: ['extended'] },
  },
  exportSuppressions: {
    route: 'POST /suppressions/export',
    summary: 'All suppressions and the key of their hashes, encrypted, for another outbox',
    takes: v.object({ passphrase: i.passphrase }),
    answers: o.answer('SuppressionsExport', () => ({ count: o.whole, sealed: o.text })),
    log: { action: 'export-suppressions', counts: ['count'] },
  },
  importSuppressions: {
    route: 'POST /suppressions/import',
    summary:
      'Takes over what another outbox has exported; only where nothing is stored under a key of its own',
    takes: v.object({ passphrase: i.passphrase, sealed: i.sealed }),
    answers: o.answer('SuppressionsImport', () => ({ imported: o.whole, error: o.textOrNull })),
    log: { action: 'import-suppressions', counts: ['imported'] },
  },
  copySuppressions: {
    route: 'POST /suppressions/copy',
    summary:
      'Copies the suppressions of one outbox of this Worker into that of another jurisdiction, as `deploy` does when it changes',
    takes: v.object({ from: i.jurisdiction, to: i.jurisdiction }),
    answers: o.answer('SuppressionsCopied', () => ({ copied: o.whole, error: o.textOrNull })),
    log: { action: 'copy-suppressions', counts: ['copied'] },
  },
  endSuppression: {
    route: 'DELETE /suppressions',
    summary: 'Ends the suppression of one person',
    takes: i.exactlyOne(['email', 'visitor'], person),
    answers: null,
    log: { action: 'end-suppression', counts: ['ended'] },
  },
  log: {
    route: 'GET /log',
    summary: 'Which operator did what, newest first',
    takes: v.object({ limit: i.limitText, cursor: optional(i.cursor) }),
    answers: o.answer('OperatorLog', () => ({ entries: o.list(o.logEntry()), ...o.page() })),
  },
  alerts: {
    route: 'GET /alerts',
    summary: 'The state of each alert, and whether its last message got through',
    answers: o.answer('Alerts', () => ({ alerts: o.list(o.alert()) })),
  },
  testAlert: {
    route: 'POST /alerts/test',
    summary: 'Sends a test to ALERT_WEBHOOK_URL',
    answers: o.answer('AlertTest', () => ({ sent: o.yes, error: optional(o.text) })),
    log: { action: 'test-alert', counts: ['sent'] },
  },
  drift: {
    route: 'GET /drift',
    summary: 'How what Chatlio sends differs from what it documents: names and types, no values',
    answers: o.answer('Drift', () => ({ rows: o.list(o.driftRow()) })),
  },
  acceptDrift: {
    route: 'POST /drift/accept',
    summary: 'Accepts one difference, or with {} all of them; what is accepted raises no alert',
    takes: i.allOrNone({ kind: i.kind, path: i.path, change: i.oneOf(DRIFT_CHANGES) }),
    answers: () =>
      v.pipe(
        v.union([o.driftRow(), o.object({ accepted: o.whole, rows: o.list(o.driftRow()) })]),
        v.title('AcceptedDrift'),
      ),
    log: { action: 'accept-drift', counts: ['accepted'] },
  },
  support: {
    route: 'GET /support',
    summary: 'What somebody who helps needs to know, without personal data and without secrets',
    answers: o.answer('Support', () => ({
      at: o.time,
      status: o.status(),
      health: o.list(o.text),
      ...o.each(v.any(), 'causes', 'alerts'),
      settings: o.texts,
      problems: o.list(o.object(o.each(o.text, 'variable', 'expected'))),
      log: o.list(o.logEntry()),
    })),
  },
  description: {
    route: 'GET /openapi.json',
    summary: 'This description',
    answers: () => v.pipe(v.looseObject({}), v.title('Description')),
  },
} as const satisfies Record<string, Command>

type Commands = typeof COMMANDS
export type CommandName = keyof Commands

type Taken<C extends Command> = C extends { takes: infer Schema extends i.InputSchema }
  ? v.InferOutput<Schema>
  : unknown

/** What a command gets: what it takes, checked, and the id in its path. */
export type Input<Name extends CommandName> = Taken<Commands[Name]> &
  (Commands[Name]['route'] extends `${string}{id}${string}` ? { id: string } : unknown)

/** What a command answers; of one that answers nothing the numbers for the log. */
export type Answer<Name extends CommandName> = Commands[Name]['answers'] extends () => infer Schema
  ? Schema extends v.GenericSchema
    ? v.InferOutput<Schema>
    : never
  : Commands[Name]['answers'] extends null
    ? Readonly<Record<string, number>>
    : { body: Uint8Array | ReadableStream<Uint8Array> }
