/** Posts one webhook as one sender over a connection of its own, and returns the answer. Never throws. */
import { request } from 'node:http'
import type { Item } from './plan.ts'

/** `outcome`: `status` of an acceptance or `code` of a problem; `null` if the body was cut off. */
type Answer = {
  readonly status: number
  readonly outcome: string | null
  readonly id: string | null
}

/** `why`: how the connection ended if there was no answer. */
export type PostResult = { readonly answer: Answer | null; readonly why: string | null }

/** `why` of a sender that did not wait for its answer. */
export const LEFT = 'left'

/** Far longer than the relay may take to answer. */
const TIMEOUT_MS = 30_000

/** Calls `onStatus` as soon as the status has arrived, before the body. */
export function postWebhook(
  { webhook, sender }: Item,
  workerUrl: string,
  key: string,
  onStatus: (status: number) => void,
) {
  const { segment, contentType, body } = webhook
  const path = segment === '' ? '/chatlio' : `/chatlio/${segment}`
  return new Promise<PostResult>((resolve) => {
    const sent = request(`${workerUrl}${path}?key=${key}`, {
      method: 'POST',
      agent: false,
      headers: {
        'content-length': body.length,
        ...(contentType && { 'content-type': contentType }),
      },
    })
    const finish = (answer: Answer | null, why: string | null) => {
      clearTimeout(timeout)
      resolve({ answer, why })
    }
    const leave = (why: string) => {
      finish(null, why)
      if (sender.kind === 'resets') sent.socket?.resetAndDestroy()
      sent.destroy()
    }
    const timeout = setTimeout(leave, TIMEOUT_MS, 'no answer')
    sent.on('error', (error: NodeJS.ErrnoException) => finish(null, error.code ?? error.message))
    sent.on('response', (response) => {
      const status = response.statusCode ?? 0
      onStatus(status)
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => undefined)
      // The status is the promise, even if the body does not arrive.
      response.on('close', () => finish({ status, ...fieldsOf(Buffer.concat(chunks)) }, null))
    })
    const leaveLater = (why: string) => setTimeout(leave, sender.delayMs, why)
    if (sender.kind === 'cuts') {
      sent.write(body.subarray(0, body.length >> 1), () => leaveLater('cut'))
    } else {
      sent.end(body, () => sender.kind !== 'waits' && leaveLater(LEFT))
    }
  })
}

function fieldsOf(body: Buffer): Omit<Answer, 'status'> {
  try {
    const fields: { status?: unknown; code?: unknown; id?: unknown } = JSON.parse(body.toString())
    const text = (value: unknown) => (typeof value === 'string' ? value : null)
    return { outcome: text(fields.status) ?? text(fields.code), id: text(fields.id) }
  } catch {
    return { outcome: null, id: null }
  }
}
