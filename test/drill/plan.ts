/**
 * Plan: the rounds of a drill: which webhooks are posted in which order by which senders, and when the Worker is killed.
 * Determined by the seed before anything starts.
 */
import type { Options } from './options.ts'
import { Random } from './random.ts'
import { makeWebhook, type Webhook } from './webhooks.ts'

/**
 * `waits` for its answer; leaves after sending the whole body, by an orderly close (`hangs-up`: everything sent arrives)
 * or by a reset (`resets`: bytes that were not read yet may be lost); or `cuts` the body short, so that there is no event.
 * `delayMs`: how long senders that do not wait stay connected.
 */
type Sender = {
  readonly kind: 'waits' | 'hangs-up' | 'resets' | 'cuts'
  readonly delayMs: number
}

export type Item = {
  readonly webhook: Webhook
  readonly sender: Sender
  /** Pause before this sender posts again; spreads the posts over time. */
  readonly pauseMs: number
}

export type Kill = {
  /** After this many posts of the round have started; `null`: in the drain after them. */
  readonly afterPosts: number | null
  readonly delayMs: number
  /** Then right after a sender gets a 202, which must already be true at that moment. */
  readonly onAnswer: boolean
  /** How long the process stays down. */
  readonly downMs: number
  /** Killed again this long after its start, perhaps before it listens; `null`: only once. */
  readonly againMs: number | null
}

/** A fault phase and the recovery after it, in which the Worker is left alone. */
export type Round = { readonly items: readonly Item[]; readonly kills: readonly Kill[] }

/** Small enough for several rounds in one drill: some faults show only when traffic ends. */
const EVENTS_PER_ROUND = 400
const REPEATED_SHARE = 0.05
const REFUSED_SHARE = 0.02
const LEAVE_SHARE = 0.05
const CUT_SHARE = 0.01
/** Share of the kills that fall into the drain after the last post, when all faults have ended. */
const DRAIN_KILL_SHARE = 0.25
const AGAIN_SHARE = 0.2
const ON_ANSWER_SHARE = 0.6
/** Longest pause between two posts of one sender; half of it on average. */
const MAX_PAUSE_MS = 320

export function makePlan({ seed, events, kills }: Options): Round[] {
  const items = makeItems(events, new Random(seed, 'posts'))
  const random = new Random(seed, 'kills')
  const rounds = Math.max(1, Math.round(events / EVENTS_PER_ROUND))
  /** Index at which the share of a round begins. */
  const part = (round: number, of: number) => Math.round((of * round) / rounds)
  return Array.from({ length: rounds }, (_, round) => {
    const own = items.slice(part(round, items.length), part(round + 1, items.length))
    const count = part(round + 1, kills) - part(round, kills)
    return { items: own, kills: makeKills(count, own.length, random) }
  })
}

function makeItems(events: number, random: Random): Item[] {
  const items: Item[] = []
  const repeats: Webhook[][] = []
  let good = 0
  const add = (webhook: Webhook, sender: Sender, pauseMs = random.int(0, MAX_PAUSE_MS)) => {
    items.push({ webhook, sender, pauseMs })
    // Repeats that are due come next; a repeat is not repeated.
    for (const repeat of repeats.shift() ?? []) {
      items.push({ webhook: repeat, sender: WAITS, pauseMs: random.int(0, MAX_PAUSE_MS) })
    }
  }
  const repeatLater = (webhook: Webhook) => {
    // Distance 0: another sender posts it at the same moment.
    const distance = random.chance(0.5) ? 0 : random.int(1, 200)
    while (repeats.length <= distance) repeats.push([])
    repeats[distance]?.push(webhook)
  }
  for (let index = 0; good < events; index += 1) {
    const isRefused = random.chance(REFUSED_SHARE)
    const webhook = makeWebhook(index, isRefused ? random.pick([400, 422]) : null, random)
    // A body cut short is no event: the sender tries again.
    if (random.chance(CUT_SHARE)) add(webhook, { kind: 'cuts', delayMs: random.int(0, 40) })
    if (random.chance(REPEATED_SHARE)) repeatLater(webhook)
    add(webhook, random.chance(LEAVE_SHARE) ? leaving(random) : WAITS)
    if (!isRefused) good += 1
  }
  while (repeats.length > 0) {
    for (const webhook of repeats.shift() ?? []) items.push({ webhook, sender: WAITS, pauseMs: 0 })
  }
  return items
}

const WAITS: Sender = { kind: 'waits', delayMs: 0 }

function leaving(random: Random): Sender {
  return {
    kind: random.pick(['hangs-up', 'resets']),
    delayMs: random.int(0, random.pick([10, 150])),
  }
}

function makeKills(count: number, posts: number, random: Random): Kill[] {
  const kills: Kill[] = []
  const inDrain = Math.ceil((count - 1) * DRAIN_KILL_SHARE)
  for (let left = count; left > 0; ) {
    const again = left > 1 && random.chance(AGAIN_SHARE)
    const posting = left > inDrain
    kills.push({
      afterPosts: posting ? random.int(Math.ceil(posts * 0.02), Math.ceil(posts * 0.98)) : null,
      delayMs: posting ? random.int(0, 120) : random.int(20, 250),
      onAnswer: posting && random.chance(ON_ANSWER_SHARE),
      downMs: random.chance(0.8) ? random.int(0, 150) : random.int(500, 1_500),
      againMs: again ? random.int(0, 80) : null,
    })
    left -= again ? 2 : 1
  }
  return kills.sort((a, b) => (a.afterPosts ?? posts) - (b.afterPosts ?? posts))
}
