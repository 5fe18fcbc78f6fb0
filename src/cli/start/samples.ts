/**
 * Samples: one webhook of each kind, posted as Chatlio would, and what came of it.
 * The bodies are the files in `test/fixtures`, byte for byte: posted twice they are the same events, with the same ids.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { LocalAdobe } from '../../local-adobe/app.ts'
import type { LakeRecord } from '../../local-adobe/streaming/lake.ts'
import { SAMPLES_AGENT } from '../../worker/drift/detector.ts'

export type Sample = {
  readonly path: string
  /** In `test/fixtures`. */
  readonly file: string
  /** Chatlio's name for the event: its field is on the widget's Behavior tab. */
  readonly field: string
}

export const SAMPLES: readonly Sample[] = [
  { path: '/chatlio/transcript', file: 'transcript.json', field: 'Exporting chat transcripts' },
  {
    path: '/chatlio/offline-message',
    file: 'offline-message.json',
    field: 'Exporting offline messages',
  },
  {
    path: '/chatlio/new-conversation',
    file: 'conversation.json',
    field: 'Webhook when a new conversation starts',
  },
  {
    path: '/chatlio/unanswered',
    file: 'conversation.json',
    field: 'Visitor did not get an answer in time',
  },
  {
    path: '/chatlio/feedback',
    file: 'conversation-minimal.json',
    field: 'Visitor left feedback after a chat',
  },
  { path: '/chatlio', file: 'transcript-sparse.json', field: 'any of them: one URL for all' },
]

/** What the sender of a webhook was answered. */
export type WebhookAnswer = {
  readonly httpStatus: number
  /** `status` of an acceptance, `code` of a problem. */
  readonly outcome: string
  readonly id: string | null
}

export type Posted = WebhookAnswer & {
  readonly sample: Sample
  /** What the local AEP has of it: nothing, one event, or its parts. */
  readonly received: readonly LakeRecord[]
}

/** How long a stored event may take to get from the Worker's outbox to AEP. */
const RELAY_WAIT_MS = 10_000

export async function postSample(
  sample: Sample,
  workerUrl: string,
  key: string,
  adobe: LocalAdobe,
  quit: AbortSignal,
): Promise<Posted> {
  const before = adobe.lake.length
  const url = `${workerUrl}${sample.path}?key=${key}`
  const answer = await postWebhook(url, await bodyOf(sample), fetch, quit)
  const { id } = answer
  const arrived = () => adobe.lake.slice(before).filter(({ _id }) => belongsTo(_id, id))
  const deadline = Date.now() + (answer.httpStatus === 202 ? RELAY_WAIT_MS : 0)
  while (arrived().length === 0 && Date.now() < deadline)
    await delay(50, undefined, { signal: quit })
  return { ...answer, sample, received: arrived() }
}

export function bodyOf(sample: Sample): Promise<Uint8Array<ArrayBuffer>> {
  return readFile(new URL(`../../../test/fixtures/${sample.file}`, import.meta.url))
}

export async function postWebhook(
  url: string,
  body: Uint8Array<ArrayBuffer>,
  send: typeof fetch,
  signal: AbortSignal,
  agent = SAMPLES_AGENT,
): Promise<WebhookAnswer> {
  const headers = { 'content-type': 'application/json', 'user-agent': agent }
  const response = await send(url, { method: 'POST', headers, body, signal })
  const answer = await fieldsOf(response)
  const outcome = answer.status ?? answer.code ?? response.statusText
  return { httpStatus: response.status, outcome, id: answer.id ?? null }
}

/** An event that is too large for one record arrives as parts, `{id}-{index}`. */
export function belongsTo(_id: string | null, id: string | null): boolean {
  return id !== null && _id !== null && (_id === id || _id.startsWith(`${id}-`))
}

async function fieldsOf(response: Response): Promise<Partial<Record<string, string>>> {
  const fields: unknown = await response.json().catch(() => null)
  if (typeof fields !== 'object' || fields === null) return {}
  // `status` is a word in an acceptance and a number in a problem.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value === 'string'))
}
