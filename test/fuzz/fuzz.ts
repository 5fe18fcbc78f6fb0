/**
 * Fuzz: `npm run fuzz`. Sends requests from a seed to the Worker in the real workerd, over keep-alive connections, and holds
 * each to the contract: no 5xx, no fault and nothing of a request in the log, custody of each 2xx and of each webhook that is
 * refused with an id, and in AEP the texts and numbers that were sent. A failing request is shrunk, and saved on demand.
 * Exit code 0: every promise was kept; 1: one was not; 2: wrong options.
 */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runCommand } from '../../src/cli/lib/run.ts'
import { type Bundle, buildBundle } from '../drill/bundle.ts'
import { Random } from '../drill/random.ts'
import { Connection, type Sent } from './connection.ts'
import { foundFor, save } from './found.ts'
import { type Breach, Judge } from './judge.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import type { Failing } from './receiver.ts'
import { requestOf } from './requests.ts'
import { shrink } from './shrink.ts'
import { type Format, startTarget, type Target, VARIANTS, type Variant } from './target.ts'

const CONNECTIONS = 16
/** Requests after which everything is settled, counted and compared with the outbox. */
const WINDOW = 20_000
/** AEP fails for a moment, so often. */
const FAILS_EVERY = 4_000
const FAILINGS: readonly [Failing, ...Failing[]] = ['reset', 408, 429, 500, 503, 'silent']
const SETTLE_MS = 60_000
/** Where nothing is printed any more. */
const QUIET_MS = 100
/** An event that is stored and sent alone. */
const ALONE_MS = 1_500
const MOST_SHRUNK = 5
const MOST_BREACHES = 40
/** A log line belongs to one of the requests under way, or of those just before. */
const SUSPECTS = 2 * CONNECTIONS

type Failed = {
  readonly breach: Breach
  readonly sent: Sent | null
  readonly number: number | null
}

function main(args: readonly string[]): Promise<number> {
  return runCommand(() => readOptions(args), USAGE, fuzz)
}

