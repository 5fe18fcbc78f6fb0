/**
 * Numbers of a chat, which analytics can average where it cannot average a list of messages.
 *
 * Promises: pure; whole seconds, rounded down; messages in the order of the list; a number is absent rather than wrong.
 * A visitor's message has `isVisitorMsg` true, an agent's (or bot's) false; one with neither counts for neither, and where
 * all are such, as older senders post them, nothing is said of who wrote. A message whose `sentAt` cannot be read is
 * counted, and makes the times it is part of absent; so does a clock that goes back. A time ahead of ours has been capped at
 * receipt: what ends there is measured until receipt, and nothing is measured from there.
 */
import type { ChatEvent } from '../../chatlio/event.ts'
import type { Message, Transcript } from '../../chatlio/payload.ts'
import { readTimestamp } from '../../chatlio/timestamp.ts'

export type ChatMetrics = {
  durationSeconds?: number
  visitorMessages?: number
  agentMessages?: number
  firstResponseSeconds?: number
  longestWaitSeconds?: number
  answered?: boolean
  agentCount?: number
  endedBy?: 'visitor' | 'agent'
}

/** `null`: nothing can be said. */
export function metricsOf({ kind, payload, receivedAt }: ChatEvent): ChatMetrics | null {
  if (kind === 'unanswered') return { answered: false }
  return kind === 'transcript' ? ofTranscript(payload, Date.parse(receivedAt)) : null
}

type Author = 'visitor' | 'agent' | null

function authorOf({ isVisitorMsg }: Message): Author {
  return isVisitorMsg === undefined ? null : isVisitorMsg ? 'visitor' : 'agent'
}

function ofTranscript(
  { messages, startedAt, endedAt }: Transcript,
  receivedAt: number,
): ChatMetrics | null {
  const seconds = (from: string | undefined, to: string | undefined): number | null => {
    const [begin, end] = [timeOf(from), timeOf(to)]
    if (begin === null || end === null || begin >= receivedAt || end < begin) return null
    return Math.floor((end - begin) / 1_000)
  }
  const counts = { visitor: 0, agent: 0 }
  const agents = new Set<string>()
  /** In seconds; `null`: the times tell nothing. */
  const waits: (number | null)[] = []
  let waiting: Message | null = null
  for (const message of messages) {
    const author = authorOf(message)
    if (author === null) continue
    counts[author] += 1
    if (author === 'visitor') waiting ??= message
    else {
      if (message.userId) agents.add(message.userId)
      if (waiting) waits.push(seconds(waiting.sentAt, message.sentAt))
      waiting = null
    }
  }
  const duration = { durationSeconds: seconds(startedAt, endedAt) }
  if (messages.length > 0 && counts.visitor + counts.agent === 0) return present(duration)
  const last = messages.at(-1)
  return present({
    ...duration,
    visitorMessages: counts.visitor,
    agentMessages: counts.agent,
    firstResponseSeconds: waits[0],
    longestWaitSeconds: longest(waits),
    answered: waits.length > 0,
    agentCount: agents.size,
    endedBy: last && authorOf(last),
  })
}

function timeOf(text: string | undefined): number | null {
  const timestamp = readTimestamp(text ?? '')
  return timestamp.state === 'read' ? timestamp.ms : null
}

function longest(waits: readonly (number | null)[]): number | null {
  const known = waits.filter((wait) => wait !== null)
  return known.length === waits.length && known.length > 0 ? Math.max(...known) : null
}

type Nullable<Of> = { [Name in keyof Of]?: Of[Name] | null | undefined }

function present(metrics: Nullable<ChatMetrics>): ChatMetrics | null {
  const entries = Object.entries(metrics).filter(
    ([, value]) => value !== null && value !== undefined,
  )
  return entries.length > 0 ? Object.fromEntries(entries) : null
}
