/** What tests of alerts share: facts to evaluate, and a webhook and a heartbeat beside the local AEP. */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import type { LocalAdobe } from '../../src/local-adobe/app.ts'
import type { AlertFacts, OutboxFacts, RefusedCause } from '../../src/worker/alerts/facts.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** AlertFacts, or `null` of an outbox that does not answer. */
export type GivenFacts = Omit<AlertFacts, 'outbox'> & { outbox: OutboxFacts | null }

/** `own`: what differs from an outbox where all is well; `null`: it does not answer. */
export function factsAt(now: number, own: Partial<OutboxFacts> | null = {}): GivenFacts {
  const outbox = own && {
    states: null,
    hold: null,
    pausedSince: null,
    pending: 0,
    oldestPendingAt: null,
    expiring: { soon: 0, today: 0, oldestAt: null },
    writable: true,
    refusals: [],
    drift: [],
    landed: { available: true, why: null, causes: [], missing: 0, since: now, keptNone: 0 },
    lost: 0,
    refused: 0,
    lastWebhookAt: null,
    weekBefore: 0,
    completeness: null,
    ...own,
  }
  const nowhere = { webhook: null, heartbeatUrl: null, publicUrl: null }
  const alerts = { ...nowhere, ageMs: 15 * MINUTE, silenceMs: DAY }
  const webhookKeys = [{ key: 'a-key-of-twenty-characters', name: null }]
  return { now, outbox, config: { alerts, webhookKeys, retentionMs: 30 * DAY } }
}

export function cause(own: Partial<RefusedCause> = {}): RefusedCause {
  return {
    state: 'dead',
    kind: 'feedback',
    code: 'rejected',
    path: '',
    count: 1,
    ...own,
  }
}

export const WEBHOOK = 'https://hooks.example.com/services/T000/B000/secret-of-the-webhook'
export const HEARTBEAT = 'https://beat.example.com/ping/secret-of-the-heartbeat'
export const PAGERDUTY = 'https://events.pagerduty.com/v2/enqueue?routing_key=secret-routing-key'

type Sent = { url: string; init: RequestInit; body: Record<string, unknown> }

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

/** The outbox, where calls to objects of these names fail. */
export function namespaceWithout(...names: string[]) {
  const missing = new Set(names)
  const refuse = () => Promise.reject(new Error('Durable Object is overloaded.'))
  return {
    missing,
    getByName: (name: string) =>
      missing.has(name) ? new Proxy({}, { get: () => refuse }) : env.OUTBOX.getByName(name),
  }
}

/** Settings of a relay that reads AEP's counts. */
export const READ = {
  AEP_READ_CLIENT_ID: 'local-reader',
  AEP_READ_CLIENT_SECRET: 'local-reader-secret',
  AEP_ORG_ID: 'LOCAL@AdobeOrg',
  AEP_DATASET_ID: 'local-dataset',
  AEP_IMS_URL: 'http://127.0.0.1:8788',
  AEP_PLATFORM_URL: 'http://127.0.0.1:8788',
}
export const READ_AND_ALERT = { ...READ, ALERT_WEBHOOK_URL: WEBHOOK }
