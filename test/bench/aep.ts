/**
 * A stand-in for AEP on plain node:http, as fast as it gets, which knows every event that has arrived.
 *
 * Promises: an event counts as delivered when it was answered with AEP's documented acceptance, single or in a batch; it is
 * recognized by its conversation, whatever was made of the record around it; a batch has a message for each. Can be told to be slow, to answer 503, or
 * never to answer. It runs in the process of the load generator, and does not check what it gets: `src/local-adobe` does.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

type AepMode = 'accepting' | 'unavailable' | 'silent'

export const INLET = 'bench-inlet'
/** Of waiting, while something still arrives. */
const AT_MOST_MS = 600_000
const CONVERSATION = '00000000-0000-4000-8000-'
const MARK = new RegExp(`${CONVERSATION}(\\d{12})`, 'g')

/** The conversation of event `number`. */
export function conversationOf(number: number): string {
  return `${CONVERSATION}${String(number).padStart(12, '0')}`
}

export class Aep {
  mode: AepMode = 'accepting'
  /** How long an answer takes. */
  latencyMs = 0
  /** Requests so far, accepted or not. */
  asked = 0
  /** How often each event was accepted. */
  readonly accepted = new Map<number, number>()
  /** When the latest of them was, by `performance.now()`. */
  latestAt = 0
  readonly #server: Server
  readonly #held = new Set<ServerResponse>()

  static async start(): Promise<Aep> {
    const aep = new Aep()
    await new Promise<void>((resolve) => aep.#server.listen(0, '127.0.0.1', resolve))
    return aep
  }

  private constructor() {
    this.#server = createServer((request, response) => this.#take(request, response))
    this.#server.keepAliveTimeout = 60_000
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}/collection/${INLET}`
  }

  /** Those that were left without an answer get none: their connections are closed. */
  set(mode: AepMode): void {
    this.mode = mode
    for (const response of this.#held) response.destroy()
    this.#held.clear()
  }

  /** How many of these events have been accepted, once or more. */
  delivered(events: readonly number[]): number {
    return events.filter((event) => this.accepted.has(event)).length
  }

  /** Waits until all of these have been accepted, or nothing has been for so long; whether they have. */
  async takes(events: readonly number[], quietMs: number): Promise<boolean> {
    const began = performance.now()
    // Looks at each event once, so that waiting for many costs the machine nothing.
    for (let known = 0; ; ) {
      while (known < events.length && this.accepted.has(events[known] ?? 0)) known += 1
      if (known === events.length) return true
      const now = performance.now()
      if (now - Math.max(began, this.latestAt) > quietMs || now - began > AT_MOST_MS) return false
      await sleep(10)
    }
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    this.asked += 1
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('error', () => undefined)
    request.once('end', () => {
      if (this.mode === 'silent') {
        this.#held.add(response)
      } else if (this.mode === 'unavailable') {
        response.writeHead(503, { 'content-length': 0 }).end()
      } else if (this.latencyMs > 0) {
        setTimeout(() => this.#accept(request, response, chunks), this.latencyMs)
      } else {
        this.#accept(request, response, chunks)
      }
    })
  }

  #accept(request: IncomingMessage, response: ServerResponse, chunks: Buffer[]): void {
    if (response.destroyed) return
    const text = (chunks[0] && chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)).toString(
      'latin1',
    )
    const events = new Set<number>()
    for (const [, number] of text.matchAll(MARK)) events.add(Number(number))
    for (const event of events) this.accepted.set(event, (this.accepted.get(event) ?? 0) + 1)
    this.latestAt = performance.now()
    const isBatch = request.url?.startsWith('/collection/batch/') ?? false
    const answer = isBatch ? batchAnswer(events.size) : SINGLE
    response.writeHead(isBatch ? 207 : 200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer),
    })
    response.end(answer)
  }
}

const ACCEPTANCE = { inletId: INLET, xactionId: '1565638336649:1750:244' }
const SINGLE = JSON.stringify({ ...ACCEPTANCE, receivedTimeMs: 1565638336705 })

function batchAnswer(messages: number): string {
  const responses = Array.from({ length: messages }, (_, at) => ({
    xactionId: `1565650704337:2124:92:${at}`,
  }))
  return JSON.stringify({ inletId: INLET, batchId: '1565638336649:1750:244', responses })
}
