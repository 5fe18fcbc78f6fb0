/**
 * Lake: every record received, in order, duplicates included, and the logs of all requests. It only
 * grows, until `clear`, but for what a privacy job deletes.
 */
import type { Violation } from '../problem.ts'
import { idOf, type JsonObject, type Landing, type MarkedIdentity } from './message.ts'

/** One event as it lies in the data lake. */
export type LakeRecord = {
  /** From 1, in order of arrival. */
  readonly seq: number
  readonly at: number
  readonly path: 'single' | 'batch'
  readonly flowId: string | null
  readonly _id: string | null
  /** The raw record, or the `xdmEntity`. */
  readonly record: JsonObject
  /** Of an XDM message. */
  readonly header: JsonObject | null
  /** UTF-8 bytes of `record` as uncompressed JSON. */
  readonly bytes: number
  /** The status the sender got for this event; null when no answer reached it. */
  readonly acceptedStatus: number | null
  /** These four exist only for records of a Flow Service inlet, whose `record` is XDM. */
  readonly datasetId?: string
  /** The raw record, as it was sent. */
  readonly source?: JsonObject
  readonly warnings?: readonly string[]
  /** Null when the dataset is not enabled for Profile. */
  readonly profile?: readonly MarkedIdentity[] | null
}

/** A record that was accepted and then kept out of its dataset. */
export type FailedRecord = {
  readonly seq: number
  readonly at: number
  readonly flowId: string | null
  readonly datasetId: string | null
  readonly _id: string | null
  readonly violations: readonly Violation[]
  readonly warnings: readonly string[]
  /** As it was sent: the raw record, or the `xdmEntity`. */
  readonly source: JsonObject
  /** After the mapping. */
  readonly record: JsonObject
  /** Of an XDM message. */
  readonly header: JsonObject | null
}

/** One request to anything but the control routes and the token endpoint. */
export type RequestRecord = {
  readonly seq: number
  readonly at: number
  readonly method: string
  readonly path: string
  readonly query: string
  readonly contentType: string | null
  /** Of the `x-adobe-flow-id` header. */
  readonly flowIdHeader: string | null
  /** `none`, `unknown`, or which token of the token endpoint it was; never the token itself. */
  readonly authorization: string
  readonly bytes: number
  readonly ids: readonly (string | null)[]
  /** Only where bodies are kept. */
  readonly body?: string
  /** The status answered; null before the answer, and for good when none was sent. */
  status: number | null
  /** The statuses in the answer to a batch, as many as it has. */
  items?: readonly number[]
  /** Why there was no answer, or none that could be read. */
  cut?: 'stall' | 'reset' | 'garbage'
}

/** One request to a Platform API. */
export type PlatformRequestRecord = {
  readonly seq: number
  readonly at: number
  readonly method: string
  readonly path: string
  readonly query: string
  readonly sandbox: string | null
  /** Only where bodies are kept. */
  readonly body?: string
  /** The status answered; null when none was sent. */
  status: number | null
}

/** One request to the token endpoint. */
/** `isIssued`: answered by IMS itself, not by a rule or a script. */
export type TokenRequestRecord = { readonly at: number; status: number | null; isIssued: boolean }

export class Lake {
  readonly records: LakeRecord[] = []
  /** What Profile has been given. It keeps its own copy: deleted in one, a record is still in the other. */
  readonly profile: LakeRecord[] = []
  readonly failed: FailedRecord[] = []
  readonly requests: RequestRecord[] = []
  readonly platformRequests: PlatformRequestRecord[] = []
  readonly tokenRequests: TokenRequestRecord[] = []
  /** The most requests to the inlet that were open at the same time. */
  peak = 0
  #open = 0
  #seq = 0
  readonly #encoder = new TextEncoder()

  async open<T>(request: () => Promise<T>): Promise<T> {
    this.#open += 1
    this.peak = Math.max(this.peak, this.#open)
    try {
      return await request()
    } finally {
      this.#open -= 1
    }
  }

  record(received: Omit<LakeRecord, 'seq' | 'bytes'>): void {
    const bytes = this.#encoder.encode(JSON.stringify(received.record)).length
    this.#seq += 1
    const record = { seq: this.#seq, bytes, ...received }
    this.records.push(record)
    this.profile.push(record)
  }

  land(
    received: Pick<LakeRecord, 'at' | 'path' | 'flowId' | 'header'>,
    { datasetId, record, source, violations, warnings, profile }: Landing,
    acceptedStatus: number | null,
  ): void {
    const _id = idOf(record)
    const { at, flowId, header } = received
    if (violations.length > 0 || datasetId === null) {
      this.fail({ at, flowId, datasetId, violations, warnings, source, record, header })
      return
    }
    const raw = header === null ? { source } : {}
    this.record({ ...received, ...raw, _id, record, acceptedStatus, datasetId, warnings, profile })
  }

  fail(failed: Omit<FailedRecord, 'seq' | '_id'>): void {
    this.failed.push({ seq: this.failed.length + 1, _id: idOf(failed.record), ...failed })
  }

  /** How many are gone. */
  erase(from: 'records' | 'profile', matches: (record: LakeRecord) => boolean): number {
    const kept = this[from].filter((record) => !matches(record))
    const erased = this[from].length - kept.length
    if (erased > 0) this[from].splice(0, this[from].length, ...kept)
    return erased
  }

  clear(): void {
    this.#seq = 0
    this.profile.length = 0
    this.records.length = 0
    this.failed.length = 0
    this.platformRequests.length = 0
    this.requests.length = 0
    this.tokenRequests.length = 0
    this.peak = 0
  }
}
