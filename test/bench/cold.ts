/**
 * The cold start: what a fresh isolate costs before its first webhook, and what that webhook costs.
 *
 * Measures processor time of a whole `workerd` that has just been started, once it listens, and then of one webhook, of a
 * second, and of the hundredth to the hundred-and-ninetieth, on the production bundle: the first pays for compiling what it
 * runs, for building the services of an isolate, and for its exchange with the outbox, which is a fresh one, too.
 * Beside it the bare pass-through. Each process is used once; the sides take turns; the result is the median.
 * Fairness: the upstream answers at once, in this process. `--runs N` (15); further bundles by `--bundle NAME=PATH`.
 * Not measured: loading a Worker on Cloudflare, which keeps compiled code; the network.
 *
 * Prints a line a side: start-up, first, second, and a later webhook, in milliseconds of processor time.
 * Exit code 1 when an answer is not 200, else 0.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from './compare.ts'
import { loadCount, post, type Target } from './load.ts'
import { accepting, startUpstream } from './upstream.ts'
import { bundleRelay, type Script, startWorkerd } from './workerd.ts'

const KEY = 'bench-webhook-key-of-some-length'
const LATER = 90

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '15' },
    bundle: { type: 'string', multiple: true, default: [] },
  },
})

const upstream = await startUpstream(accepting)
const text = readFileSync(new URL('../fixtures/conversation.json', import.meta.url), 'utf8')
const relay = (name: string, module: string): Script => ({
  name,
  module,
  variables: { AEP_ENDPOINT: upstream.endpoint, AEP_FLOW_ID: 'bench-flow', WEBHOOK_KEYS: KEY },
  object: { binding: 'OUTBOX', className: 'Outbox' },
})
const sides: Script[] = [
  {
    name: 'pass-through',
    module: fileURLToPath(new URL('workers/pass-through.js', import.meta.url)),
    variables: { UPSTREAM: upstream.endpoint },
  },
  relay('relay', bundleRelay()),
  ...values.bundle.map((each) => relay(...(each.split('=', 2) as [string, string]))),
]

type Costs = { startUp: number[]; first: number[]; second: number[]; later: number[] }
const costs = new Map<string, Costs>(
  sides.map(({ name }) => [name, { startUp: [], first: [], second: [], later: [] }]),
)
for (let run = 0; run < Number(values.runs); run += 1) {
  for (const side of run % 2 === 0 ? sides : sides.toReversed()) await measure(side)
}
for (const [name, { startUp, first, second, later }] of costs) {
  const ms = (all: number[]) => `${median(all).toFixed(2)} ms`
  console.log(
    `${name}: start-up ${ms(startUp)}, first webhook ${ms(first)}, second ${ms(second)}, ` +
      `after a hundred ${ms(later)} of processor time (median of ${startUp.length})`,
  )
}
process.exit()

async function measure(script: Script): Promise<void> {
  const worker = await startWorkerd(script)
  const target: Target = {
    port: worker.port,
    path: `/chatlio/new-conversation?key=${KEY}`,
    body: () => text,
  }
  const spent = async (work: () => Promise<unknown>) => {
    const before = worker.cpuMs() ?? Number.NaN
    await work()
    await settled()
    return (worker.cpuMs() ?? Number.NaN) - before
  }
  const one = async () => {
    if ((await post(target, false)) !== 200) process.exitCode = 1
  }
  await settled()
  const { startUp, first, second, later } = costs.get(script.name) as Costs
  startUp.push(worker.cpuMs() ?? Number.NaN)
  first.push(await spent(one))
  second.push(await spent(one))
  await loadCount(target, 1, 100)
  later.push((await spent(() => loadCount(target, 1, LATER))) / LATER)
  await worker.stop()
}

/** What a request leaves behind belongs to it: a report, a sync, a collection of garbage. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 150))
}
