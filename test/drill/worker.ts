/**
 * Worker: the relay in a process of its own, which can be killed and started again on the same storage.
 *
 * Promises: `kill` is SIGKILL, no notice given, and resolves when the process is gone; nothing of it survives but
 * the files of its outbox objects. Ends with this process, whatever happens. Every line it prints goes to the log,
 * behind the number of its life.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

const START_TIMEOUT_MS = 20_000

export class Worker {
  readonly #binary: string
  readonly #config: string
  readonly #logFile: string
  readonly #log: WriteStream
  #child: ChildProcess | null = null
  #url = Promise.withResolvers<string>()
  #isUp = false
  #lives = 0
  #kills = 0
  readonly #endedAt = new Map<number, number>()
  /** Rejects when the process ends without having been told to, or does not start. */
  readonly failed = Promise.withResolvers<never>()

  constructor(binary: string, config: string, logFile: string) {
    this.#binary = binary
    this.#config = config
    this.#logFile = logFile
    this.#log = createWriteStream(logFile)
    this.failed.promise.catch(() => undefined)
    process.on('exit', () => this.#child?.kill('SIGKILL'))
  }

  /** How often it was started: tells whether two moments saw the same process. */
  get lives(): number {
    return this.#lives
  }

  get kills(): number {
    return this.#kills
  }

  /** When that life ended; `Infinity`: not yet. */
  endOf(life: number): number {
    return this.#endedAt.get(life) ?? Infinity
  }

  /** Where it takes requests; while it is down, once it is up again. */
  url(): Promise<string> {
    return Promise.race([this.#url.promise, this.failed.promise])
  }

  start(): void {
    this.#lives += 1
    const life = this.#lives
    // The port is the system's choice, told on a descriptor of its own as soon as it listens.
    const child = spawn(this.#binary, ['serve', '--control-fd=3', this.#config], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#write(life, line))
    }
    createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
      const { event, port }: { event?: string; port?: number } = JSON.parse(line)
      if (event !== 'listen' || this.#child !== child) return
      this.#isUp = true
      this.#url.resolve(`http://127.0.0.1:${port}`)
    })
    const late = setTimeout(() => {
      if (this.#child === child && !this.#isUp) this.#fail('did not start')
    }, START_TIMEOUT_MS)
    child.once('error', (error) => this.#fail(error.message))
    child.once('close', (code, signal) => {
      clearTimeout(late)
      if (this.#child !== child) return
      this.#child = null
      this.#fail(`ended by itself (${signal ?? code})`)
    })
  }

  async kill(): Promise<void> {
    this.#kills += 1
    await this.#end()
  }

  async #end(): Promise<void> {
    const child = this.#child
    if (!child) return
    this.#child = null
    if (this.#isUp) this.#url = Promise.withResolvers<string>()
    this.#isUp = false
    this.#endedAt.set(this.#lives, Date.now())
    // `close`: gone, and everything that it had printed is in the log.
    const gone = once(child, 'close')
    child.kill('SIGKILL')
    await gone
    this.#write(this.#lives, 'killed')
  }

  async close(): Promise<void> {
    await this.#end()
    this.#log.end()
    await once(this.#log, 'close')
  }

  /** What it has printed so far, in all its lives. */
  async lines(matches: (line: string) => boolean): Promise<string[]> {
    const lines = (await readFile(this.#logFile, 'utf8')).split('\n')
    return lines.filter((line) => line !== '' && matches(line))
  }

  #write(life: number, line: string): void {
    this.#log.write(`#${life} ${new Date().toISOString()} ${line}\n`)
  }

  #fail(how: string): void {
    this.failed.reject(new Error(`The Worker's process ${how} (life ${this.#lives}).`))
  }
}
