/**
 * What is measured: the relay in three settings, and what else one could put between Chatlio and AEP. Every opponent is set
 * up as its own documentation advises where an event must not get lost; `opponents/` and `workers/` have the configurations.
 *
 * A table: the scenes only read it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Aep, INLET } from './aep.ts'
import { DEBIAN, DEBIAN_LIBRARIES, OPPONENTS } from './install.ts'
import { freePort, scratch, until } from './processes.ts'
import { System } from './system.ts'
import { startWorkerd } from './workerd.ts'

const KEY = 'bench-webhook-key-of-some-length'
const TOKEN = 'bench-admin-token-of-some-length'

const SCENES = ['healthy', 'outage', 'silence', 'cold', 'profile', 'drain', 'loss'] as const
/** Of a system that stores, and is no Worker. */
const QUEUED: readonly Scene[] = ['healthy', 'outage', 'silence', 'drain', 'loss']
export type Scene = (typeof SCENES)[number]
/** What `--only` takes. */
export const PARTS = [...SCENES, 'cost'] as const
export type Part = (typeof PARTS)[number]

export type Contender = {
  readonly id: string
  readonly title: string
  /** How it is set up, and what to know of it. */
  readonly note: string
  readonly isOurs?: boolean
  /** What must be installed for it; `null`: nothing. */
  readonly needs: 'npm' | 'debian' | 'both' | null
  readonly scenes: readonly Scene[]
  /** `name`: of a folder of its own. `inspectorPort`: for a profile, of a Worker that takes part in it. */
  start(aep: Aep, name: string, inspectorPort?: number): Promise<System>
}

const PATH = `/chatlio/new-conversation?key=${KEY}`
const worker = (file: string) => fileURLToPath(new URL(`workers/${file}`, import.meta.url))
const opponent = (file: string) => path.join(OPPONENTS, file)

function relay(
  aep: Aep,
  name: string,
  more: Readonly<Record<string, string>> = {},
  inspectorPort?: number,
) {
  return startWorkerd({
    name,
    inspectorPort,
    path: PATH,
    object: { binding: 'OUTBOX', className: 'Outbox' },
    variables: {
      AEP_ENDPOINT: aep.endpoint,
      AEP_FLOW_ID: 'bench-flow',
      WEBHOOK_KEYS: KEY,
      ADMIN_TOKEN: TOKEN,
      ...more,
    },
  })
}

const XDM = {
  AEP_FORMAT: 'xdm',
  AEP_ORG_ID: 'LOCAL@AdobeOrg',
  AEP_DATASET_ID: 'bench-dataset',
  AEP_SCHEMA_ID: 'https://ns.adobe.com/benchtenant/schemas/chatlio',
  AEP_TENANT: 'benchtenant',
}

/** Node, with the opponents' packages beside the script. */
const node = (file: string, home: string, env: Readonly<Record<string, string>>) => ({
  command: process.execPath,
  args: [opponent(file)],
  env: { NODE_ENV: 'production', ...env },
  log: path.join(home, `${path.basename(file)}.log`),
})

/** The program of a Debian package, with the libraries that came with it. */
const debian = (program: string, args: string[], home: string) => ({
  command: path.join(DEBIAN, 'usr', program),
  args,
  cwd: home,
  env: { LD_LIBRARY_PATH: DEBIAN_LIBRARIES },
  log: path.join(home, `${path.basename(program)}.log`),
})

function homeOf(name: string): string {
  const home = path.join(scratch, name)
  mkdirSync(home, { recursive: true })
  return home
}

async function bullmq(aep: Aep, name: string, appendfsync: string): Promise<System> {
  const home = homeOf(name)
  const [port, redisPort] = [await freePort(), await freePort()]
  const env = { PORT: String(port), REDIS_PORT: String(redisPort), UPSTREAM: aep.endpoint }
  const redis = [opponent('redis.conf'), '--port', String(redisPort), '--dir', home]
  return System.start({
    port,
    path: '/webhook',
    async start(system) {
      system.run(debian('bin/redis-server', [...redis, '--appendfsync', appendfsync], home))
      await system.listening(redisPort)
      system.run(node('bullmq-server.js', home, env))
      system.run(node('bullmq-worker.js', home, env))
    },
  })
}

