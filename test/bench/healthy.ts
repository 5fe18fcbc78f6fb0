/**
 * The cost of the healthy path: throughput of the relay divided by that of a Worker that only passes the request on.
 *
 * Measures: the production bundle and `workers/pass-through.js`, each on a `workerd` of its own, behind the same
 * load generator and in front of the same upstream, which answers every message with AEP's documented 200 at once.
 * Fairness: see `compare.ts`. Generator and upstream share this process. The output says how busy it was and how many
 * requests per second it makes without a Worker in between: if either leaves no headroom, the ratio is too good.
 * Not measured: how long AEP takes (in production nearly all of the time), how many requests per second Cloudflare
 * handles, and latency.
 *
 * Exit code 1 when any answer is not 200, else 0: a ratio measured on a busy machine must not fail a build.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compare, type Plan, report } from './compare.ts'
import { load, tally } from './load.ts'
import { accepting, startUpstream } from './upstream.ts'
import { bundleRelay, startWorkerd } from './workerd.ts'

const PLAN: Plan = {
  connections: 32,
  forMs: 350,
  warmUpMs: 2_000,
  // Many, because a garbage collection takes a third of a round and hits only one side of it.
  rounds: 48,
  withinMs: 36_000,
}
const TARGET = 0.55
const KEY = 'bench-webhook-key-of-some-length'
const CASES = [
  { file: 'conversation.json', path: '/chatlio/new-conversation' },
  { file: 'transcript.json', path: '/chatlio/transcript' },
] as const

const upstream = await startUpstream(accepting)
const relay = await startWorkerd({
  name: 'relay',
  module: bundleRelay(),
  variables: { AEP_ENDPOINT: upstream.endpoint, AEP_FLOW_ID: 'bench-flow', WEBHOOK_KEYS: KEY },
  object: { binding: 'OUTBOX', className: 'Outbox' },
})
const passThrough = await startWorkerd({
  name: 'pass-through',
  module: fileURLToPath(new URL('workers/pass-through.js', import.meta.url)),
  variables: { UPSTREAM: upstream.endpoint },
})

console.log(`Relay and bare pass-through, in rounds of ${PLAN.forMs} ms; target: ${TARGET} or more`)
for (const { file, path } of CASES) {
  const text = readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8')
  const side = { path: `${path}?key=${KEY}`, body: () => text }
  const direct = await load({ ...side, port: upstream.port }, { ...PLAN, forMs: 1_000 })
  const result = await compare({ ...side, worker: relay }, { ...side, worker: passThrough }, PLAN)
  const ours = tally(result.first.statuses, 200)
  const theirs = tally(result.second.statuses, 200)
  console.log(report(file, result))
  console.log(`  ${direct.perSecond.toFixed(0)} requests/s without a Worker in between`)
  console.log(
    `  ${ours.all} and ${theirs.all} requests; not 200: ${ours.others} and ${theirs.others}`,
  )
  if (ours.others + theirs.others > 0) process.exitCode = 1
}
process.exit()
