/**
 * What the relay costs at Cloudflare's prices: arithmetic over what is metered in tests (`metered.json`, and the table in
 * docs/operations.md) and over the processor time that `healthy`, `outage` and `drain` have measured.
 *
 * Says which plan a load fits, what binds first as it grows, and what to do then.
 */
import metered from '../metered.json' with { type: 'json' }
import {
  billOf,
  DAYS,
  freeShare,
  ITEMS,
  LISTED,
  NOTHING,
  PEERS,
  queuesBill,
  type Usage,
} from '../prices.ts'
import type { Section } from '../section.ts'

type Way = 'healthy' | 'outage' | 'store-first'
const WAYS: readonly Way[] = ['healthy', 'outage', 'store-first']

/** Processor milliseconds an event, on the machine of the benchmark; `null`: not measured yet. */
type Cpu = Readonly<Record<Way, number | null>> & {
  /** Of the first webhook of an isolate. */
  readonly first: number | null
}

/** Of one event. */
type Each = {
  readonly written: number
  readonly read: number
  readonly requests: number
}

const CRON_RUNS_A_DAY = 288
/** The scenarios of `metered.json` forget what they have written in three runs of the cron trigger. */
const RUNS_TO_FORGET = 3
const CHATS = 50
const WEBHOOKS_A_CHAT = 3
/** One event's body, of Chatlio's documented size. */
const BODY_BYTES = 1_000
const RECEIPT_DAYS = 7
const OBJECT_GB = 10
/** Cloudflare's own estimate for one object. */
const OBJECT_REQUESTS_A_SECOND = 1_000
const AWAKE_GB_SECONDS = 0.128 * 86_400

type Load = {
  readonly name: string
  readonly events: number
  readonly each: Readonly<Record<Way, Each>>
}

/** Less what the cron trigger costs anyway. */
function eachOf({ events, written, read, requests }: (typeof metered)['quietHealthy']): Each {
  const runs = RUNS_TO_FORGET / 12
  const own = (all: number, cron: number) => Math.max(0, all - cron * runs) / events
  return {
    written: own(written, metered.cronHour.written),
    read: own(read, metered.cronHour.read),
    requests: own(requests, metered.cronHour.requests),
  }
}

/** Rows and requests of the minute that docs/operations.md has: a hundred a second over ten isolates. */
export function hundredASecond(operations: string): {
  events: number
  written: number
  requests: number
} {
  const row = /^\| straight through, 100 a second [^|]*\| (\d+) \|[^|]*\| (\d+) \| (\d+) \|$/m.exec(
    operations,
  )
  if (!row) throw new Error('docs/operations.md has no row of a hundred a second')
  const [, written, requests, events] = row.map(Number)
  return { events: events ?? 0, written: written ?? 0, requests: requests ?? 0 }
}

export function loadsOf(operations: string): Load[] {
  const busy = {
    healthy: eachOf(metered.busyHealthy),
    outage: eachOf(metered.busyOutage),
    'store-first': eachOf(metered.busyStoreFirst),
  }
  const minute = hundredASecond(operations)
  const packed = {
    written: minute.written / minute.events,
    // At most: fewer reports an event read fewer rows.
    read: busy.healthy.read,
    requests: minute.requests / minute.events,
  }
  return [
    {
      name: `${CHATS} chats a day`,
      events: CHATS * WEBHOOKS_A_CHAT,
      each: {
        healthy: eachOf(metered.quietHealthy),
        outage: eachOf(metered.quietOutage),
        'store-first': eachOf(metered.quietStoreFirst),
      },
    },
    { name: '1 a second', events: 86_400, each: busy },
    // What is stored alone costs most: at a hundred a second stores share transactions.
    { name: '100 a second', events: 8_640_000, each: { ...busy, healthy: packed } },
  ]
}

