/** Every route, what it takes and what it answers: the table that the description is made from. */
import { toJsonSchema } from '@valibot/to-json-schema'
import type * as v from 'valibot'
import {
  ActivitySchema,
  EraseSchema,
  FindSchema,
  LogSchema,
  PersonSchema,
} from '../../worker/admin/lookup-parameters.ts'
import { AcceptDriftSchema, ListSchema, MatchingSchema } from '../../worker/admin/parameters.ts'
import { type JsonSchema, ref, string } from './schema.ts'

export type Parameter = {
  name: string
  in: 'path' | 'query'
  required: boolean
  schema: JsonSchema
}

export type Operation = {
  method: 'get' | 'post' | 'delete'
  /** As in OpenAPI: `/admin/events/{id}`. */
  path: string
  summary: string
  access: 'key' | 'admin' | 'open'
  parameters?: readonly Parameter[]
  body?: JsonSchema
  /** Status and the name of the answer's schema; `bytes`: not JSON, `null`: no body. Problems are added by `access`. */
  answers: Readonly<Record<number, string | null>>
  problems?: readonly number[]
}

/** What an operator sends, as the Worker checks it. */
function taken(schema: v.GenericSchema): JsonSchema {
  const { $schema: _, ...json } = toJsonSchema(schema, {
    typeMode: 'input',
    errorMode: 'ignore',
  }) as JsonSchema
  return { ...json, additionalProperties: false }
}

/** Exactly one of these fields is given. */
function takenByOne(schema: v.GenericSchema, ...fields: readonly string[]): JsonSchema {
  return { ...taken(schema), oneOf: fields.map((field) => ({ required: [field] })) }
}

/** Each field of a schema as a parameter of the query. */
function query(schema: v.GenericSchema): Parameter[] {
  const { properties = {}, required = [] } = toJsonSchema(schema, {
    typeMode: 'input',
    errorMode: 'ignore',
  })
  return Object.entries(properties).map(([name, each]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: each as JsonSchema,
  }))
}

const id: Parameter = { name: 'id', in: 'path', required: true, schema: string }

const TAKEN = { 200: 'Taken', 202: 'Taken' }
const REFUSED = [400, 401, 404, 405, 413, 415, 422, 503]

const webhook = (kind: string, summary: string, body: string): Operation => ({
  method: 'post',
  path: `/chatlio/${kind}`,
  summary,
  access: 'key',
  body: ref(body),
  answers: TAKEN,
  problems: REFUSED,
})

