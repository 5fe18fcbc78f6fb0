/** What tests of alerts share: facts to evaluate, and a webhook and a heartbeat beside the local AEP. */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import type { Facts } from '../../src/worker/alerts/rules.ts'
import type { Cause, ShardFacts } from '../../src/worker/outbox/alerts/facts.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** Of a shard where all is well. */
export function shardFacts(own: Partial<ShardFacts> = {}): ShardFacts {
  return {
    hold: null,
    pausedSince: null,
    pending: 0,
    oldestPendingAt: null,
    expiring: { soon: 0, today: 0, oldestAt: null },
    writable: true,
    refusals: { causes: [], upTo: 0 },
    ...own,
  }
}

export function factsAt(now: number, ...shards: (Partial<ShardFacts> | null)[]): Facts {
  const all = (shards.length === 0 ? [{}] : shards).map((own) => own && shardFacts(own))
  return { now, shards: all, letsIn: true, drift: [], ageMs: 15 * MINUTE, retentionMs: 30 * DAY }
}

export function cause(own: Partial<Cause> = {}): Cause {
  return {
    state: 'dead',
    kind: 'feedback',
    code: 'rejected',
    status: 400,
    place: '',
    report: 'r1',
    count: 1,
    ...own,
  }
}

export const WEBHOOK = 'https://hooks.example.com/services/T000/B000/secret-of-the-webhook'
export const HEARTBEAT = 'https://beat.example.com/ping/secret-of-the-heartbeat'
export const PAGERDUTY = 'https://events.pagerduty.com/v2/enqueue?routing_key=secret-routing-key'

export type Sent = { url: string; init: RequestInit; body: Record<string, unknown> }

/**
 * Answers in the place of the alert webhook and the heartbeat; everything else goes to the local AEP. `answer` may be
 * replaced by what shall happen to a message.
 */
export function startReceiver(aep: LocalAdobe) {
  const receiver = {
    messages: [] as Sent[],
    pings: [] as string[],
    answer: async (_init: RequestInit): Promise<Response> => new Response('ok'),
  }
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : String(input))
    if (url.hostname === 'beat.example.com') {
      receiver.pings.push(url.href)
      return new Response('OK')
    }
    if (url.hostname === 'hooks.example.com' || url.hostname === 'events.pagerduty.com') {
      const body = JSON.parse(String(init.body))
      receiver.messages.push({ url: url.href, init: init as RequestInit, body })
      return receiver.answer(init as RequestInit)
    }
    return aep.fetch(input as Request | URL | string, init as RequestInit)
  })
  return receiver
}
export type Receiver = ReturnType<typeof startReceiver>

/** The outbox, where calls to some shards fail. */
export function namespaceWithout(...names: string[]) {
  const missing = new Set(names)
  const refuse = () => Promise.reject(new Error('Durable Object is overloaded.'))
  return {
    missing,
    getByName: (name: string) =>
      missing.has(name) ? new Proxy({}, { get: () => refuse }) : env.OUTBOX.getByName(name),
  }
}
