/**
 * Plan: what is posted, in which order, by which kind of sender; and after how many posts the Worker is killed.
 * In rounds. Fixed by the seed before anything begins.
 */
import type { Options } from './options.ts'
import { Random } from './random.ts'
import { makeWebhook, type Webhook } from './webhooks.ts'

/**
 * `waits` for its answer; leaves after the whole body has left, by closing the connection (`hangs-up`: what was sent
 * arrives) or by a reset (`resets`: what was not read yet may be gone); or `cuts` the body short, so that there never
 * was an event. `delayMs`: how long the impatient ones stay.
 */
export type Sender = {
  readonly kind: 'waits' | 'hangs-up' | 'resets' | 'cuts'
  readonly delayMs: number
}

export type Item = {
  readonly webhook: Webhook
  readonly sender: Sender
  /** Before this sender posts again, which is what spreads a drill over time. */
  readonly pauseMs: number
}

export type Kill = {
  /** When that many posts of the round have been begun; `null`: in the drain that follows them. */
  readonly afterPosts: number | null
  readonly delayMs: number
  /** Then at the very moment that a sender hears of custody: what it was told must be true already. */
  readonly onAnswer: boolean
  /** How long it stays dead. */
  readonly downMs: number
  /** Killed again that soon after its start, perhaps before it is up; `null`: not. */
  readonly againMs: number | null
}

/** A stretch of trouble, at whose end the Worker is left alone to make good. */
export type Round = { readonly items: readonly Item[]; readonly kills: readonly Kill[] }

/** Small enough for several in one drill: what hides while there is traffic shows only when it ends. */
const EVENTS_PER_ROUND = 400
const REPEATED_SHARE = 0.05
const REFUSED_SHARE = 0.02
const LEAVE_SHARE = 0.05
const CUT_SHARE = 0.01
/** Kills that fall into the drain after the last post, when all faults are gone and everything moves. */
const DRAIN_KILL_SHARE = 0.25
const AGAIN_SHARE = 0.2
const ON_ANSWER_SHARE = 0.6
/** On average half of it between two posts of one sender. */
const MAX_PAUSE_MS = 320

export function makePlan({ seed, events, kills }: Options): Round[] {
  const items = makeItems(events, new Random(seed, 'posts'))
  const random = new Random(seed, 'kills')
  const rounds = Math.max(1, Math.round(events / EVENTS_PER_ROUND))
  /** Where that share of so many begins. */
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
    // At once means by another sender at the same moment.
    const distance = random.chance(0.5) ? 0 : random.int(1, 200)
    while (repeats.length <= distance) repeats.push([])
    repeats[distance]?.push(webhook)
  }
  for (let index = 0; good < events; index += 1) {
    const isRefused = random.chance(REFUSED_SHARE)
    const webhook = makeWebhook(index, isRefused ? random.pick([400, 422]) : null, random)
    // A body that was cut is no event yet: the sender tries again.
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