async function fuzz(options: Options): Promise<number> {
  const directory = await mkdtemp(path.join(tmpdir(), 'chatlio-fuzz-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(130))
  }
  console.log(
    `Fuzz with seed ${options.seed}: ${options.only === null ? options.requests : 'one'} requests`,
  )
  const bundle = await buildBundle(directory)
  const settings = options.formats.flatMap((format) =>
    VARIANTS.map((variant) => [format, variant] as const),
  )
  const beganAt = Date.now()
  let failures = 0
  for (const [at, [format, variant]] of settings.entries()) {
    const share = Math.ceil(options.requests / settings.length)
    const first = options.only ?? options.first + at * share
    const count = options.only === null ? share : 1
    failures += await run(options, format, variant, bundle, directory, { first, count })
  }
  const seconds = ((Date.now() - beganAt) / 1_000).toFixed(0)
  console.log(
    `FUZZ ${failures === 0 ? 'PASSED' : 'FAILED'}: seed ${options.seed}, ${failures} breaches, ${seconds} s`,
  )
  return failures === 0 ? 0 : 1
}

async function run(
  options: Options,
  format: Format,
  variant: Variant,
  bundle: Bundle,
  directory: string,
  range: { first: number; count: number },
): Promise<number> {
  const target = await startTarget(format, variant, bundle, directory)
  try {
    const fuzz = new Fuzz(options, target)
    await Promise.race([fuzz.all(range.first, range.count), target.worker.failed.promise])
    return await fuzz.report()
  } finally {
    await target.stop()
  }
}

class Fuzz {
  readonly #options: Options
  readonly #target: Target
  readonly #judge: Judge
  readonly #failed: Failed[] = []
  readonly #latest: number[] = []
  readonly #random: Random
  #sent = 0
  #erased = 0
  #delivered = 0

  constructor(options: Options, target: Target) {
    this.#options = options
    this.#target = target
    this.#judge = new Judge(target)
    this.#random = new Random(options.seed, 'failures')
    this.#judge.onLate = (breach, { sent, number }) => this.#failed.push({ breach, sent, number })
  }

  async all(first: number, count: number): Promise<void> {
    for (const { name, sent } of foundFor(this.#target)) {
      const connection = new Connection(this.#target.port)
      for (const breach of await this.#alone(sent, connection)) {
        this.#failed.push({
          breach: { ...breach, text: `${name}: ${breach.text}` },
          sent: null,
          number: null,
        })
      }
      connection.close()
    }
    const beganAt = Date.now()
    for (let from = first; from < first + count; from += WINDOW) {
      await this.#window(from, Math.min(from + WINDOW, first + count))
      const { format, variant } = this.#target
      const perSecond = (this.#sent * 1_000) / (Date.now() - beganAt)
      console.log(
        `  ${format} ${variant}: ${this.#sent} requests, ${perSecond.toFixed(0)} a second, ${this.#judge.compared} compared with AEP, ${this.#failed.length} breaches`,
      )
      if (this.#failed.length >= MOST_BREACHES) return
    }
  }

  async #window(from: number, to: number): Promise<void> {
    const numbers = Array.from({ length: to - from }, (_, index) => from + index).values()
    const work = async () => {
      const connection = new Connection(this.#target.port)
      for (const number of numbers) {
        await this.#one(number, connection)
        if (this.#failed.length >= MOST_BREACHES) break
      }
      connection.close()
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, work))
    await this.#settle()
  }

  async #one(number: number, connection: Connection): Promise<void> {
    const { receiver } = this.#target
    this.#sent += 1
    if (this.#options.only === null && this.#sent % FAILS_EVERY === 0) {
      receiver.fail(
        ...Array.from({ length: this.#random.int(1, 12) }, () => this.#random.pick(FAILINGS)),
      )
    }
    const sent = requestOf(this.#options.seed, number)
    this.#latest.push(number)
    if (this.#latest.length > SUSPECTS) this.#latest.shift()
    for (const breach of await this.#judge.judge(sent, connection, number)) {
      this.#failed.push({ breach, sent, number })
    }
    for (const text of this.#target.logFaults()) await this.#suspect(text)
  }

  /** Which request a line of the log is of is tried out later. */
  async #suspect(text: string): Promise<void> {
    this.#failed.push({ breach: { check: 'log', text }, sent: null, number: null })
    this.#suspects.push(...this.#latest)
  }
  readonly #suspects: number[] = []

  /** Everything that was stored arrives; then the outbox holds what it must and nothing else. */
  async #settle(): Promise<void> {
    const { receiver, admin } = this.#target
    const judge = this.#judge
    receiver.recover()
    await this.#until(async () => judge.owed.size === 0 && (await admin.status()).pending === 0)
    const breach = (
      check: Breach['check'],
      text: string,
      number: number | null = null,
      sent: Sent | null = null,
    ) => this.#failed.push({ breach: { check, text }, sent, number })
    for (const [id, { sent, number }] of judge.owed) {
      breach(
        'custody',
        `was answered 202, and AEP does not have it: ${await admin.describe(id)}`,
        number,
        sent,
      )
    }
    judge.owed.clear()
    for (const stranger of receiver.strangers.splice(0)) breach('stranger', stranger)
    for (const id of receiver.ids()) {
      if (judge.stored.has(id)) receiver.forget(id)
      else breach('stranger', `${id} is in AEP, and no webhook was answered so`)
    }
    const status = await admin.status()
    const { accepted, delivered, pending, dead, quarantined, erased } = status
    const expected = {
      accepted: this.#delivered + judge.stored.size + this.#erased + judge.quarantined.size,
      delivered: this.#delivered + judge.stored.size,
      pending: 0,
      dead: 0,
      quarantined: judge.quarantined.size,
      erased: this.#erased,
    }
    const ledger = JSON.stringify({ accepted, delivered, pending, dead, quarantined, erased })
    if (ledger !== JSON.stringify(expected)) {
      breach('ledger', `is ${ledger} and must be ${JSON.stringify(expected)}`)
    }
    const listed = new Set(
      await admin.exported('quarantined').catch((error: Error) => {
        breach('answer', `what is in quarantine cannot be exported: ${error.message}`)
        return admin.ids('quarantined')
      }),
    )
    for (const id of judge.quarantined) {
      if (!listed.has(id))
        breach('custody', `${id} was refused with an id, and is not in quarantine`)
    }
    for (const id of listed) {
      if (!judge.quarantined.has(id))
        breach('stranger', `${id} is in quarantine, and no webhook was answered so`)
    }
    if (listed.size > 0) await admin.operate('/delete', { state: 'quarantined' })
    this.#erased += listed.size
    this.#delivered += judge.stored.size
    judge.stored.clear()
    judge.quarantined.clear()
    await delay(QUIET_MS)
    for (const text of this.#target.logFaults()) await this.#suspect(text)
  }

  async #until(holds: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + SETTLE_MS; Date.now() < deadline; await delay(QUIET_MS)) {
      if (await holds()) return
    }
  }

  /** Resolves to the number of breaches. */
  async report(): Promise<number> {
    const { format, variant } = this.#target
    const counts = Object.entries(this.#judge.statuses).sort(([, a], [, b]) => b - a)
    console.log(`    ${counts.map(([name, count]) => `${name} ${count}`).join(', ')}`)
    await this.#attribute()
    const kinds = new Set<string>()
    for (const { breach, sent, number } of this.#failed) {
      const kind = kindOf(breach)
      if (kinds.has(kind)) continue
      kinds.add(kind)
      console.log(`  BREACH ${breach.check}: ${breach.text}`)
      if (sent === null || kinds.size > MOST_SHRUNK) continue
      if (number !== null) {
        console.log(
          `    again: npm run fuzz -- --seed ${this.#options.seed} --only ${number} --format ${format}`,
        )
      }
      const smallest = await this.#shrunk(sent, breach)
      if (!smallest) {
        console.log(`    alone it is answered well (${variant})`)
        continue
      }
      console.log(indented(smallest))
      if (this.#options.save !== null) {
        console.log(`    saved: ${save(this.#options.save, this.#target, smallest, breach)}`)
      }
    }
    const more = this.#failed.length - kinds.size
    if (more > 0) console.log(`  and ${more} more of these kinds`)
    return this.#failed.length
  }

  /** Sends each suspect alone, to find the one whose line it is. */
  async #attribute(): Promise<void> {
    const connection = new Connection(this.#target.port)
    for (const number of new Set(this.#suspects.slice(0, 10 * SUSPECTS))) {
      const sent = requestOf(this.#options.seed, number)
      const found = (await this.#alone(sent, connection)).find(({ check }) => check === 'log')
      if (!found) continue
      this.#failed.unshift({ breach: found, sent, number })
      break
    }
    connection.close()
  }

  /** While nothing else is under way. */
  async #alone(sent: Sent, connection: Connection): Promise<Breach[]> {
    const late: Breach[] = []
    this.#judge.anew()
    const { onLate } = this.#judge
    this.#judge.onLate = (breach) => late.push(breach)
    const breaches = await this.#judge.judge(sent, connection, -1)
    if (this.#judge.owed.size > 0) {
      const deadline = Date.now() + ALONE_MS
      while (this.#judge.owed.size > 0 && Date.now() < deadline) await delay(20)
      if (this.#judge.owed.size > 0)
        breaches.push({ check: 'custody', text: 'was answered 202, and AEP does not have it' })
      this.#judge.owed.clear()
    }
    await delay(5)
    this.#judge.onLate = onLate
    const printed = this.#target.logFaults().map((text): Breach => ({ check: 'log', text }))
    return [...breaches, ...late, ...printed]
  }

  /** `null`: alone it does not fail. */
  async #shrunk(sent: Sent, breach: Breach): Promise<Sent | null> {
    const connection = new Connection(this.#target.port)
    const fails = async (candidate: Sent) =>
      (await this.#alone(candidate, connection)).some((each) => each.check === breach.check)
    const smallest = (await fails(sent)) ? await shrink(sent, fails) : null
    connection.close()
    return smallest
  }
}

/** Breaches of one kind are shown once. */
const kindOf = ({ check, text }: Breach) =>
  `${check} ${text.replace(/[0-9a-f]{8,}|\d+/g, 'N').slice(0, 60)}`

function indented({ method, target, headers, body, chunks }: Sent): string {
  const lines = [`${method} ${target}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
  if (chunks) lines.push('(in chunks)')
  const isText = Buffer.from(body.toString()).equals(body)
  lines.push(
    isText ? JSON.stringify(body.toString().slice(0, 2_000)) : body.toString('hex', 0, 2_000),
  )
  return lines.map((line) => `    | ${line}`).join('\n')
}

process.exit(await main(process.argv.slice(2)))
