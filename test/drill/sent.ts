/** Sent: the posts of a drill by event, and whether AEP may or must have it. Pure. */

import type { Expected } from './format.ts'
import { idsOf } from './ids.ts'
import { LEFT } from './post-webhook.ts'
import type { Post } from './poster.ts'

export type SentEvent = Expected & {
  readonly posts: readonly Post[]
  /** One of its posts was answered 2xx, so AEP must have it. */
  readonly owed: boolean
}

/** Room for a request that is read after its sender has left. */
const SLACK_MS = 5_000

/** By id. A body that was cut short is no event. */
export function sentEvents(posts: readonly Post[]): Map<string, SentEvent> {
  const byWebhook = new Map<number, Post[]>()
  for (const post of posts) {
    if (post.sender.kind === 'cuts') continue
    const others = byWebhook.get(post.webhook.index) ?? []
    byWebhook.set(post.webhook.index, [...others, post])
  }
  const events = new Map<string, SentEvent>()
  for (const own of byWebhook.values()) {
    for (const [id, event] of eventsOf(own)) events.set(id, event)
  }
  return events
}

/** One event; two for a body without a name of its own that was posted on two days. */
function* eventsOf(posts: readonly Post[]): Generator<[string, SentEvent]> {
  const webhook = posts[0]?.webhook
  if (!webhook) return
  const from = Math.min(...posts.map(({ sentAt }) => sentAt)) - SLACK_MS
  const to = Math.max(...posts.map(({ endedAt }) => endedAt)) + SLACK_MS
  const ids = idsOf(webhook, from, to)
  for (const id of ids) {
    const own = posts.filter(({ answer }) => !answer?.id || ids.length === 1 || answer.id === id)
    // An answer that was cut off names no id; then only the first day's event can be owed.
    const owed = own.some(({ answer }) => isAccepted(answer) && (answer?.id ?? ids[0]) === id)
    yield [id, { id, webhook, from, to, posts: own, owed }]
  }
}

export function isAccepted(answer: Post['answer']): boolean {
  return answer !== null && answer.status >= 200 && answer.status < 300
}

/** Longer than the relay may take for one webhook, storing included. */
const RAN_ON_MS = 1_500

/** Posts whose sender left before the answer, and for which the Worker ran on long enough to keep the event. */
export function abandoned(posts: readonly Post[], endOf: (life: number) => number): Post[] {
  return posts.filter(({ why, life, endedAt }) => why === LEFT && endOf(life) > endedAt + RAN_ON_MS)
}