/** A day of it, the cron trigger with its alerts included. */
export function usageOf(load: Load, way: Way, cpu: Cpu, isComparing: boolean): Usage {
  const { written, read, requests } = load.each[way]
  const cron = isComparing ? metered.cronHourComparing : metered.cronHour
  const { events } = load
  const objectRequests = events * requests + cron.requests * 24
  const stored = way === 'outage' ? events * (BODY_BYTES + metered.bytes.stored) : 0
  return {
    requests: events + CRON_RUNS_A_DAY,
    cpuMs: events * (cpu[way] ?? 0),
    objectRequests,
    // At most: the object is never asleep.
    gbSeconds: AWAKE_GB_SECONDS,
    rowsWritten: events * written + cron.written * 24,
    rowsRead: events * read + cron.read * 24,
    // The invocation and our line; an invocation of the object each.
    logEvents: events * 2 + objectRequests,
    storedGb: (events * metered.bytes.receipt * RECEIPT_DAYS + stored) / 1e9,
  }
}

const DAY_OF_OUTAGE = 1

/** A month with one day of it in an outage, by days. */
function mixed(load: Load, cpu: Cpu): Usage {
  const [healthy, outage] = [
    usageOf(load, 'healthy', cpu, true),
    usageOf(load, 'outage', cpu, true),
  ]
  const share = DAY_OF_OUTAGE / DAYS
  const of = (name: keyof Usage) => healthy[name] * (1 - share) + outage[name] * share
  return Object.fromEntries(
    (Object.keys(NOTHING) as (keyof Usage)[]).map((name) => [name, of(name)]),
  ) as Usage
}

const dollars = (value: number) =>
  `$${value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2)}`
const rounded = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2)

export function costSection(operations: string, cpu: Cpu): Section {
  const loads = loadsOf(operations)
  return {
    scene: 'cost',
    title: 'What it costs',
    text: [
      `Prices: Cloudflare's list of ${LISTED} ([Workers](https://developers.cloudflare.com/workers/platform/pricing/), ` +
        '[Durable Objects](https://developers.cloudflare.com/durable-objects/platform/pricing/), ' +
        '[Queues](https://developers.cloudflare.com/queues/platform/pricing/), ' +
        '[Workers Logs](https://developers.cloudflare.com/workers/observability/logs/workers-logs/#pricing)); a month of thirty days. ' +
        'Rows and requests are metered by `npx vitest run --config test/vitest.config.ts test/worker/costs.test.ts test/worker/rows.test.ts`, ' +
        `which fails when they are others than counted here. A chat is taken for ${WEBHOOKS_A_CHAT} webhooks.`,
      'A million events, with their receipts and counts, from the webhook until the receipt is forgotten. Processor time is that of the ' +
        'benchmark’s machine, not of Cloudflare’s.',
    ],
    tables: [millions(loads, cpu), months(loads, cpu), binds(loads, cpu), peers(loads, cpu)],
    charts: [],
    notes: [
      'Duration is that of an object that is awake all day, which is the most that one object can be: 331,776 GB-s a month, within what both plans include (Free: 11,059 of 13,000 a day). ' +
        'So it costs nothing, and is in no sum. Cloudflare bills none for an object that is idle and may hibernate.',
      `Runs of the cron trigger take processor time too, ${rounded(CRON_RUNS_A_DAY * DAYS)} a month: at 100 ms each, 3 % of what the Paid plan includes. It is in no sum.`,
      'Logs are those of `wrangler.toml`: every invocation, and a line for each webhook. `head_sampling_rate` under `[observability]` makes them a share; ' +
        'counts, receipts and the operators’ page do not depend on them. Traces, one in a hundred, are not counted.',
      `A hundred a second in an outage and in store-first is counted at what an event costs alone, which is the most: stores that arrive together share rows of the ledger. ` +
        'The requests that the outbox sends leave through an entrypoint of the same Worker, which is read here as a service binding and so not billed as requests; their processor time is in the figure.',
      ...(cpu.first === null
        ? []
        : [
            `Whether Free fits is said of what a day includes. It also allows an invocation 10 ms of processor time: the first webhook of an isolate takes ${rounded(cpu.first)} ms ` +
              'on the benchmark’s machine, of the whole process, where Cloudflare counts the Worker alone.',
          ]),
      `With the comparison (\`AEP_READ_CLIENT_ID\`) the cron trigger writes ${(metered.cronHourComparing.written - metered.cronHour.written) * 24} rows more a day; the months above have it.`,
      ...(Object.values(cpu).includes(null)
        ? [
            'Processor time has not been measured yet (`npm run bench`), and is missing from the sums.',
          ]
        : []),
    ],
    faults: [],
    figures: {},
  }
}

