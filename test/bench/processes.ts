/**
 * Processes that a benchmark starts, with all their children: started, measured, killed.
 *
 * Promises: when this process ends, other than by SIGKILL, every one of them is killed and the scratch folder deleted. The
 * scratch folder is outside the repository. What a process prints goes to a file there, of which an error shows the end.
 * Never ends a process that it did not start. Processor time and memory are read from /proc, so on Linux only: elsewhere
 * they are `null`, and only the process itself is killed, not its children.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const scratch = mkdtempSync(path.join(tmpdir(), 'chatlio-edge-relay-bench-'))
const running = new Set<Child>()

process.on('exit', () => {
  for (const child of running) child.signal('SIGKILL')
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(130))
}

export type Usage = { readonly cpuMs: number; readonly rssMiB: number }

export type Started = {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Where its output goes, in the scratch folder; it is appended to. */
  readonly log: string
  /** Leaves out its standard output: a Worker writes a line for each event. */
  readonly quiet?: boolean
}

export class Child {
  readonly process: ChildProcess
  readonly ended: Promise<void>
  readonly #log: string

  constructor({ command, args, cwd, env, log, quiet = false }: Started) {
    mkdirSync(path.dirname(log), { recursive: true })
    const output = openSync(log, 'a')
    const options: SpawnOptions = {
      stdio: ['ignore', quiet ? 'ignore' : output, output],
      env: { ...process.env, ...env },
      ...(cwd !== undefined && { cwd }),
    }
    this.#log = log
    this.process = spawn(command, args, options)
    running.add(this)
    this.ended = new Promise<void>((resolve) => {
      this.process.once('exit', () => resolve())
      this.process.once('error', () => resolve())
    })
    closeSync(output)
    void this.ended.then(() => running.delete(this))
  }

  get hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.process
    return pid === undefined || exitCode !== null || signalCode !== null
  }

  /** To it and to all its children, at once. */
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    for (const pid of this.#family()) {
      try {
        process.kill(pid, signal)
      } catch {
        // It has ended by itself.
      }
    }
  }

  /** The end of what it has printed. */
  output(): string {
    return readFileSync(this.#log, 'utf8').slice(-2_000)
  }

  usage(): Usage | null {
    return usageOf(this.#family())
  }

  /** Of the process alone and the threads that it has now, to the nanosecond where `usage` counts hundredths of a second. */
  threadsCpuMs(): number | null {
    const folder = `/proc/${this.process.pid}/task`
    try {
      const threads = readdirSync(folder)
      const times = threads.map((id) => readFileSync(`${folder}/${id}/schedstat`, 'utf8'))
      return times.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e6
    } catch {
      return null
    }
  }

  #family(): number[] {
    const { pid } = this.process
    return pid === undefined || this.hasEnded ? [] : familyOf(pid)
  }
}

/** Processor time and memory of several, together; `null` where one cannot be read. */
export function usageOfAll(children: readonly Child[]): Usage | null {
  let [cpuMs, rssMiB] = [0, 0]
  for (const child of children) {
    const usage = child.usage()
    if (!usage) return null
    cpuMs += usage.cpuMs
    rssMiB += usage.rssMiB
  }
  return { cpuMs, rssMiB }
}

/** Clock ticks per second in /proc: 100 on every Linux that Node supports. */
const MS_PER_TICK = 10

type Stat = { readonly parent: number; readonly cpuMs: number; readonly rssMiB: number }

function statOf(pid: number): Stat | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the command in brackets, may contain blanks: count from behind it, where the third field stands.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // utime, stime, and those of children that have ended and been waited for.
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0)
    const rssMiB = (Number(fields[21]) * 4_096) / 2 ** 20
    return { parent: Number(fields[1]), cpuMs: ticks * MS_PER_TICK, rssMiB }
  } catch {
    return null
  }
}

/** A process and all below it, itself first. */
function familyOf(root: number): number[] {
  let names: string[]
  try {
    names = readdirSync('/proc')
  } catch {
    return [root]
  }
  const children = new Map<number, number[]>()
  for (const pid of names.map(Number).filter((each) => each > 0)) {
    const parent = statOf(pid)?.parent
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const family = [root]
  for (const pid of family) family.push(...(children.get(pid) ?? []))
  return family
}

function usageOf(pids: readonly number[]): Usage | null {
  const stats = pids.map(statOf).filter((stat) => stat !== null)
  if (stats.length === 0) return null
  return {
    cpuMs: stats.reduce((sum, each) => sum + each.cpuMs, 0),
    rssMiB: stats.reduce((sum, each) => sum + each.rssMiB, 0),
  }
}

/**
 * A port on 127.0.0.1 on which nothing listens now. Below those that systems give to whoever asks for any (from 32,768 on
 * Linux, from 49,152 elsewhere), so that no connection takes it before what it is for listens on it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_768)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Asks again until it is true; throws with what `failed` says when it takes too long. */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  withinMs: number,
  failed: () => string,
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(failed())
    await sleep(20)
  }
}
