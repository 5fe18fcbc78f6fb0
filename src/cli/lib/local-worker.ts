/**
 * Worker: the relay under `wrangler dev`, as a child process.
 *
 * Promises: it listens on 127.0.0.1 only; keeps its state in a temporary directory and removes it at the end; reads
 * neither `.dev.vars` nor `.env`, which may hold the settings of a real AEP; leaves no process behind once `stop` has
 * resolved.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { ROOT } from './wrangler.ts'

export type LocalWorker = {
  /** Resolves with its URL once it takes requests; rejects with what it printed when it ends before that. */
  ready(quit: AbortSignal): Promise<string>
  /** Gives every line from now on to `print`; earlier lines are not repeated. */
  follow(print: (line: string) => void): void
  /** Resolves when it ends, for whatever reason. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 60_000
/** SIGKILL follows SIGTERM after this. */
const STOP_TIMEOUT_MS = 5_000

/**
 * Synchronous, so that there is never a moment at which it runs and cannot be stopped. Port 0: the system chooses one as
 * wrangler binds it, so nobody else can take it in between.
 */
export function startWorker(port: number, vars: Readonly<Record<string, string>>): LocalWorker {
  const directory = mkdtempSync(path.join(tmpdir(), 'chatlio-edge-relay-'))
  const noVars = path.join(directory, 'no.env')
  writeFileSync(noVars, '')
  // What the `wrangler` command itself runs. Without that command in between, this process can wait until wrangler
  // has ended its own children.
  const wrangler = createRequire(import.meta.url).resolve('wrangler')
  const child = spawn(
    process.execPath,
    [
      '--no-warnings',
      wrangler,
      'dev',
      ...['--local', '--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'],
      ...['--show-interactive-dev-session', 'false', '--log-level', 'log'],
      ...['--persist-to', path.join(directory, 'state'), '--env-file', noVars],
      ...Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}:${value}`]),
    ],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Its own process group: Ctrl-C then reaches this process alone, which ends the whole group, `workerd`
      // included.
      detached: true,
      env: {
        ...process.env,
        NO_COLOR: '1',
        FORCE_COLOR: '0',
        WRANGLER_HIDE_BANNER: 'true',
        WRANGLER_SEND_METRICS: 'false',
        WRANGLER_LOG_PATH: path.join(directory, 'logs'),
        WRANGLER_REGISTRY_PATH: path.join(directory, 'registry'),
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        CLOUDFLARE_INCLUDE_PROCESS_ENV: 'false',
      },
    },
  )
  const lines: string[] = []
  let print = (line: string): void => {
    lines.push(line)
  }
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => print(line))
  }
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => {
      lines.push(error.message)
      resolve()
    })
  })
  const listening = new Promise<string>((resolve) => {
    child.on('message', (message) => {
      const { event, ip, port } = JSON.parse(String(message))
      if (event === 'DEV_SERVER_READY') resolve(`http://${ip}:${port}`)
    })
  })
  return {
    ended,
    async ready(quit) {
      quit.throwIfAborted()
      const over = AbortSignal.any([quit, AbortSignal.timeout(START_TIMEOUT_MS)])
      const failed = Promise.race([ended, once(over, 'abort')]).then(() => {
        quit.throwIfAborted()
        const why = over.aborted ? `Not within ${START_TIMEOUT_MS / 1_000} seconds.` : 'It ended.'
        throw new Error(['The Worker did not start.', why, ...lines].join('\n'))
      })
      const url = await Promise.race([listening, failed])
      // Wrangler listens before the Worker runs, and keeps requests for it until then.
      await Promise.race([fetch(`${url}/health`), failed])
      return url
    },
    follow(to) {
      print = to
    },
    async stop() {
      child.kill('SIGTERM')
      const patience = new AbortController()
      const { signal } = patience
      const late = delay(STOP_TIMEOUT_MS, undefined, { signal }).catch(() => {})
      await Promise.race([ended, late])
      patience.abort()
      // Also when its leader is gone: others of the group may still run.
      signalGroup(child, 'SIGKILL')
      await ended
      await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    // Windows has no process groups; there wrangler ends its own children.
    if (process.platform === 'win32') child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    // The group is empty.
  }
}