function millions(loads: readonly Load[], cpu: Cpu) {
  const rows = loads.flatMap((load) =>
    WAYS.map((way) => {
      const { written, read, requests } = load.each[way]
      const million = 1_000_000
      const usage: Usage = {
        ...NOTHING,
        requests: million,
        cpuMs: million * (cpu[way] ?? 0),
        objectRequests: million * requests,
        rowsWritten: million * written,
        rowsRead: million * read,
        logEvents: million * (2 + requests),
      }
      const price = ITEMS.reduce(
        (sum, { of, perMillion }) => sum + (of(usage) * perMillion) / million,
        0,
      )
      return [
        `${load.name}, ${way}`,
        rounded(usage.rowsWritten / million),
        rounded(usage.rowsRead / million),
        rounded(requests),
        cpu[way] === null ? '–' : rounded(cpu[way]),
        // Three digits: a busy object is awake for many events at once.
        `at most ${(AWAKE_GB_SECONDS / load.events).toPrecision(3)}`,
        dollars(price - (usage.logEvents * 0.6) / million),
        dollars((usage.logEvents * 0.6) / million),
      ]
    }),
  )
  return {
    head: [
      'an event costs',
      'rows written',
      'rows read',
      'requests to the object',
      'processor ms',
      'duration (GB-s)',
      'a million of them, nothing included',
      'and their logs',
    ],
    rows,
  }
}

function months(loads: readonly Load[], cpu: Cpu) {
  const of = (name: string, usage: Usage, worstDay = usage) => {
    const { total, lines } = billOf(usage)
    const free = freeShare(worstDay)
    const most = lines
      .filter(({ name: each }) => each !== 'Paid plan')
      .toSorted((a, b) => b.dollars - a.dollars)[0]
    const fits =
      free.share <= 1
        ? `Free (${(free.share * 100).toFixed(0)} % of its ${free.name})`
        : `Paid (${free.share.toFixed(1)} × Free's ${free.name})`
    return [
      name,
      dollars(total),
      most ? `${most.name} ${dollars(most.dollars)}` : 'the plan itself',
      fits,
    ]
  }
  return {
    head: ['a month', 'on the Paid plan', 'most of it', 'its busiest day fits'],
    rows: loads.flatMap((load) => [
      of(`${load.name}, healthy`, usageOf(load, 'healthy', cpu, true)),
      of(
        `${load.name}, one day of it an outage`,
        mixed(load, cpu),
        usageOf(load, 'outage', cpu, true),
      ),
      of(`${load.name}, store-first`, usageOf(load, 'store-first', cpu, true)),
    ]),
  }
}

