/**
 * Workers on the real `workerd` binary, as child processes, for measuring.
 *
 * Promises: the relay is the production bundle, as `wrangler deploy` would upload it. Every process listens on 127.0.0.1
 * only, on a port that the system chooses, and keeps its storage on disk in a directory of its own. When this process
 * ends, other than by SIGKILL, its children are killed and its directory is deleted.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const START_TIMEOUT_MS = 20_000

const directory = mkdtempSync(path.join(tmpdir(), 'chatlio-edge-relay-bench-'))
const children = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

export type Script = {
  /** Names its directory, and appears in error messages. */
  readonly name: string
  /** Path of an ES module that imports only what workerd provides. */
  readonly module: string
  readonly variables?: Readonly<Record<string, string>>
  readonly object?: { readonly binding: string; readonly className: string }
}

export type Workerd = {
  readonly name: string
  readonly port: number
  /** CPU time of the process so far, in milliseconds; `null` except on Linux. */
  cpuMs(): number | null
  /** Lines of `console.warn` and `console.error` so far; those of `console.log` are discarded. */
  warnings(): string[]
  stop(): Promise<void>
}

/** Builds the relay and returns the path of its bundle. `readable`: not minified, so that a benchmark can change a constant. */
export function bundleRelay({ readable = false } = {}): string {
  const outdir = path.join(directory, readable ? 'readable' : 'bundle')
  const wrangler = createRequire(import.meta.url).resolve('wrangler')
  const built = spawnSync(
    process.execPath,
    ['--no-warnings', wrangler, 'deploy', '--dry-run', `--minify=${!readable}`, '--outdir', outdir],
    {
      cwd: ROOT,
      encoding: 'utf8',
      env: {
        ...process.env,
        NO_COLOR: '1',
        WRANGLER_SEND_METRICS: 'false',
        WRANGLER_LOG_PATH: path.join(directory, 'logs'),
      },
    },
  )
  if (built.status !== 0) throw new Error(`wrangler could not bundle:\n${built.stderr}`)
  return path.join(outdir, 'index.js')
}

export async function startWorkerd(script: Script): Promise<Workerd> {
  const home = path.join(directory, script.name)
  const objects = path.join(home, 'objects')
  mkdirSync(objects, { recursive: true })
  const config = path.join(home, 'config.capnp')
  // Paths of embedded files are relative to the configuration.
  writeFileSync(path.join(home, 'index.js'), readFileSync(script.module))
  writeFileSync(config, capnp(script, objects))
  const errors = path.join(home, 'stderr.log')
  const child = spawn(
    path.join(ROOT, 'node_modules/.bin/workerd'),
    ['serve', config, '--control-fd=3'],
    { stdio: ['ignore', 'ignore', openSync(errors, 'w'), 'pipe'] },
  )
  children.add(child)
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const port = await Promise.race([
    listening(child.stdio[3] as Readable),
    ended.then(() => {
      throw new Error(`workerd did not start ${script.name}:\n${readFileSync(errors, 'utf8')}`)
    }),
  ])
  return {
    name: script.name,
    port,
    cpuMs: () => cpuMs(child.pid),
    warnings: () => readFileSync(errors, 'utf8').split('\n').filter(Boolean),
    async stop() {
      child.kill('SIGKILL')
      await ended
      children.delete(child)
    },
  }
}

/** Resolves to the port, which workerd reports on its control pipe as a line of JSON. */
async function listening(control: Readable): Promise<number> {
  const timeout = AbortSignal.timeout(START_TIMEOUT_MS)
  for await (const line of createInterface({ input: control, signal: timeout })) {
    const report: { event?: string; port?: number } = JSON.parse(line)
    if (report.event === 'listen' && report.port) return report.port
  }
  throw new Error(`workerd did not listen within ${START_TIMEOUT_MS} ms`)
}

function capnp({ variables = {}, object }: Script, objects: string): string {
  const bindings = Object.entries(variables).map(
    ([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`,
  )
  if (object) {
    bindings.push(
      `(name = ${quoted(object.binding)}, durableObjectNamespace = ${quoted(object.className)})`,
    )
  }
  const storage = object
    ? `durableObjectNamespaces = [(className = ${quoted(object.className)}, uniqueKey = "bench", enableSql = true)],
  durableObjectStorage = (localDisk = "objects"),`
    : ''
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "internet", network = (allow = ["private"])),
    (name = "objects", disk = (path = ${quoted(objects)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);

const worker :Workerd.Worker = (
  modules = [(name = "index.js", esModule = embed "index.js")],
  compatibilityDate = ${quoted(compatibilityDate())},
  bindings = [${bindings.join(', ')}],
  ${storage}
);
`
}

function quoted(text: string): string {
  return JSON.stringify(text)
}

function compatibilityDate(): string {
  const settings = readFileSync(path.join(ROOT, 'wrangler.toml'), 'utf8')
  const date = /^compatibility_date = "(.+)"$/m.exec(settings)?.[1]
  if (!date) throw new Error('wrangler.toml has no compatibility_date')
  return date
}

/** To the nanosecond while a thread waits; the ticks of /proc/PID/stat are of ten milliseconds. */
function cpuMs(pid: number | undefined): number | null {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
      const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      return sum + Number(ns) / 1e6
    }, 0)
  } catch {
    return null
  }
}
