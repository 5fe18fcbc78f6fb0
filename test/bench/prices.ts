/**
 * Prices and the arithmetic over them. Pure. Cloudflare's list as published in November 2026, in US dollars, a month of
 * thirty days:
 *   Workers: https://developers.cloudflare.com/workers/platform/pricing/
 *   Durable Objects: https://developers.cloudflare.com/durable-objects/platform/pricing/
 *   Queues: https://developers.cloudflare.com/queues/platform/pricing/
 *   Workers Logs: https://developers.cloudflare.com/workers/observability/logs/workers-logs/#pricing
 */

export const LISTED = 'November 2026'
export const DAYS = 30

/** What is used in a day. */
export type Usage = {
  /** Of the Worker: webhooks and runs of the cron trigger. */
  readonly requests: number
  readonly cpuMs: number
  /** Of the object: calls and alarms. */
  readonly objectRequests: number
  /** Of the object: 128 MB for as long as it is awake. */
  readonly gbSeconds: number
  readonly rowsWritten: number
  readonly rowsRead: number
  readonly logEvents: number
  /** Not a day's, but at once. */
  readonly storedGb: number
}

type Item = {
  readonly name: string
  readonly of: (usage: Usage) => number
  /** Included in a day of the Free plan; `null`: not limited by the day. */
  readonly free: number | null
  /** Included in a month of the Paid plan, and the price of a million above that. */
  readonly paid: number
  readonly perMillion: number
}

const MILLION = 1_000_000

export const ITEMS: readonly Item[] = [
  {
    name: 'requests',
    of: (used) => used.requests,
    free: 100_000,
    paid: 10 * MILLION,
    perMillion: 0.3,
  },
  {
    name: 'processor ms',
    of: (used) => used.cpuMs,
    free: null,
    paid: 30 * MILLION,
    perMillion: 0.02,
  },
  {
    name: 'object requests',
    of: (used) => used.objectRequests,
    free: 100_000,
    paid: MILLION,
    perMillion: 0.15,
  },
  {
    name: 'object GB-s',
    of: (used) => used.gbSeconds,
    free: 13_000,
    paid: 400_000,
    perMillion: 12.5,
  },
  {
    name: 'rows written',
    of: (used) => used.rowsWritten,
    free: 100_000,
    paid: 50 * MILLION,
    perMillion: 1,
  },
  {
    name: 'rows read',
    of: (used) => used.rowsRead,
    free: 5 * MILLION,
    paid: 25_000 * MILLION,
    perMillion: 0.001,
  },
  {
    name: 'log events',
    of: (used) => used.logEvents,
    free: 200_000,
    paid: 20 * MILLION,
    perMillion: 0.6,
  },
]
export const PAID_PLAN = 5
const STORED_INCLUDED_GB = 5
const STORED_PER_GB = 0.2

type Bill = {
  readonly total: number
  readonly lines: readonly { name: string; dollars: number }[]
}

/** A month on the Paid plan. */
export function billOf(usage: Usage): Bill {
  const above = ITEMS.map(({ name, of, paid, perMillion }) => ({
    name,
    dollars: (Math.max(0, of(usage) * DAYS - paid) * perMillion) / MILLION,
  }))
  const storage = Math.max(0, usage.storedGb - STORED_INCLUDED_GB) * STORED_PER_GB
  const lines = [
    { name: 'Paid plan', dollars: PAID_PLAN },
    ...above,
    { name: 'storage', dollars: storage },
  ].filter(({ dollars }) => dollars > 0)
  return { total: lines.reduce((sum, { dollars }) => sum + dollars, 0), lines }
}

/**
 * What of the Free plan's day is used up first, and how much of it: above 1 it does not fit. Less the time that the object
 * is awake, which with one object can never be more than the plan includes.
 */
export function freeShare(usage: Usage): { name: string; share: number } {
  const shares = ITEMS.flatMap(({ name, of, free }) =>
    free === null || name === 'object GB-s' ? [] : [{ name, share: of(usage) / free }],
  )
  return shares.reduce((most, each) => (each.share > most.share ? each : most))
}

/** Cloudflare Queues: a write, a read and a delete for each message of up to 64 KB; two requests for the Worker around it. */
export function queuesBill(events: number, cpuMs: number): number {
  const operations = Math.max(0, events * DAYS * 3 - MILLION) * (0.4 / MILLION)
  const worker = billOf({
    ...NOTHING,
    requests: events * (1 + 1 / 10),
    cpuMs: events * cpuMs,
    logEvents: events * 2,
  })
  return worker.total + operations
}

export const NOTHING: Usage = {
  requests: 0,
  cpuMs: 0,
  objectRequests: 0,
  gbSeconds: 0,
  rowsWritten: 0,
  rowsRead: 0,
  logEvents: 0,
  storedGb: 0,
}

/** What others ask for a month of so many events a day, by their published prices. */
type Peer = {
  readonly name: string
  readonly source: string
  readonly read: string
  /** `null`: the price is not published; `text` says what is. */
  readonly month: (eventsADay: number) => number | null
  readonly text: string
}

export const PEERS: readonly Peer[] = [
  {
    name: 'Hookdeck Event Gateway',
    source: 'https://hookdeck.com/pricing',
    read: '2026-09-20',
    month: (events) => (events * DAYS <= 10_000 ? 0 : null),
    text: 'free up to 10,000 events a month, kept for 3 days; then from $39 (7 days) or $499 (30 days), metered above 10,000',
  },
  {
    name: 'Svix',
    source: 'https://www.svix.com/pricing/',
    read: '2026-09-20',
    month: (events) => Math.max(0, events * DAYS - 50_000) * 0.0001,
    text: '50,000 messages a month free, then $0.0001 each, up to 200 a second; Professional (800 a second, 90 days) from $490 besides',
  },
  {
    name: 'Upstash QStash',
    source: 'https://upstash.com/pricing/qstash',
    read: '2026-10',
    month: (events) => (events <= 1_000 ? 0 : (events * DAYS) / 100_000),
    text: 'free up to 1,000 messages a day, then $1 for 100,000; each retry is a message',
  },
]