export const OPERATIONS: readonly Operation[] = [
  webhook('transcript', 'A transcript was exported', 'transcript'),
  webhook('offline-message', 'An offline message was left', 'offline-message'),
  webhook('new-conversation', 'A conversation started', 'conversation'),
  webhook('unanswered', 'A visitor got no answer in time', 'conversation'),
  webhook('feedback', 'A visitor left feedback', 'conversation'),
  {
    method: 'post',
    path: '/chatlio',
    summary: 'One URL for every webhook: the kind follows from the shape',
    access: 'key',
    body: { anyOf: ['transcript', 'offline-message', 'conversation'].map(ref) },
    answers: TAKEN,
    problems: REFUSED,
  },
  {
    method: 'get',
    path: '/health',
    summary: 'Whether webhooks can be taken into custody, and what an operator should look at',
    access: 'open',
    answers: { 200: 'Health', 503: 'Health' },
  },
  {
    method: 'get',
    path: '/admin/status',
    summary: 'The ledger: accepted = delivered + pending + dead + quarantined + erased',
    access: 'admin',
    answers: { 200: 'Status' },
  },
  {
    method: 'get',
    path: '/admin/events',
    summary:
      'Stored events of one state, oldest first, without payloads; a page may be short and have a cursor',
    access: 'admin',
    parameters: query(ListSchema),
    answers: { 200: 'Events' },
    problems: [400],
  },
  {
    method: 'get',
    path: '/admin/events/{id}',
    summary: 'One stored event with its payload and the whole answer of AEP',
    access: 'admin',
    parameters: [id],
    answers: { 200: 'EventDetail' },
  },
  {
    method: 'get',
    path: '/admin/events/{id}/body',
    summary: 'The stored bytes of one event, as they came',
    access: 'admin',
    parameters: [id],
    answers: { 200: 'bytes' },
  },
  {
    method: 'delete',
    path: '/admin/events/{id}',
    summary: 'Erases one stored event',
    access: 'admin',
    parameters: [id],
    answers: { 204: null },
  },
  {
    method: 'get',
    path: '/admin/causes',
    summary:
      'Why events are set aside: how many of each state, code and path, the most frequent first',
    access: 'admin',
    answers: { 200: 'Causes' },
  },
  {
    method: 'post',
    path: '/admin/delete',
    summary: 'Erases every dead or quarantined event that the filter matches',
    access: 'admin',
    body: taken(MatchingSchema),
    answers: { 200: 'Deleted' },
    problems: [400],
  },
  {
    method: 'post',
    path: '/admin/redrive',
    summary: 'Sends every dead or quarantined event again that the filter matches',
    access: 'admin',
    body: taken(MatchingSchema),
    answers: { 200: 'Redriven' },
    problems: [400],
  },
  {
    method: 'post',
    path: '/admin/pause',
    summary: 'Stops relaying; webhooks are stored',
    access: 'admin',
    answers: { 200: 'Status' },
  },
  {
    method: 'post',
    path: '/admin/resume',
    summary: 'Relays again, at once',
    access: 'admin',
    answers: { 200: 'Status' },
  },
  {
    method: 'post',
    path: '/admin/find',
    summary: 'Events of every state, and receipts of delivered ones, newest first',
    access: 'admin',
    body: takenByOne(FindSchema, 'id', 'conversation', 'visitor', 'email'),
    answers: { 200: 'Found' },
    problems: [400],
  },
  {
    method: 'get',
    path: '/admin/activity',
    summary: 'How many webhooks were answered how, and how fast: a lower bound',
    access: 'admin',
    parameters: query(ActivitySchema),
    answers: { 200: 'Activity' },
    problems: [400],
  },
  {
    method: 'post',
    path: '/admin/erase',
    summary: "Suppresses one person and erases that person's events and receipts",
    access: 'admin',
    body: takenByOne(EraseSchema, 'email', 'visitor'),
    answers: { 200: 'Erased' },
    problems: [400],
  },
  {
    method: 'get',
    path: '/admin/suppressions',
    summary: 'How many persons are suppressed, and until when',
    access: 'admin',
    answers: { 200: 'Suppressions' },
  },
  {
    method: 'delete',
    path: '/admin/suppressions',
    summary: 'Ends the suppression of one person',
    access: 'admin',
    body: takenByOne(PersonSchema, 'email', 'visitor'),
    answers: { 204: null },
    problems: [400],
  },
  {
    method: 'get',
    path: '/admin/log',
    summary: 'Which operator did what, newest first',
    access: 'admin',
    parameters: query(LogSchema),
    answers: { 200: 'OperatorLog' },
    problems: [400],
  },
  {
    method: 'get',
    path: '/admin/alerts',
    summary: 'The state of each alert, and whether its last message got through',
    access: 'admin',
    answers: { 200: 'Alerts' },
  },
  {
    method: 'post',
    path: '/admin/alerts/test',
    summary: 'Sends a test to ALERT_WEBHOOK_URL',
    access: 'admin',
    answers: { 200: 'AlertTest' },
  },
  {
    method: 'get',
    path: '/admin/drift',
    summary: 'How what Chatlio sends differs from what it documents: names and types, no values',
    access: 'admin',
    answers: { 200: 'Drift' },
  },
  {
    method: 'post',
    path: '/admin/drift/accept',
    summary: 'Accepts one difference; it raises no alert any more',
    access: 'admin',
    body: taken(AcceptDriftSchema),
    answers: { 200: 'DriftRow' },
    problems: [400],
  },
  {
    method: 'get',
    path: '/admin/openapi.json',
    summary: 'This description',
    access: 'admin',
    answers: { 200: 'Description' },
  },
]
