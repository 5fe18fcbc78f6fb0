/**
 * Connection: one keep-alive connection to 127.0.0.1 that sends requests as bytes, so that nothing between a generated
 * request and the Worker corrects it, and a request costs microseconds.
 *
 * Promises: one request at a time; one that gets no answer because the connection was closed before is sent again, once.
 */
import { connect, type Socket } from 'node:net'

export type Sent = {
  readonly method: string
  /** Path and query, as they stand in the request line. */
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  /** Sizes of the chunks of a chunked body; `null`: with its `Content-Length`. */
  readonly chunks: readonly number[] | null
}

export type Reply = {
  readonly status: number
  /** By lower-case name; of two equal ones the last. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

const TIMEOUT_MS = 60_000
const END_OF_HEAD = '\r\n\r\n'

export class Connection {
  readonly #port: number
  #socket: Socket | null = null

  constructor(port: number) {
    this.#port = port
  }

  /** Rejects when there is no answer. */
  async send(sent: Sent): Promise<Reply> {
    const bytes = wire(sent)
    const isUsed = this.#socket !== null
    try {
      return await this.#exchange(bytes, sent.method)
    } catch (error) {
      this.close()
      if (!isUsed) throw error
      return this.#exchange(bytes, sent.method)
    }
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }

  #exchange(bytes: Buffer, method: string): Promise<Reply> {
    const socket = this.#socket ?? connect(this.#port, '127.0.0.1').setNoDelay(true)
    this.#socket = socket
    return new Promise((resolve, reject) => {
      let received: Buffer = Buffer.alloc(0)
      const end = () => {
        clearTimeout(timer)
        socket.removeAllListeners('data').removeAllListeners('error').removeAllListeners('close')
        // A socket that fails while nobody waits must not end this process.
        socket.on('error', () => undefined)
      }
      const fail = (why: string) => {
        end()
        reject(new Error(why))
      }
      const timer = setTimeout(() => fail('no answer in time'), TIMEOUT_MS)
      socket.on('data', (data: Buffer) => {
        received = received.length === 0 ? data : Buffer.concat([received, data])
        const reply = replyIn(received, method)
        if (reply === null) return
        end()
        if (reply.headers.get('connection')?.toLowerCase() === 'close') this.close()
        resolve(reply)
      })
      socket.on('error', (error) => fail(error.message))
      socket.on('close', () => {
        this.#socket = null
        fail('the connection was closed')
      })
      socket.write(bytes)
    })
  }
}

function wire({ method, target, headers, body, chunks }: Sent): Buffer {
  const lines = [`${method} ${target} HTTP/1.1`, 'host: 127.0.0.1']
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  lines.push(chunks ? 'transfer-encoding: chunked' : `content-length: ${body.length}`)
  const head = Buffer.from(lines.join('\r\n') + END_OF_HEAD, 'latin1')
  return Buffer.concat(chunks ? [head, ...inChunks(body, chunks)] : [head, body])
}

function inChunks(body: Buffer, sizes: readonly number[]): Buffer[] {
  const written: Buffer[] = []
  for (let from = 0, at = 0; from < body.length; at += 1) {
    const chunk = body.subarray(from, from + (sizes[at % sizes.length] ?? body.length))
    written.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
    from += chunk.length
  }
  return [...written, Buffer.from('0\r\n\r\n')]
}

/** `null`: it has not come in whole. */
function replyIn(received: Buffer, method: string): Reply | null {
  const end = received.indexOf(END_OF_HEAD)
  if (end === -1) return null
  const [first = '', ...lines] = received.toString('latin1', 0, end).split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const status = Number(first.split(' ')[1])
  const rest = received.subarray(end + END_OF_HEAD.length)
  // `100 Continue` only says that the answer is to come.
  if (status === 100) return replyIn(rest, method)
  const body = method === 'HEAD' || status === 204 ? Buffer.alloc(0) : bodyIn(rest, headers)
  return body && { status, headers, body }
}

function bodyIn(rest: Buffer, headers: ReadonlyMap<string, string>): Buffer | null {
  if (headers.get('transfer-encoding') !== 'chunked') {
    const length = Number(headers.get('content-length') ?? 0)
    return rest.length < length ? null : rest.subarray(0, length)
  }
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const end = rest.indexOf('\r\n', at)
    if (end === -1) return null
    const length = Number.parseInt(rest.toString('latin1', at, end), 16)
    const from = end + 2
    if (rest.length < from + length + 2) return null
    if (length === 0) return Buffer.concat(chunks)
    chunks.push(rest.subarray(from, from + length))
    at = from + length + 2
  }
}
