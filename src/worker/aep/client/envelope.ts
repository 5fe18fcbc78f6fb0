/**
 * Wraps encoded records in the envelope of the streaming endpoint, alone or as a batch, and judges a batch's answer: one
 * verdict for each message (MULTI: "A response is returned for each element of the request messages array").
 *
 * Promises: the envelope (schema, organization, dataset, flow) is added when a record is sent and never stored, so that
 * correcting a setting also corrects every pending event, split ones included. The same record gives the same message,
 * byte for byte. Entries of an answer are matched by position, and only if their count is right, because the id in an entry
 * may have another form or be missing; a message counts as accepted only if its own entry reports no failure. Pure.
 */
import type { Destination, XdmDestination } from '../../config/config.ts'
import { isObject, utf8Length } from '../../lib/json.ts'
import { AEP_MAX_REQUEST_BYTES, BATCH_MAX_BYTES, BATCH_MAX_MESSAGES } from '../../limits.ts'
import { type HttpAnswer, jsonOf, judge, type Verdict } from './verdict.ts'

export class Envelope {
  readonly #before: string
  readonly #after: string
  /** UTF-8 bytes of everything around a record in a batch of one message. */
  readonly #bytes: number
  readonly #batches: boolean

  constructor(destination: Destination) {
    this.#batches = destination.format === 'xdm'
    if (destination.format === 'raw') {
      this.#before = ''
      this.#after = ''
      this.#bytes = 0
      return
    }
    const { header, xdmMeta } = headersOf(destination)
    const body = JSON.stringify({ xdmMeta }).slice(0, -1)
    this.#before = `{"header":${JSON.stringify(header)},"body":${body},"xdmEntity":`
    this.#after = '}}'
    this.#bytes = utf8Length(this.batch(['']))
  }

  /** The request body of one record (JSON text). */
  message(record: string): string {
    return this.#before + record + this.#after
  }

  /** The request body of several records (JSON texts), for an xdm destination only (MULTI). */
  batch(records: readonly string[]): string {
    return `{"messages":[${records.map((record) => this.message(record)).join(',')}]}`
  }

  /** The size limit of a record in UTF-8 bytes: `maxEventBytes`, or less so that it fits into a request. */
  maxRecordBytes(maxEventBytes: number): number {
    return Math.min(maxEventBytes, AEP_MAX_REQUEST_BYTES - this.#bytes)
  }

  /** A request to be filled record by record. */
  newBatch(): Batch {
    return new Batch(this.#bytes, this.#batches ? BATCH_MAX_MESSAGES : 1)
  }

  /** How many of `records`, from the first, fit into one request. */
  batchLength(records: readonly string[]): number {
    const batch = this.newBatch()
    const rest = records.findIndex((record) => !batch.add(record))
    return rest === -1 ? records.length : rest
  }
}

/** Measures a request while it is filled. Raw takes one record: its batching is undocumented. */
export class Batch {
  readonly #envelopeBytes: number
  readonly #most: number
  #messages = 0
  #bytes = 0

  constructor(envelopeBytes: number, most: number) {
    this.#envelopeBytes = envelopeBytes
    this.#most = most
  }

  get isFull(): boolean {
    return this.#messages >= this.#most
  }

  /** Whether the record still fits; the first always does. */
  add(record: string): boolean {
    // 1: the comma.
    const bytes = this.#bytes + this.#envelopeBytes + utf8Length(record) + 1
    const fits = this.#messages < this.#most && bytes <= BATCH_MAX_BYTES
    if (this.#messages > 0 && !fits) return false
    this.#messages += 1
    this.#bytes = bytes
    return true
  }
}

/**
 * The envelope's `header`, and the `xdmMeta` of its `body` (TS, MULTI). Omits the optional `createdAt` and `msgId`,
 * which would repeat the record's `receivedAt` and `_id`.
 */
function headersOf({ schemaId, schemaVersion, orgId, datasetId, flowId }: XdmDestination) {
  const contentType = `application/vnd.adobe.xed-full+json;version=${schemaVersion}`
  const schemaRef = { id: schemaId, contentType }
  const flow = flowId === null ? {} : { flowId }
  return {
    header: { schemaRef, imsOrgId: orgId, datasetId, ...flow, source: { name: 'Chatlio' } },
    xdmMeta: { schemaRef },
  }
}

/**
 * Returns `count` verdicts in the order of the messages, or `bisect`: AEP refused the whole batch, perhaps because of
 * a single message. `now`: epoch ms.
 */
export function judgeBatch(answer: HttpAnswer, count: number, now: number): Verdict[] | 'bisect' {
  const { status } = answer
  if (status === 400 || status === 413 || status === 422) return 'bisect'
  const responses = status >= 200 && status < 300 ? responsesOf(answer) : null
  if (responses?.length !== count) {
    // A 2xx without one entry per message is judged like one without JSON: AEP may have any of the messages.
    const verdict = judge(
      status >= 200 && status < 300 ? { ...answer, complete: false } : answer,
      now,
    )
    return Array.from({ length: count }, () => verdict)
  }
  return responses.map((entry) => judgeEntry(entry, answer, now))
}

function responsesOf(answer: HttpAnswer): unknown[] | null {
  const json = jsonOf(answer)
  return isObject(json) && Array.isArray(json.responses) ? json.responses : null
}

/** Adobe's pages show three forms: `statusCode`, `status` with an `xactionId`, `status` without one. */
function judgeEntry(entry: unknown, answer: HttpAnswer, now: number): Verdict {
  const unreadable = { ...answer, status: 200, body: '', complete: false }
  if (!isObject(entry)) return judge(unreadable, now)
  const stated = entry.status ?? entry.statusCode
  if (stated === undefined || stated === null) return { verdict: 'accepted', status: answer.status }
  const status = Number(stated)
  if (!Number.isInteger(status) || status < 200 || status > 599) return judge(unreadable, now)
  return judge({ ...answer, status, body: JSON.stringify(entry), complete: true }, now)
}
