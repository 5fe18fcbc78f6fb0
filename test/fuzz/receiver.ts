/**
 * Receiver: an AEP that takes what is documented, as fast as plain node:http goes, and keeps each event until it has been
 * compared with its request. Refuses nothing: what AEP would refuse, or drop later, is a fault of the relay.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DEFAULT_SETTINGS, type Settings } from '../../src/local-adobe/settings.ts'
import { openRaw, openXdm, recordOf } from '../../src/local-adobe/streaming/message.ts'
import {
  batchAnswered,
  singleAccepted,
  Xactions,
} from '../../src/local-adobe/streaming/responses.ts'
import { violationsOf } from '../../src/local-adobe/streaming/violations.ts'
import { validator } from '../unit/aep/schema-validator.ts'
import { isJson, type Json, parseExact } from './exact.ts'

export const FLOW_ID = 'fuzz-flow'
export const { tenant: TENANT } = DEFAULT_SETTINGS

export type Arrived = {
  readonly record: Json
  /** What AEP would not have taken in it. */
  readonly faults: readonly string[]
}

/** How AEP fails for a moment. */
export type Failing = 'reset' | 'silent' | 408 | 429 | 500 | 503

const MAX_REQUEST_BYTES = 1_000_000
const LONG_NUMBER = '\\u0000number '

export class Receiver {
  readonly settings: Settings
  readonly #maxRecordBytes: number
  readonly #server: Server
  readonly #validate = validator(TENANT)
  readonly #xactions = new Xactions()
  readonly #arrived = new Map<string, Map<string, Arrived>>()
  #failing: Failing[] = []
  /** Called with the id of each event that comes, or a part of it. */
  onEvent: (id: string) => void = () => undefined
  /** What no event can be named for. */
  readonly strangers: string[] = []
  requests = 0
  batches = 0

  constructor(mode: Settings['mode'], maxRecordBytes: number) {
    this.settings = { ...DEFAULT_SETTINGS, mode, flowId: FLOW_ID }
    this.#maxRecordBytes = maxRecordBytes
    this.#server = createServer((request, response) => this.#receive(request, response))
    this.#server.keepAliveTimeout = 120_000
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** The next requests fail so, one after the other. */
  fail(...how: Failing[]): void {
    this.#failing.push(...how)
  }

  recover(): void {
    this.#failing = []
  }

  /** Records of the event by their ids. */
  of(id: string): ReadonlyMap<string, Arrived> | undefined {
    return this.#arrived.get(id)
  }

  forget(id: string): void {
    this.#arrived.delete(id)
  }

  /** Events that have come and were not forgotten. */
  ids(): string[] {
    return [...this.#arrived.keys()]
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => undefined)
    request.on('end', () => {
      this.requests += 1
      const how = this.#failing.shift()
      if (how === 'silent') return
      if (how === 'reset') {
        request.socket.resetAndDestroy()
        return
      }
      if (how !== undefined) {
        response.writeHead(how, { 'content-length': 0 }).end()
        return
      }
      this.#take(request, Buffer.concat(chunks), response)
    })
  }

  #take({ headers, url = '' }: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const isBatch = url.startsWith('/collection/batch/')
    const flowId = String(headers['x-adobe-flow-id'] ?? '') || null
    const outer: string[] = []
    if (body.length > MAX_REQUEST_BYTES) outer.push(`a request of ${body.length} bytes`)
    if (headers['content-type'] !== 'application/json') outer.push('is not called JSON')
    let sent: unknown
    try {
      sent = parseExact(body.toString())
    } catch {
      this.strangers.push(`a request that is no JSON: ${body.toString('latin1', 0, 200)}`)
    }
    const messages = isBatch && isJson(sent) ? (sent.messages as unknown[]) : [sent]
    if (isBatch) this.batches += 1
    for (const message of messages) this.#keep(message, flowId, outer)
    const now = Date.now()
    const xaction = this.#xactions.next(now)
    const { inletId } = this.settings
    const answered = isBatch
      ? batchAnswered(
          inletId,
          xaction,
          now,
          messages.map(() => ({ status: 200, message: '' })),
          'A',
        )
      : singleAccepted(inletId, xaction, now)
    const text = JSON.stringify(answered)
    response
      .writeHead(isBatch ? 207 : 200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      })
      .end(text)
  }

  #keep(message: unknown, flowId: string | null, outer: readonly string[]): void {
    const { settings } = this
    const record = recordOf(message, settings.mode) as Json | null
    const id = record?._id
    if (record === null || typeof id !== 'string') {
      this.strangers.push(`a message without an id: ${JSON.stringify(message)?.slice(0, 200)}`)
      return
    }
    const faults = [...outer]
    const envelope =
      settings.mode === 'raw' ? openRaw(message, flowId, settings) : openXdm(message, settings)
    if (!envelope.ok) faults.push(envelope.message)
    for (const { pointer, message: why } of violationsOf(record, settings, Date.now(), (entity) =>
      this.#validate(entity).map(({ instancePath, keyword, message: text = '' }) => {
        return { pointer: instancePath, keyword, message: text }
      }),
    )) {
      faults.push(`AEP would refuse ${pointer}: ${why}`)
    }
    const text = JSON.stringify(record)
    const bytes = Buffer.byteLength(text)
    // A number that is kept as a text is longer here than it was.
    if (bytes > this.#maxRecordBytes && !text.includes(LONG_NUMBER))
      faults.push(`a record of ${bytes} bytes`)
    const event = id.replace(/-(?:r\d+-)?\d+$/, '')
    const records = this.#arrived.get(event)
    if (records) records.set(id, { record, faults })
    else this.#arrived.set(event, new Map([[id, { record, faults }]]))
    this.onEvent(event)
  }
}