/** What ends first when the load grows: the load at which it does, and what to do then. */
function binds(loads: readonly Load[], cpu: Cpu) {
  const busy = loads[1] as Load
  const packed = loads[2] as Load
  /** Events a day at which a day of Free is used up, and what of it; of what is spent anyway a share is gone. */
  const freeLimit = (load: Load, way: Way) => {
    const idle = usageOf({ ...load, events: 0 }, way, cpu, true)
    const full = usageOf(load, way, cpu, true)
    const limits = ITEMS.flatMap(({ name, of, free }) => {
      const more = (of(full) - of(idle)) / load.events
      return free !== null && more > 0 ? [{ name, events: (free - of(idle)) / more }] : []
    })
    const first = limits.reduce((least, each) => (each.events < least.events ? each : least))
    return { name: first.name, at: `${rounded(first.events)} events a day` }
  }
  const [storing, relaying] = [freeLimit(busy, 'store-first'), freeLimit(busy, 'healthy')]
  const receiptsFull = (OBJECT_GB * 1e9) / (metered.bytes.receipt * RECEIPT_DAYS) / 86_400
  const outageFull = (OBJECT_GB * 1e9) / (BODY_BYTES + metered.bytes.stored)
  const paidRows = 50e6 / DAYS / busy.each['store-first'].written
  const objectFull = Math.floor(OBJECT_REQUESTS_A_SECOND / packed.each.outage.requests / 10) * 10
  const perSecond = (events: number) => `${(events / 86_400).toFixed(2)} a second`
  return {
    head: ['what binds, in this order', 'at', 'then'],
    rows: [
      [
        'Free plan: 10 ms of processor time an invocation',
        cpu.first === null
          ? '–'
          : `a first webhook takes ${rounded(cpu.first)} ms on the benchmark’s machine`,
        'the Paid plan (30 s); Cloudflare ends what takes longer',
      ],
      [
        `Free plan, store-first: a day’s ${storing.name}`,
        storing.at,
        'the Paid plan; until midnight in UTC Cloudflare refuses what is above, receipts and counts give way first',
      ],
      [
        `Free plan, healthy: a day’s ${relaying.name}`,
        relaying.at,
        'logs sampled, then the Paid plan',
      ],
      [
        'Paid plan, store-first: the rows that are included',
        `${perSecond(paidRows)}, all month`,
        'relay first, which is the default and writes a row for a hundred events; else $1 a million rows',
      ],
      [
        'price: logs',
        `${perSecond((20e6 / DAYS - packed.each.healthy.requests) / 2)}, all month`,
        '`head_sampling_rate` in `wrangler.toml`',
      ],
      [
        `the object’s ${OBJECT_GB} GB: receipts of ${RECEIPT_DAYS} days (${metered.bytes.receipt} bytes each)`,
        `${receiptsFull.toFixed(0)} a second, all week`,
        'a smaller `RECEIPT_DAYS`',
      ],
      [
        `the object’s ${OBJECT_GB} GB: an outage (a body of ${BODY_BYTES} bytes and ${metered.bytes.stored} beside it)`,
        `${(outageFull / 1e6).toFixed(1)} million events: ${(outageFull / 100 / 3_600).toFixed(0)} hours at 100 a second`,
        'webhooks are then answered 503 (alert `storage`): a relay for each widget, with an object of its own',
      ],
      [
        `the object’s requests in an outage (Cloudflare: about 1,000 a second for one object; an event takes ${rounded(packed.each.outage.requests)})`,
        `about ${objectFull} a second`,
        'a relay for each widget',
      ],
      [
        'AEP: 1,500 a second into Profile, 4,000 to 5,000 into the lake (Adobe’s guardrails for ingestion)',
        '1,500 a second',
        'Adobe; the relay keeps what is throttled',
      ],
    ],
  }
}

function peers(loads: readonly Load[], cpu: Cpu) {
  const amount = (value: number | null) => (value === null ? 'not published' : dollars(value))
  return {
    head: ['a month', ...loads.map(({ name }) => name), 'by'],
    rows: [
      [
        '**this relay**, healthy, Paid plan',
        ...loads.map((load) => dollars(billOf(usageOf(load, 'healthy', cpu, true)).total)),
        'the table above; on the Free plan $0',
      ],
      [
        '**this relay**, logs one in a hundred',
        ...loads.map((load) => {
          const usage = usageOf(load, 'healthy', cpu, true)
          return dollars(billOf({ ...usage, logEvents: usage.logEvents / 100 }).total)
        }),
        '`head_sampling_rate = 0.01`',
      ],
      [
        'a Worker with Cloudflare Queues',
        ...loads.map(({ events }) => dollars(queuesBill(events, cpu.healthy ?? 0))),
        'three operations a message, batches of ten, our processor time and logs; without id, receipts, lists or alerts',
      ],
      ...PEERS.map(({ name, source, read, month, text }) => [
        `[${name}](${source})`,
        ...loads.map(({ events }) => amount(month(events))),
        `${text} (read ${read})`,
      ]),
    ],
  }
}
