/**
 * The cost of custody: webhooks per second that the relay accepts while AEP is down, divided by those of a Worker that
 * only writes the bytes to a SQLite-backed Durable Object.
 *
 * Measures: the production bundle and `workers/insert-only.js`, each on a `workerd` of its own with its storage on
 * disk, while AEP never answers, and again while it answers 503. All bodies differ, since equal ones would be one event.
 * It also counts, from the relay's log, the webhooks that were tried inline before they were stored: at most one in each
 * window of the breaker, and the windows double, however many webhooks arrive.
 * Fairness: see `compare.ts`. The relay does more by design: it authenticates and validates, looks the event up by its id,
 * updates the ledger in the same transaction and sets an alarm.
 * Not measured: a Durable Object on Cloudflare, where a write also waits for other machines. Both sides wait for the disk
 * once per event: where it is slow or busy, processor time says more than the ratio.
 *
 * Exit code 1 when an answer is not 202, when the ledger does not hold as many events as were accepted, or when more
 * webhooks were tried inline than there were windows; else 0: a ratio measured on a busy machine must not fail a build.
 */
import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { fileURLToPath } from 'node:url'
import { compare, type Plan, report } from './compare.ts'
import { post, tally } from './load.ts'
import { silent, startUpstream, unavailable } from './upstream.ts'
import { bundleRelay, startWorkerd, type Workerd } from './workerd.ts'

const PLAN: Plan = {
  connections: 32,
  forMs: 350,
  warmUpMs: 1_500,
  rounds: 24,
  withinMs: 18_000,
}
/** Short, so that the run spans several windows of the breaker. */
const FORWARD_TIMEOUT_MS = 500
const MAX_WINDOW_MS = 60_000
const KEY = 'bench-webhook-key-of-some-length'
const TOKEN = 'bench-admin-token-of-some-length'

const bundle = bundleRelay()
console.log(`Relay and bare insert, AEP down, in rounds of ${PLAN.forMs} ms`)
await outage('AEP never answers', 'silent', silent)
await outage('AEP answers 503', 'unavailable', unavailable)
process.exit()

async function outage(title: string, name: string, listener: RequestListener): Promise<void> {
  const upstream = await startUpstream(listener)
  const relay = await startWorkerd({
    name: `relay-${name}`,
    module: bundle,
    variables: {
      AEP_ENDPOINT: upstream.endpoint,
      AEP_FLOW_ID: 'bench-flow',
      WEBHOOK_KEYS: KEY,
      ADMIN_TOKEN: TOKEN,
      FORWARD_TIMEOUT_MS: String(FORWARD_TIMEOUT_MS),
      RETRY_BASE_MS: String(FORWARD_TIMEOUT_MS),
    },
    object: { binding: 'OUTBOX', className: 'Outbox' },
  })
  const insertOnly = await startWorkerd({
    name: `insert-only-${name}`,
    module: fileURLToPath(new URL('workers/insert-only.js', import.meta.url)),
    object: { binding: 'ROWS', className: 'Rows' },
  })
  const side = { path: `/chatlio/new-conversation?key=${KEY}`, body: distinct('conversation.json') }

  // One request alone first: until the relay knows that AEP is down, every request is tried inline.
  const began = performance.now()
  const opening = await post({ ...side, port: relay.port }, false)
  const result = await compare({ ...side, worker: relay }, { ...side, worker: insertOnly }, PLAN)
  const windows = windowsIn(performance.now() - began)

  const { statuses } = result.first
  statuses[opening] = (statuses[opening] ?? 0) + 1
  const ours = tally(statuses, 202)
  const theirs = tally(result.second.statuses, 202)
  const stored = await acceptedBy(relay)
  const tried = triedInline(relay)
  console.log(report(title, result))
  console.log(
    `  ${ours.all} and ${theirs.all} requests; not 202: ${ours.others} and ${theirs.others}; ` +
      `the ledger has ${stored}`,
  )
  console.log(
    `  tried inline before they were stored: ${tried} webhooks in ${windows} windows, ` +
      `${FORWARD_TIMEOUT_MS} ms each at most; with the outbox, AEP got ${upstream.taken()} requests`,
  )
  const lost = stored !== ours.all - ours.others
  if (lost || ours.others + theirs.others > 0 || tried > windows) process.exitCode = 1
  await relay.stop()
  await insertOnly.stop()
  upstream.stop()
}

/** Bodies of the same length that differ in the last digits of the conversation's UUID. */
function distinct(file: string): () => string {
  const text = readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8')
  const field = /"conversationUUID": "[0-9a-f-]{24}/.exec(text)
  if (!field) throw new Error(`${file} has no conversationUUID`)
  const at = field.index + field[0].length
  let count = 0
  return () => {
    count += 1
    return text.slice(0, at) + String(count).padStart(12, '0') + text.slice(at + 12)
  }
}

/** Number of windows of the breaker that have started; the first starts with the first request. */
function windowsIn(ms: number): number {
  let windows = 1
  let length = FORWARD_TIMEOUT_MS
  for (let end = length; end <= ms; end += length) {
    windows += 1
    length = Math.min(length * 2, MAX_WINDOW_MS)
  }
  return windows
}

async function acceptedBy({ port }: Workerd): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/admin/status`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  })
  const status = (await response.json()) as { accepted: number }
  return status.accepted
}

/** A stored webhook is logged as a warning, with AEP's status or `timeout` if it was tried inline. */
function triedInline(relay: Workerd): number {
  return relay
    .warnings()
    .map((line) => JSON.parse(line) as { event: string; upstreamStatus?: unknown; code?: unknown })
    .filter(({ event, upstreamStatus, code }) => {
      return event === 'webhook' && (typeof upstreamStatus === 'number' || code === 'timeout')
    }).length
}
