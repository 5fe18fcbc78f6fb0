/**
 * Worker: the relay in a process of its own, which can be killed and restarted on the same storage.
 *
 * Promises: `kill` sends SIGKILL without notice and resolves when the process is gone; only the files of its outbox
 * objects survive. The process ends with this one in any case. Every line it prints goes to the log, after the number of
 * its life.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { Said } from './bounds.ts'

const START_TIMEOUT_MS = 60_000

export class Worker {
  readonly #binary: string
  readonly #config: string
  readonly #logFile: string
  readonly #log: WriteStream
  readonly #seen: ((line: string) => void) | null
  #child: ChildProcess | null = null
  #url = Promise.withResolvers<string>()
  #isUp = false
  #lives = 0
  #kills = 0
  readonly #endedAt = new Map<number, number>()
  /** When it was started, each time, in epoch milliseconds. */
  readonly starts: number[] = []
  /** Rejects when the process ends by itself or does not start. */
  readonly failed = Promise.withResolvers<never>()

  /** `seen`: gets every line that it prints, in place of the log. */
  constructor(
    binary: string,
    config: string,
    logFile: string,
    seen: ((line: string) => void) | null = null,
  ) {
    this.#binary = binary
    this.#config = config
    this.#logFile = logFile
    this.#log = createWriteStream(logFile)
    this.#seen = seen
    this.failed.promise.catch(() => undefined)
    process.on('exit', () => this.#child?.kill('SIGKILL'))
  }

  /** Number of starts, the number of the current life: two moments with the same number saw the same process. */
  get lives(): number {
    return this.#lives
  }

  /** Of the process; `null` while it is down. */
  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  get kills(): number {
    return this.#kills
  }

  /** When that life ended, in epoch milliseconds; `Infinity` while it runs. */
  endOf(life: number): number {
    return this.#endedAt.get(life) ?? Infinity
  }

  /** Where it listens; while it is down, resolves once it is up again. */
  url(): Promise<string> {
    return Promise.race([this.#url.promise, this.failed.promise])
  }

  start(): void {
    this.#lives += 1
    this.starts.push(Date.now())
    const life = this.#lives
    // The system chooses the port; workerd reports it on descriptor 3 as soon as it listens.
    const child = spawn(this.#binary, ['serve', '--control-fd=3', this.#config], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) {
        createInterface({ input: stream }).on(
          'line',
          this.#seen ?? ((line) => this.#write(life, line)),
        )
      }
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
    // `close`: the process is gone and everything it printed has been read.
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

  /** Lines it has printed so far, in all its lives. */
  async lines(matches: (line: string) => boolean): Promise<string[]> {
    const lines = (await readFile(this.#logFile, 'utf8')).split('\n')
    return lines.filter((line) => line !== '' && matches(line))
  }

  /** Those of them that are JSON, and when each was printed. */
  async said(): Promise<Said[]> {
    const lines = await this.lines((line) => line.endsWith('}') && line.includes(' {"'))
    return lines.flatMap((line) => {
      const [, printedAt = '', json = ''] = /^#\d+ (\S+) (\{.*\})$/.exec(line) ?? []
      return json === '' ? [] : [{ at: Date.parse(printedAt), line: JSON.parse(json) }]
    })
  }

  #write(life: number, line: string): void {
    this.#log.write(`#${life} ${new Date().toISOString()} ${line}\n`)
  }

  #fail(how: string): void {
    this.failed.reject(new Error(`The Worker's process ${how} (life ${this.#lives}).`))
  }
}
