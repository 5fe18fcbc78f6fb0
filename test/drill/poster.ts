/**
 * Poster: posts the webhooks of the plan with several senders at once, and records every post and its answer for the
 * oracle.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Item } from './plan.ts'
import { type PostResult, postWebhook } from './post-webhook.ts'
import type { Worker } from './worker.ts'

export type Post = Item &
  PostResult & {
    readonly sentAt: number
    readonly endedAt: number
    /** Number of the Worker's life that got it. */
    readonly life: number
  }

export const SENDERS = 8

export class Poster {
  readonly #worker: Worker
  readonly #key: string
  readonly posts: Post[] = []
  #begun = 0
  #bufferedWaiters: (() => void)[] = []
  #begunWaiters: { count: number; reached: () => void }[] = []

  constructor(worker: Worker, key: string) {
    this.#worker = worker
    this.#key = key
  }

  /** Resolves when this many posts of the round have started, or the round is over. */
  reached(count: number): Promise<void> {
    if (this.#begun >= count) return Promise.resolve()
    return new Promise((reached) => this.#begunWaiters.push({ count, reached }))
  }

  /** Resolves as soon as a sender gets a 202, or the round is over. */
  buffered(): Promise<void> {
    if (this.#begun === Infinity) return Promise.resolve()
    return new Promise((resolve) => this.#bufferedWaiters.push(resolve))
  }

  /** Posts a round; starts no post after `until` (epoch milliseconds). */
  async work(items: readonly Item[], until: number): Promise<void> {
    this.#begun = 0
    const queue = items.values()
    const send = async () => {
      for (const item of queue) {
        if (Date.now() >= until) return
        await this.post(item)
        await delay(item.pauseMs)
      }
    }
    await Promise.all(Array.from({ length: SENDERS }, send))
    this.#begun = Infinity
    this.#notifyBegun()
    this.#notifyBuffered()
  }

  async post(item: Item): Promise<Post> {
    const { worker, key } = { worker: this.#worker, key: this.#key }
    const url = await worker.url()
    const life = worker.lives
    const sentAt = Date.now()
    this.#begun += 1
    this.#notifyBegun()
    const result = await postWebhook(item, url, key, (status) => {
      if (status === 202) this.#notifyBuffered()
    })
    const post = { ...item, ...result, sentAt, endedAt: Date.now(), life }
    this.posts.push(post)
    return post
  }

  #notifyBuffered(): void {
    const waiters = this.#bufferedWaiters
    this.#bufferedWaiters = []
    for (const resolve of waiters) resolve()
  }

  #notifyBegun(): void {
    const due = this.#begunWaiters.filter(({ count }) => this.#begun >= count)
    this.#begunWaiters = this.#begunWaiters.filter(({ count }) => this.#begun < count)
    for (const { reached } of due) reached()
  }
}
