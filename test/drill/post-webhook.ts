/** Exchange: one webhook posted by one sender over a connection of its own, and what came back. Never throws. */
import { request } from 'node:http'
import type { Item } from './plan.ts'

/** `outcome`: `status` of an acceptance, `code` of a problem; `null` where the body did not come to its end. */
export type Answer = {
  readonly status: number
  readonly outcome: string | null
  readonly id: string | null
}

/** `why`: what ended the connection instead of an answer. */
export type PostResult = { readonly answer: Answer | null; readonly why: string | null }

/** Why there is no answer, where its sender did not wait for it. */
export const LEFT = 'left'

/** Far longer than the relay may take for anything. */
const PATIENCE_MS = 30_000

/** `heard` is called at once when a status has come, whatever becomes of the rest of the answer. */
export function postWebhook(
  { webhook, sender }: Item,
  workerUrl: string,
  key: string,
  heard: (status: number) => void,
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
    const settle = (answer: Answer | null, why: string | null) => {
      clearTimeout(patience)
      resolve({ answer, why })
    }
    const leave = (why: string) => {
      settle(null, why)
      if (sender.kind === 'resets') sent.socket?.resetAndDestroy()
      sent.destroy()
    }
    const patience = setTimeout(leave, PATIENCE_MS, 'no answer')
    sent.on('error', (error: NodeJS.ErrnoException) => settle(null, error.code ?? error.message))
    sent.on('response', (response) => {
      const status = response.statusCode ?? 0
      heard(status)
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => undefined)
      // The status is the promise, whether or not the rest arrives.
      response.on('close', () => settle({ status, ...fieldsOf(Buffer.concat(chunks)) }, null))
    })
    const impatient = (why: string) => setTimeout(leave, sender.delayMs, why)
    if (sender.kind === 'cuts') {
      sent.write(body.subarray(0, body.length >> 1), () => impatient('cut'))
    } else {
      sent.end(body, () => sender.kind !== 'waits' && impatient(LEFT))
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
