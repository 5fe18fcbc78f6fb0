/**
 * Numbers of a chat, which analytics can average where it cannot average a list of messages.
 *
 * Promises: pure; whole seconds, rounded down; messages in the order of the list; a number is absent rather than wrong.
 * `isVisitorMsg` is true for a visitor's message, false for an agent's (or bot's). A message without it counts for neither; if
 * no message has it, as with older senders, every number by author is absent. A message whose `sentAt` cannot be read is
 * counted, and makes the times it is part of absent; so does a clock that goes back. A time ahead of ours has been capped at
 * receipt: what ends there is measured until receipt, and nothing is measured from there.
 */
import type { ChatEvent, Message, Transcript } from '../../chatlio/event.ts'
import { readTime } from '../../chatlio/timestamp.ts'

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

/** `null`: this kind of event has no metrics, or the transcript yields none. */
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
    const [begin, end] = [readTime(from ?? ''), readTime(to ?? '')]
    if (begin === null || end === null || begin >= receivedAt || end < begin) return null
    return Math.floor((end - begin) / 1_000)
  }
  const counts = { visitor: 0, agent: 0 }
  const agents = new Set<string>()
  /** In seconds; `null`: unknown, because a time cannot be read. */
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
  const durationSeconds = seconds(startedAt, endedAt)
  const last = messages.at(-1)
  const saysWho = messages.length === 0 || counts.visitor + counts.agent > 0
  const metrics: ChatMetrics = {}
  if (durationSeconds !== null) metrics.durationSeconds = durationSeconds
  if (saysWho) {
    metrics.visitorMessages = counts.visitor
    metrics.agentMessages = counts.agent
    const [first = null] = waits
    if (first !== null) metrics.firstResponseSeconds = first
    const longest = longestOf(waits)
    if (longest !== null) metrics.longestWaitSeconds = longest
    metrics.answered = waits.length > 0
    metrics.agentCount = agents.size
    const endedBy = last ? authorOf(last) : null
    if (endedBy !== null) metrics.endedBy = endedBy
  }
  return saysWho || durationSeconds !== null ? metrics : null
}

/** `null`: there are no waits, or one of them is unknown. */
function longestOf(waits: readonly (number | null)[]): number | null {
  const known = waits.filter((wait) => wait !== null)
  const isKnown = known.length > 0 && known.length === waits.length
  return isKnown ? known.reduce((most, wait) => Math.max(most, wait)) : null
}
