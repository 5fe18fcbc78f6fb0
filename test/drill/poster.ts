/**
 * Poster: works off the agenda with several senders at once, and keeps the record that everything is judged by:
 * what was sent when, and what was answered.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Item } from './plan.ts'
import { type PostResult, postWebhook } from './post-webhook.ts'
import type { Worker } from './worker.ts'

export type Post = Item &
  PostResult & {
    readonly sentAt: number
    readonly endedAt: number
    /** The life of the Worker that it was sent to. */
    readonly life: number
  }

const SENDERS = 8

export class Poster {
  readonly #worker: Worker
  readonly #key: string
  readonly posts: Post[] = []
  #begun = 0
  #listening: (() => void)[] = []
  #waiting: { count: number; reached: () => void }[] = []

  constructor(worker: Worker, key: string) {
    this.#worker = worker
    this.#key = key
  }

  /** Resolves when that many posts of the round have been begun, or it is over. */
  reached(count: number): Promise<void> {
    if (this.#begun >= count) return Promise.resolve()
    return new Promise((reached) => this.#waiting.push({ count, reached }))
  }

  /** Resolves at the moment that a sender is told its event is stored, or when the round is over. */
  buffered(): Promise<void> {
    if (this.#begun === Infinity) return Promise.resolve()
    return new Promise((heard) => this.#listening.push(heard))
  }

  /** Posts a round. Ends with it, or soon after `until`. */
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
    this.#tell()
    this.#heard()
  }

  async post(item: Item): Promise<Post> {
    const { worker, key } = { worker: this.#worker, key: this.#key }
    const url = await worker.url()
    const life = worker.lives
    const sentAt = Date.now()
    this.#begun += 1
    this.#tell()
    const result = await postWebhook(item, url, key, (status) => {
      if (status === 202) this.#heard()
    })
    const post = { ...item, ...result, sentAt, endedAt: Date.now(), life }
    this.posts.push(post)
    return post
  }

  #heard(): void {
    const listening = this.#listening
    this.#listening = []
    for (const heard of listening) heard()
  }

  #tell(): void {
    const due = this.#waiting.filter(({ count }) => this.#begun >= count)
    this.#waiting = this.#waiting.filter(({ count }) => this.#begun < count)
    for (const { reached } of due) reached()
  }
}
