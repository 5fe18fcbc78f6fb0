/**
 * Start: a local Adobe and the Worker, tried with one sample of each kind. Prints what came of them, then stays up for
 * more until Ctrl-C ends everything. With `--demo` it walks through an outage instead, and ends.
 * Promises: nothing that it starts outlives it; nothing of it listens anywhere but on 127.0.0.1.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type LocalAdobeServer, startLocalAdobe } from '../../local-adobe/server.ts'
import { type LocalWorker, startWorker } from '../lib/local-worker.ts'
import { runCommand } from '../lib/run.ts'
import { paint } from '../lib/style.ts'
import { INTERRUPTED } from '../lib/terminal.ts'
import { messageOf } from '../lib/text.ts'
import { LOCAL_ADMIN_TOKEN, LOCAL_KEY } from '../send/options.ts'
import { DEMO_VARIABLES, runDemo } from './demo.ts'
import { readableLine } from './log-lines.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { guide, profileNote, samplesTable } from './report.ts'
import { type Posted, postSample, SAMPLES } from './samples.ts'

const FLOW_ID = 'local-flow'

/** Far more than the demo's longest wait between two attempts. */
const DEMO_RECOVERY_MS = 60_000

/** Resolves with the exit code. */
export function main(args: readonly string[]): Promise<number> {
  return runCommand(() => readOptions(args), USAGE, start)
}

async function start(options: Options): Promise<number> {
  const quit = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => quit.abort())
  }
  const started: (() => Promise<void>)[] = []
  try {
    const { failed, worker } = await run(options, started, quit.signal)
    if (options.once || options.demo) return failed ? 1 : 0
    await Promise.race([worker.ended, once(quit.signal, 'abort')])
    if (quit.signal.aborted) return 0
    console.error('The Worker has ended by itself.')
    return 1
  } catch (error) {
    if (quit.signal.aborted) return INTERRUPTED
    console.error(messageOf(error))
    return 1
  } finally {
    for (const stop of started.reverse()) await stop()
  }
}

type Outcome = { readonly failed: boolean; readonly worker: LocalWorker }

/** Each thing that it starts goes into `started` at once, as the way to stop it. */
async function run(
  options: Options,
  started: (() => Promise<void>)[],
  quit: AbortSignal,
): Promise<Outcome> {
  await requireFreePort(options.port, '--port')
  await requireFreePort(options.aepPort, '--aep-port')
  const { format, demo } = options
  const aep = await startLocalAdobe({ port: options.aepPort, mode: format, flowId: FLOW_ID })
  started.push(() => aep.close())
  quit.throwIfAborted()
  console.log(`Starting the Worker (${format})…`)
  const worker = startWorker(options.port, {
    ...variables(aep, format),
    ...(demo && DEMO_VARIABLES),
  })
  started.push(() => worker.stop())
  const url = await worker.ready(quit)
  const urls = { worker: url, aep: aep.url, key: LOCAL_KEY }
  if (demo) {
    const print = (text: string) => console.log(text)
    const recoveryMs = DEMO_RECOVERY_MS
    const world = { ...urls, adminToken: LOCAL_ADMIN_TOKEN, fetch, print, quit, recoveryMs }
    return { failed: !(await runDemo(world)), worker }
  }
  const posted: Posted[] = []
  for (const sample of SAMPLES) {
    posted.push(await postSample(sample, url, LOCAL_KEY, aep.adobe, quit))
  }
  const profile = aep.adobe.profile()
  console.log(`\n${samplesTable(posted, profile)}\n\n${profileNote(posted, profile)}\n`)
  const lost = posted.filter(({ received }) => received.length === 0)
  if (lost.length > 0) {
    const paths = lost.map(({ sample }) => sample.path).join('\n  ')
    console.error(`${paint('red', 'AEP does not have:')}\n  ${paths}\n`)
  }
  if (!options.once) {
    const adminToken = (await hasAdmin(url)) ? LOCAL_ADMIN_TOKEN : null
    console.log(`${guide({ ...urls, adminToken })}\n`)
    worker.follow(printWorkerLine)
  }
  return { failed: lost.length > 0, worker }
}

/** Every variable that says where AEP is or opens it, so that nothing in `wrangler.toml` leads out of this machine. */
function variables({ url, adobe }: LocalAdobeServer, format: Options['format']) {
  const { inletId, orgId, datasetId, schemaId, tenant } = adobe.settings
  return {
    AEP_ENDPOINT: `${url}/collection/${inletId}`,
    AEP_FORMAT: format,
    AEP_FLOW_ID: FLOW_ID,
    AEP_IMS_URL: url,
    AEP_CLIENT_ID: '',
    AEP_CLIENT_SECRET: '',
    WEBHOOK_KEYS: LOCAL_KEY,
    ADMIN_TOKEN: LOCAL_ADMIN_TOKEN,
    ...(format === 'xdm' && {
      AEP_ORG_ID: orgId,
      AEP_DATASET_ID: datasetId,
      AEP_SCHEMA_ID: schemaId,
      AEP_TENANT: tenant,
      AEP_VISITOR_NAMESPACE: 'ChatlioVisitor',
      AEP_SCHEMA_EXTRAS: 'chat,contact',
    }),
  }
}

/** Two programs must not share a port, and what wrangler says about it is easy to miss. */
function requireFreePort(port: number, flag: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${error.code})`
      reject(new Error(`Port ${port} ${why}.\nChoose another one: npm start -- ${flag} N`))
    })
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()))
  })
}

async function hasAdmin(workerUrl: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${LOCAL_ADMIN_TOKEN}` }
  return (await fetch(`${workerUrl}/admin/status`, { headers })).ok
}

function printWorkerLine(line: string): void {
  const readable = readableLine(line, new Date())
  if (readable !== null) console.log(readable)
}
