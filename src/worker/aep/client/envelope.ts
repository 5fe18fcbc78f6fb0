/**
 * What goes over the wire around encoded records: the envelope of the streaming endpoint, and of its batches.
 *
 * The envelope (schema, organization, dataset, flow) is added when a record is sent, never when it is stored: so
 * correcting a wrong setting corrects every event that still waits, split ones too.
 */
import type { Destination } from '../../config/config.ts'
import { utf8Length } from '../../lib/json-text.ts'
import { AEP_MAX_REQUEST_BYTES, BATCH_MAX_BYTES, BATCH_MAX_MESSAGES } from '../../limits.ts'
import { envelopeOf } from '../record/xdm.ts'

export class Envelope {
  readonly #before: string
  readonly #after: string
  /** UTF-8 bytes around a record, with what a batch of one message has around it. */
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
    const { header, xdmMeta } = envelopeOf(destination)
    const body = JSON.stringify({ xdmMeta }).slice(0, -1)
    this.#before = `{"header":${JSON.stringify(header)},"body":${body},"xdmEntity":`
    this.#after = '}}'
    this.#bytes = utf8Length(this.batch(['']))
  }

  message(record: string): string {
    return this.#before + record + this.#after
  }

  /** Records of an xdm destination (MULTI). */
  batch(records: readonly string[]): string {
    return `{"messages":[${records.map((record) => this.message(record)).join(',')}]}`
  }

  /** The largest record that fits into a request (UTF-8 bytes), and is within `maxEventBytes`. */
  maxRecordBytes(maxEventBytes: number): number {
    return Math.min(maxEventBytes, AEP_MAX_REQUEST_BYTES - this.#bytes)
  }

  /** How many of `records`, from the first on, go into one request: one in raw, where batching is undocumented. */
  batchLength(records: readonly string[]): number {
    if (!this.#batches) return Math.min(records.length, 1)
    let bytes = 0
    for (const [index, record] of records.entries()) {
      // A comma beside each message is within the margin of the limit.
      bytes += this.#bytes + utf8Length(record) + 1
      const fits = index < BATCH_MAX_MESSAGES && bytes <= BATCH_MAX_BYTES
      if (index > 0 && !fits) return index
    }
    return records.length
  }
}