async function restate(aep: Aep, name: string): Promise<System> {
  const home = homeOf(name)
  const [port, admin, fabric, service] = (await Promise.all([1, 2, 3, 4].map(freePort))) as [
    number,
    number,
    number,
    number,
  ]
  const require = createRequire(opponent('package.json'))
  const server = require.resolve(
    `@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
  )
  let isRegistered = false
  const deployments = `http://127.0.0.1:${admin}/deployments`
  return System.start({
    port,
    path: '/relay/forward/send',
    async start(system) {
      system.run(
        node('restate-service.js', home, { PORT: String(service), UPSTREAM: aep.endpoint }),
      )
      system.run({
        command: server,
        args: [
          '--config-file',
          opponent('restate.toml'),
          '--base-dir',
          path.join(home, 'data'),
          '--no-logo',
        ],
        env: {
          RESTATE_BIND_ADDRESS: `127.0.0.1:${fabric}`,
          RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${fabric}`,
          RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
          RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${port}`,
          DO_NOT_TRACK: '1',
        },
        log: path.join(home, 'restate-server.log'),
      })
      await system.listening(service)
      await system.listening(admin)
      // It remembers the service: registered again, it would have to be another version.
      if (isRegistered) return
      const body = JSON.stringify({ uri: `http://127.0.0.1:${service}` })
      const headers = { 'content-type': 'application/json' }
      const registered = async () =>
        (await fetch(deployments, { method: 'POST', headers, body }).catch(() => null))?.ok === true
      await until(registered, 60_000, () => 'the service could not be registered')
      isRegistered = true
    },
  })
}

async function nodeRed(aep: Aep, name: string): Promise<System> {
  const home = homeOf(name)
  const port = await freePort()
  const red = createRequire(opponent('package.json')).resolve('node-red/red.js')
  return System.start({
    port,
    path: '/webhook',
    start(system) {
      const env = { PORT: String(port), HOME_DIR: home, FLOWS: opponent('node-red-flows.json') }
      const started = node('node-red-settings.cjs', home, { ...env, UPSTREAM: aep.endpoint })
      system.run({ ...started, args: [red, '--settings', opponent('node-red-settings.cjs')] })
    },
  })
}

async function nginx(aep: Aep, name: string): Promise<System> {
  const home = homeOf(name)
  const port = await freePort()
  const values = { HOME: home, PORT: port, UPSTREAM: `127.0.0.1:${aep.port}`, INLET }
  let text = readFileSync(opponent('nginx.conf'), 'utf8')
  for (const [key, value] of Object.entries(values)) {
    text = text.replaceAll(`@${key}@`, String(value))
  }
  const config = path.join(home, 'nginx.conf')
  writeFileSync(config, text)
  return System.start({
    port,
    path: '/',
    start(system) {
      system.run(debian('sbin/nginx', ['-p', home, '-c', config], home))
    },
  })
}

async function queue(aep: Aep, name: string): Promise<System> {
  const home = homeOf(name)
  const port = await freePort()
  return System.start({
    port,
    path: '/',
    start(system) {
      const env = { PORT: String(port), UPSTREAM: aep.endpoint, SCRIPT: worker('queue.js') }
      system.run(node('queue.js', home, env))
    },
  })
}

/** The relay's settings; raw is the one that others are compared with. */
const OURS: readonly Contender[] = [
  {
    id: 'relay',
    title: '**this relay**, raw',
    note: 'the production bundle, all settings at their defaults',
    isOurs: true,
    needs: null,
    scenes: SCENES,
    start: (aep, name, inspectorPort) => relay(aep, name, {}, inspectorPort),
  },
  {
    id: 'relay-xdm',
    title: '**this relay**, xdm',
    note: '`AEP_FORMAT = "xdm"`: records are XDM, and leave the outbox in batches',
    isOurs: true,
    needs: null,
    scenes: ['healthy', 'profile', 'drain', 'loss'],
    start: (aep, name, inspectorPort) => relay(aep, name, XDM, inspectorPort),
  },
  {
    id: 'relay-store-first',
    title: '**this relay**, store-first',
    note: '`FORWARD_TIMEOUT_MS = "0"`: every event is stored before it is answered',
    isOurs: true,
    needs: null,
    scenes: ['loss'],
    start: (aep, name) => relay(aep, name, { FORWARD_TIMEOUT_MS: '0' }),
  },
]

export const CONTENDERS: readonly Contender[] = [
  ...OURS,
  {
    id: 'hand-written',
    title: 'a Worker by hand',
    note:
      'to the same contract in one file, redaction included; without receipts, counts, holds, quarantine, batches and ' +
      'operators (`workers/hand-written.js`)',
    needs: null,
    scenes: SCENES,
    start: (aep, name, inspectorPort) =>
      startWorkerd({
        name,
        inspectorPort,
        module: worker('hand-written.js'),
        path: PATH,
        object: { binding: 'PENDING', className: 'Pending' },
        variables: { UPSTREAM: aep.endpoint, FLOW_ID: 'bench-flow', WEBHOOK_KEYS: KEY },
      }),
  },
  {
    id: 'pass-through',
    title: 'a Worker that passes on',
    note: 'the least that a relay can do: one `fetch`, nothing stored (`workers/pass-through.js`)',
    needs: null,
    scenes: ['healthy', 'cold', 'loss'],
    start: (aep, name) =>
      startWorkerd({
        name,
        module: worker('pass-through.js'),
        path: '/',
        variables: { UPSTREAM: aep.endpoint },
      }),
  },
  {
    id: 'wait-until',
    title: 'a Worker that answers first',
    note: '202, then `waitUntil(fetch)`, as examples of webhook receivers do (`workers/wait-until.js`)',
    needs: null,
    scenes: ['healthy', 'loss'],
    start: (aep, name) =>
      startWorkerd({
        name,
        module: worker('wait-until.js'),
        path: '/',
        variables: { UPSTREAM: aep.endpoint },
      }),
  },
  {
    id: 'insert-only',
    title: 'a bare insert',
    note: 'the bytes become a row of a Durable Object, and stay there (`workers/insert-only.js`)',
    needs: null,
    scenes: ['outage'],
    start: (_aep, name) =>
      startWorkerd({
        name,
        module: worker('insert-only.js'),
        path: '/',
        object: { binding: 'ROWS', className: 'Rows' },
      }),
  },
  {
    id: 'queue',
    title: 'Cloudflare Queues',
    note:
      'producer and consumer as documented, on miniflare, which keeps the queue in memory where Cloudflare stores it: so it ' +
      'is in no table of what is stored (`workers/queue.js`)',
    needs: null,
    scenes: ['healthy'],
    start: queue,
  },
  {
    id: 'nginx',
    title: 'nginx',
    note: '`proxy_pass` with three tries; it stores nothing (`opponents/nginx.conf`)',
    needs: 'debian',
    scenes: ['healthy', 'loss'],
    start: nginx,
  },
  {
    id: 'node-red',
    title: 'Node-RED',
    note:
      'relays inside the request; what fails goes into its context store on disk, not cached, and is sent again each ' +
      'second (`opponents/node-red-flows.json`)',
    needs: 'npm',
    scenes: ['healthy', 'outage', 'silence', 'loss'],
    start: nodeRed,
  },
  {
    id: 'restate',
    title: 'Restate',
    note: 'a one-way call of a service whose request is a durable step (`opponents/restate-service.js`)',
    needs: 'npm',
    scenes: QUEUED,
    start: restate,
  },
  {
    id: 'bullmq-everysec',
    title: 'Express, BullMQ, Redis (everysec)',
    note: 'a job for each webhook, a worker with 48 under way, `appendfsync everysec` as its guide advises (`opponents/bullmq-*.js`)',
    needs: 'both',
    scenes: QUEUED,
    start: (aep, name) => bullmq(aep, name, 'everysec'),
  },
  {
    id: 'bullmq-always',
    title: 'Express, BullMQ, Redis (always)',
    note: 'the same with `appendfsync always`: on disk before it is answered, as the relay',
    needs: 'both',
    scenes: QUEUED,
    start: (aep, name) => bullmq(aep, name, 'always'),
  },
]
