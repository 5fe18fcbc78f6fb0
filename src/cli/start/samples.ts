/**
 * Samples: one webhook of each kind, posted as Chatlio would, and what came of it.
 * The bodies are the files in `test/fixtures`, byte for byte: run twice they are the same events, and
 * get the same ids.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { LocalAdobe } from '../../local-adobe/app.ts'
import type { LakeRecord } from '../../local-adobe/streaming/lake.ts'

export type Sample = {
  readonly path: string
  /** In `test/fixtures`. */
  readonly file: string
  /** The field of Chatlio's widget settings (Behavior tab) that the URL is for. */
  readonly field: string
}

export const SAMPLES: readonly Sample[] = [
  { path: '/chatlio/transcript', file: 'transcript.json', field: 'Transcript' },
  { path: '/chatlio/offline-message', file: 'offline-message.json', field: 'Offline message' },
  {
    path: '/chatlio/new-conversation',
    file: 'conversation.json',
    field: 'New conversation started',
  },
  { path: '/chatlio/unanswered', file: 'conversation.json', field: 'Unanswered visitor message' },
  { path: '/chatlio/feedback', file: 'conversation-minimal.json', field: 'Visitor left feedback' },
  { path: '/chatlio', file: 'transcript-sparse.json', field: 'any of them (one URL)' },
]

export type Posted = {
  readonly sample: Sample
  readonly httpStatus: number
  /** `status` of an acceptance, `code` of a problem. */
  readonly outcome: string
  readonly id: string | null
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
  const body = await readFile(new URL(`../../../test/fixtures/${sample.file}`, import.meta.url))
  const before = adobe.lake.length
  const response = await fetch(`${workerUrl}${sample.path}?key=${key}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    signal: quit,
  })
  const answer = await fieldsOf(response)
  const id = answer.id ?? null
  const outcome = answer.status ?? answer.code ?? response.statusText
  const arrived = () => adobe.lake.slice(before).filter(({ _id }) => belongsTo(_id, id))
  const deadline = Date.now() + (response.status === 202 ? RELAY_WAIT_MS : 0)
  while (arrived().length === 0 && Date.now() < deadline)
    await delay(50, undefined, { signal: quit })
  return { sample, httpStatus: response.status, outcome, id, received: arrived() }
}

/** An event that is too large for one record arrives as parts, `{id}-{index}`. */
function belongsTo(_id: string | null, id: string | null): boolean {
  return id !== null && _id !== null && (_id === id || _id.startsWith(`${id}-`))
}

async function fieldsOf(response: Response): Promise<Partial<Record<string, string>>> {
  const fields: unknown = await response.json().catch(() => null)
  if (typeof fields !== 'object' || fields === null) return {}
  // `status` is a word in an acceptance and a number in a problem.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value === 'string'))
}
