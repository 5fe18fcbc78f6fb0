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

/** `null`: this kind of event has no metrics, or the transcript yields none. */
export function metricsOf({ kind, payload, receivedAt }: ChatEvent) {
  if (kind === 'unanswered') return { answered: false }
  return kind === 'transcript' ? ofTranscript(payload, Date.parse(receivedAt)) : null
}

function authorOf({ isVisitorMsg }: Message): 'visitor' | 'agent' | undefined {
  return isVisitorMsg === undefined ? undefined : isVisitorMsg ? 'visitor' : 'agent'
}

function ofTranscript({ messages, startedAt, endedAt }: Transcript, receivedAt: number) {
  const seconds = (from = '', to = ''): number | undefined => {
    const [begin, end] = [readTime(from), readTime(to)]
    if (begin === null || end === null || begin >= receivedAt || end < begin) return undefined
    return Math.floor((end - begin) / 1_000)
  }
  const counts = { visitor: 0, agent: 0 }
  const agents = new Set<string>()
  /** In seconds; `undefined`: unknown, because a time cannot be read. */
  const waits: (number | undefined)[] = []
  let waiting: Message | null = null
  for (const message of messages) {
    const author = authorOf(message)
    if (author === undefined) continue
    counts[author] += 1
    if (author === 'visitor') waiting ??= message
    else {
      if (message.userId) agents.add(message.userId)
      if (waiting) waits.push(seconds(waiting.sentAt, message.sentAt))
      waiting = null
    }
  }
  const durationSeconds = seconds(startedAt, endedAt)
  const saysWho = messages.length === 0 || counts.visitor + counts.agent > 0
  if (!saysWho) return durationSeconds === undefined ? null : { durationSeconds }
  const known = waits.filter((wait) => wait !== undefined)
  const areKnown = known.length > 0 && known.length === waits.length
  return {
    durationSeconds,
    visitorMessages: counts.visitor,
    agentMessages: counts.agent,
    firstResponseSeconds: waits[0],
    longestWaitSeconds: areKnown ? known.reduce((a, b) => Math.max(a, b)) : undefined,
    answered: waits.length > 0,
    agentCount: agents.size,
    endedBy: authorOf(messages.at(-1) ?? {}),
  }
}
