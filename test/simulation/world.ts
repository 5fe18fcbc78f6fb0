/**
 * Runs a plan: the real Worker in isolates that come and go, the real outbox in its object, Adobe, operators, the cron
 * trigger, a monitor, all on one queue of events. The same plan gives the same history, byte for byte.
 */
import { createHash, type Hash } from 'node:crypto'
import worker from '../../src/worker/index.ts'
import { setRim } from '../../src/worker/lib/rim.ts'
import { Sender } from '../../src/worker/sender.ts'
import { servicesOf } from '../../src/worker/services.ts'
import { Random } from '../drill/random.ts'
import { type Asked, SimulatedAep } from './aep.ts'
import { environmentOf, KEYS, TOKEN } from './deployment.ts'
import { Clock, Machine } from './machine.ts'
import { ObjectHost } from './object.ts'
import { Oracle } from './oracle.ts'
import {
  type AepFault,
  endOf,
  type Fault,
  type LandedFault,
  type OperatorAction,
  type Plan,
  type Settings,
  type StorageTrouble,
  visitorOf,
  type Webhook,
} from './plan.ts'
import { Queue } from './queue.ts'
import { RareStates, type Reached } from './states.ts'

const MINUTE = 60_000
/** After a fault `/health` is asked once a minute for so long, and else every five. */
const WATCHED_MS = 30 * MINUTE
/** 2027-01-04, at night. */
export const START = 1_799_020_800_000

type Isolate = { machine: Machine; env: Env; settings: Settings }
/** `letsIn`: the key that it came with is one of those of the isolate. */
export type Answered = {
  webhook: Webhook
  status: number
  outcome: string
  letsIn: boolean
  by: string
}

export type Breach = { at: number; check: string; text: string }
type WorldOptions = { keep?: boolean; ends?: (breach: Breach) => boolean }
type RunResult = {
  breaches: Breach[]
  sha256: string
  mostProbes: number
  /** Rows written for a unit of work, and what an isolate held, at most. */
  mostRows: number
  mostHeld: number
  reached: Reached
  webhooks: number
  ms: number
  timeline: string[]
}

export class World {
  readonly plan: Plan
  readonly queue = new Queue(START)
  readonly aep: SimulatedAep
  readonly object: ObjectHost
  readonly oracle: Oracle
  readonly rare: RareStates
  readonly reached: Reached = new Map()
  readonly byId: ReadonlyMap<string, Webhook>
  readonly timeline: string[] = []
  readonly #history: Hash = createHash('sha256')
  readonly #random: Random
  #isolates: Isolate[] = []
  #old: Isolate[] = []
  #settings: Settings
  #deployment = 1
  #machines = 0
  #objectClock: Clock
  readonly #storageFaults: readonly StorageTrouble[]
  #keep: boolean
  readonly #ends: (breach: Breach) => boolean

  /** `ends`: a breach with which the run ends; none by default. */
  constructor(plan: Plan, { keep = false, ends = () => false }: WorldOptions = {}) {
    this.plan = plan
    this.#keep = keep
    this.#ends = ends
    this.#random = new Random(plan.seed, 'world')
    this.#settings = plan.settings
    this.#storageFaults = plan.faults.filter((fault) => fault.what === 'storage')
    this.byId = new Map(plan.webhooks.map((webhook) => [webhook.id, webhook]))
    const { queue } = this
    this.aep = new SimulatedAep({
      queue,
      seed: plan.seed,
      tokenSeconds: new Random(plan.seed, 'tokens').pick([86_399, 900, 90]),
      faults: plan.faults
        .filter((fault): fault is AepFault => fault.what === 'aep')
        .map((fault) => ({ ...fault, from: START + fault.from, to: START + fault.to })),
      poisonOf: (id) => {
        const { quality = 'good' } = this.byId.get(id) ?? {}
        return quality.startsWith('poison-') ? (quality.slice(7) as AepFault['answer']) : null
      },
      kindOf: (id) => this.byId.get(id)?.kind ?? '',
      asked: (asked) => this.#asked(asked),
      batch: (ids, isRefused) => this.rare.batch(ids, isRefused),
      twoContents: (id) => this.oracle.twoContents(id),
      landed: {
        faults: plan.faults
          .filter((fault): fault is LandedFault => fault.what === 'landed')
          .map((fault) => ({ ...fault, from: START + fault.from, to: START + fault.to })),
        failed: (batch) => this.oracle.landed.failed(batch),
      },
    })
    this.#objectClock = this.#newClock()
    this.object = new ObjectHost({
      queue,
      start: () => {
        const machine = this.#machine('object', this.#objectClock)
        return { machine, env: this.#env(machine, this.#settings) }
      },
      flushMs: () => {
        const slow = this.#storageFault('slow')
        return slow ? this.#random.int(200, 3_000) : this.#random.int(1, 15)
      },
      exports: (leave) => ({
        Sender: {
          post: (request: { headers: Headers }, timeoutMs: number) => {
            const copy = { ...request, headers: new Headers(request.headers) }
            return leave(() => this.#send(copy, timeoutMs))
          },
        },
      }),
      survivors: (pending) => this.#random.int(0, pending),
      happened: (what) => {
        this.note(`object ${what}`)
        if (what === 'alarm given up') this.reach(what)
      },
    })
    const fails = new Random(plan.seed, 'storage')
    this.object.storage.fault = () => {
      if (this.#storageFault('full')) return { kind: 'full' }
      const fault = this.#storageFault('fails')
      return fault ? { kind: 'fails', at: () => fails.chance(fault.share) } : null
    }
    this.oracle = new Oracle(this)
    this.rare = new RareStates(this)
  }

  get settings(): Settings {
    return this.#settings
  }

  /** When AEP last refused everything for the settings' sake. */
  get wrongAt(): number {
    this.#wrongUntil()
    return this.#wrongAt
  }
  #wrongAt = 0

  #wrongUntil(): void {
    if (this.#settings.flow.startsWith('wrong')) this.#wrongAt = this.now
  }

  /** When it all began. */
  get began(): number {
    return START
  }

  get deployment(): number {
    return this.#deployment
  }

  get now(): number {
    return this.queue.now
  }

  /** Faults that last at a moment, or did within `ms` before it. */
  faults(within = 0, at = this.now): Fault[] {
    const since = at - START
    return this.plan.faults.filter((fault) => {
      const from = 'from' in fault ? fault.from : fault.at
      return from <= since && since <= endOf(fault) + within
    })
  }

  /** A line of the history: what the hash is made of, and the timeline. */
  note(line: string): void {
    this.#history.update(`${this.now - START} ${line}\n`)
    if (this.#keep) this.timeline.push(`${clockOf(this.now - START)} ${line}`)
  }

  reach(state: string): void {
    this.reached.set(state, (this.reached.get(state) ?? 0) + 1)
  }

  /** Calm after the last fault: until all of it must be over. */
  get calmMs(): number {
    const asksToWait = this.plan.faults.some(
      (fault) => fault.what === 'aep' && fault.answer.endsWith('-wait'),
    )
    const jumped = this.plan.faults.some((fault) => fault.what === 'clock')
    return (asksToWait || jumped ? 75 : 20) * MINUTE
  }

  async run(): Promise<RunResult> {
    const { plan, queue } = this
    const restore = this.#listen()
    try {
      for (let each = 0; each < plan.isolates; each += 1) this.#isolates.push(this.#newIsolate())
      for (const webhook of plan.webhooks) {
        queue.at(START + webhook.at, () => this.#post(webhook))
        for (const at of webhook.again ?? []) {
          queue.at(START + at, () => {
            this.reach('a webhook that comes again')
            this.#post(webhook)
          })
        }
      }
      for (const fault of plan.faults) this.#plan(fault)
      const end = START + plan.ms + this.calmMs
      for (let at = START + 5 * MINUTE; at < end; at += 5 * MINUTE) {
        queue.at(at, () => this.#cron())
      }
      for (let at = START + 30_000; at < end; at += MINUTE) {
        const isQuiet = this.faults(WATCHED_MS, at).length === 0
        if (!isQuiet || at % (5 * MINUTE) < MINUTE) queue.at(at, () => this.#monitor())
      }
      const endTurn = () => this.#endTurn()
      await queue.runUntil(START + plan.ms, endTurn)
      // The calm: operators resume what they have paused, clocks are right.
      queue.after(0, () => void this.#operate({ name: 'resume' }))
      if (!this.#isOver) await queue.runUntil(end, endTurn)
      // What operators see then.
      queue.after(0, () => void this.oracle.figures.ask())
      if (!this.#isOver) await queue.runUntil(end + MINUTE, endTurn)
      if (!this.#isOver) this.oracle.atEnd()
    } finally {
      restore()
      this.object.storage.close()
    }
    return {
      breaches: this.oracle.breaches,
      mostProbes: this.oracle.aboutAep.mostProbes,
      mostRows: this.oracle.figures.mostRows,
      mostHeld: this.oracle.figures.mostHeld,
      sha256: this.#history.digest('hex'),
      reached: this.reached,
      webhooks: plan.webhooks.length,
      ms: this.now - START,
      timeline: this.timeline,
    }
  }

  #endTurn(): boolean {
    this.object.endTurn()
    this.oracle.atStep()
    return this.#isOver
  }

  get #isOver(): boolean {
    return this.oracle.breaches.some(this.#ends)
  }

  /** Log lines are part of the history, and of what an observer may look at. */
  #listen(): () => void {
    const levels = ['log', 'warn', 'error'] as const
    const before = levels.map((level) => console[level])
    for (const level of levels) {
      console[level] = (line: string) => {
        this.note(`${level} ${line}`)
        if (line.startsWith('{')) this.oracle.logged(JSON.parse(line))
      }
    }
    return () => {
      for (const [index, level] of levels.entries()) console[level] = before[index] as never
    }
  }

  #newClock(): Clock {
    const offset = this.#random.int(-300, 300)
    return new Clock(this.queue, offset, (this.#random.next() - 0.5) * 1e-4)
  }

  #machine(kind: string, clock: Clock): Machine {
    this.#machines += 1
    const name = `${kind}-${this.#machines}`
    return new Machine(name, clock, this.plan.seed, this.queue, (url, init, from) =>
      this.#fetch(url, init, from),
    )
  }

  #newIsolate(): Isolate {
    const machine = this.#machine('isolate', this.#newClock())
    return { machine, env: this.#env(machine, this.#settings), settings: this.#settings }
  }

  #env(machine: Machine, settings: Settings): Env {
    const env = environmentOf(settings, this.#deployment, () => this.#stub(machine))
    setRim(env, machine.rim)
    return env
  }

  #stub(from: Machine): object {
    return new Proxy(
      {},
      {
        // A stub is no promise.
        get: (_, method) =>
          method === 'then'
            ? undefined
            : (...args: unknown[]) => this.#call(from, String(method), args),
      },
    )
  }

  /** A call from an isolate to the object, with what can go wrong on the way. */
  #call(from: Machine, method: string, args: unknown[]): Promise<unknown> {
    const copy = structuredClone(args)
    this.rare.called(method, copy)
    const { queue } = this
    const random = this.#random
    const lost = () => Object.assign(new Error('Network connection lost.'), { retryable: true })
    const fault = this.#lasting('rpc')
    const how = fault?.what === 'rpc' && random.chance(fault.share) ? fault.how : null
    if (how) this.reach(`rpc ${how}`)
    return new Promise((resolve, reject) => {
      const back = (settle: () => void) =>
        queue.after(how === 'slow' ? random.int(1_000, 12_000) : random.int(1, 20), () => {
          if (from.alive) settle()
        })
      const arrive = (isRepeat: boolean) => {
        if (how === 'overloaded') {
          const thrown = Object.assign(new Error('Durable Object is overloaded.'), {
            overloaded: true,
          })
          back(() => reject(thrown))
          return
        }
        this.object.call(method, isRepeat ? structuredClone(copy) : copy).then(
          (result) => back(() => (how === 'lost-back' ? reject(lost()) : resolve(result))),
          (thrown) => back(() => reject(thrown)),
        )
      }
      const there = random.int(1, 20)
      if (how === 'lost-there') back(() => reject(lost()))
      else if (how === 'silent') {
        if (random.chance(0.5))
          queue.after(there, () => void this.object.call(method, copy).catch(() => undefined))
      } else {
        queue.after(there, () => arrive(false))
        if (how === 'twice') queue.after(there + random.int(1, 3_000), () => arrive(true))
      }
    })
  }

  /** An invocation of `Sender` on a machine of its own. */
  #send(request: object, timeoutMs: number): Promise<unknown> {
    const machine = this.#machine('sender', this.#newClock())
    const env = this.#env(machine, this.#settings)
    const fault = this.#lasting('sender')
    if (fault?.what === 'sender' && this.#random.chance(fault.share)) {
      this.reach('runtime ends a request')
      return Promise.reject(new Error('Too many subrequests.'))
    }
    return new Sender({} as never, env as never).post(request as never, timeoutMs)
  }

  #fetch(url: string, init: RequestInit, from: Machine): Promise<Response> {
    if (url.startsWith('https://alerts.example/')) {
      return new Promise((resolve) => {
        this.queue.after(50, () => {
          if (url.endsWith('/hook')) this.oracle.alerted(String(init.body))
          resolve(new Response('ok', { status: 200, headers: { 'content-length': '2' } }))
        })
      })
    }
    return this.aep.fetch(url, init, from)
  }

  #asked(asked: Asked): void {
    this.note(`aep ${asked.by} ${asked.id.slice(0, 8)}${asked.id.slice(64)} ${asked.answer}`)
    this.oracle.asked(asked)
  }

  /** Chatlio posts. */
  #post(webhook: Webhook): void {
    const isolate = this.#pickIsolate()
    const { serial, kind, body } = webhook
    const all = [...this.#isolates, ...this.#old]
    const knowsBoth = all.every(({ settings }) => settings.keys.length > 1)
    const key = knowsBoth ? serial % 2 : 0
    const letsIn = isolate.settings.keys.includes(key)
    if (this.#old.includes(isolate)) this.reach('a webhook to an isolate of before a deploy')
    void this.#request(isolate, `/chatlio/${kind}?key=${KEYS[key]}`, 'POST', body).then(
      (answer) => {
        const { status, json } = answer
        const outcome = String(json.status ?? json.code)
        this.note(`webhook ${serial} ${kind} ${webhook.quality} -> ${status} ${outcome}`)
        this.oracle.answered({ webhook, status, outcome, letsIn, by: isolate.machine.name })
      },
    )
    this.oracle.posted(webhook)
  }

  async #request(
    { env, machine }: Isolate,
    path: string,
    method: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; json: Record<string, unknown> }> {
    const request = new Request(`https://relay.example${path}`, {
      method,
      headers: {
        ...headers,
        'content-type': 'application/json',
        ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
      },
      ...(body !== undefined && { body }),
    })
    const ctx = {
      waitUntil: (work: Promise<unknown>) => {
        machine.held += 1
        work
          .catch(() => undefined)
          .finally(() => {
            machine.held -= 1
          })
      },
      passThroughOnException: () => undefined,
      props: {},
    }
    const response = await worker.fetch(request as never, env, ctx as never)
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json')
    if (!machine.alive) return new Promise(() => undefined)
    return { status: response.status, json: isJson ? JSON.parse(text) : {} }
  }

  #pickIsolate(): Isolate {
    const all = [...this.#isolates, ...this.#old]
    return all[this.#random.int(0, all.length - 1)] as Isolate
  }

  #cron(): void {
    const { env, machine } = this.#isolates[0] as Isolate
    const began = this.now
    this.rare.cronBegins()
    const done = () => {
      if (!machine.alive) return
      this.rare.cronEnds()
      this.oracle.cronEnded(began)
    }
    void worker.scheduled({} as never, env).then(done, () => undefined)
  }

  #monitor(): void {
    const isolate = this.#pickIsolate()
    this.oracle.monitored(isolate.machine.held + isolate.machine.timersSet)
    void this.#request(isolate, '/health', 'GET').then(({ status, json }) => {
      const reasons = (json.reasons ?? []) as string[]
      this.note(`health ${status} ${reasons.join(' ')}`)
      this.oracle.health(status, reasons)
    })
  }

  async admin(path: string, body: unknown, method = 'POST') {
    const isolate = this.#isolates[0] as Isolate
    const text = body === null ? undefined : JSON.stringify(body)
    const headers = { authorization: `Bearer ${TOKEN}` }
    const pending = this.#request(isolate, `/admin${path}`, method, text, headers)
    return pending
  }

  #lasting(what: 'rpc' | 'sender'): Fault | undefined {
    const since = this.now - START
    return this.plan.faults.find(
      (fault) => fault.what === what && fault.from <= since && since < fault.to,
    )
  }

  #storageFault(how: string): StorageTrouble | undefined {
    const since = this.now - START
    return this.#storageFaults.find(
      (fault) => fault.how === how && fault.from <= since && since < fault.to,
    )
  }

  #plan(fault: Fault): void {
    const { queue } = this
    const at = START + ('from' in fault ? fault.from : fault.at)
    queue.at(at, () => {
      this.note(`fault ${JSON.stringify(fault)}`)
      this.#begin(fault)
    })
    if ('to' in fault) {
      queue.at(START + fault.to, () => {
        this.note(`over ${fault.what}`)
      })
    }
  }

  #begin(fault: Fault): void {
    const { object } = this
    switch (fault.what) {
      case 'aep':
      case 'rpc':
      case 'sender':
      case 'storage':
      case 'landed':
      case 'chatlio':
        return
      case 'object':
        if (fault.how === 'evicted' && !object.isIdle) return
        if (object.isRunning) this.reach(`object ${fault.how}`)
        if (!object.isIdle) this.reach(`object ${fault.how} under way`)
        if (object.storage.pending > 0) this.reach('commits lost with the object')
        if (this.oracle.aboutAep.hold) this.reach(`object ${fault.how} inside a hold`)
        object.end(fault.how)
        return
      case 'isolate': {
        const [first] = this.#isolates.splice(this.#random.int(0, this.#isolates.length - 1), 1)
        if (first && first.machine.held > 0) this.reach('an isolate ended with work under way')
        if (first) first.machine.alive = false
        this.#isolates.push(this.#newIsolate())
        this.oracle.isolateEnded()
        return
      }
      case 'alarm-lost':
        if (object.isIdle) {
          this.rare.alarmLost()
          object.storage.loseAlarm()
          object.rearm()
        }
        return
      case 'clock': {
        this.reach(`clock of ${fault.of} jumps ${fault.ms > 0 ? 'ahead' : 'back'}`)
        const clock =
          fault.of === 'object' ? this.#objectClock : (this.#isolates[0] as Isolate).machine.clock
        clock.jump(fault.ms)
        if (fault.of === 'object') object.rearm()
        this.queue.after(fault.forMs, () => {
          clock.correct()
          this.note('clock is right again')
          if (fault.of === 'object') object.rearm()
        })
        return
      }
      case 'deploy':
        this.#deploy(fault.settings)
        return
      case 'operator':
        void this.#operate(fault.does)
    }
  }

  /** The object and new isolates run the new version at once; old isolates go on for a while. */
  #deploy(settings: Settings): void {
    this.#wrongUntil()
    this.#deployment += 1
    this.#settings = settings
    this.oracle.deployed()
    const old = this.#isolates
    this.#old.push(...old)
    this.#isolates = old.map(() => this.#newIsolate())
    this.object.end('reset')
    this.queue.after(this.#random.int(1_000, 60_000), () => {
      this.#old = this.#old.filter((each) => !old.includes(each))
    })
  }

  async #operate(does: OperatorAction): Promise<void> {
    this.rare.operating = does
    await this.#act(does)
    this.rare.operating = null
  }

  async #act(does: OperatorAction): Promise<void> {
    const { oracle } = this
    switch (does.name) {
      case 'pause':
      case 'resume':
        oracle.aboutAep.pausing()
        oracle.operated(does.name, await this.admin(`/${does.name}`, {}))
        return
      case 'redrive':
        oracle.redriving(does.state)
        oracle.operated('redrive', await this.admin('/redrive', { state: does.state }))
        return
      case 'erase': {
        const visitor = visitorOf(does.person)
        oracle.erasing(does.person, does.days)
        const answer = await this.admin('/erase', { visitor, suppressDays: does.days })
        oracle.erased(does.person, does.days, answer)
        return
      }
      case 'end-suppression': {
        const person = oracle.suppressedPerson()
        if (person === null) return
        const visitor = visitorOf(person)
        oracle.unsuppressing(person)
        await this.admin('/suppressions', { visitor }, 'DELETE')
        return
      }
      default: {
        const state = does.name === 'delete-dead' ? 'dead' : 'pending'
        const order = does.name === 'delete-newest' ? '&order=newest' : ''
        const path = `/events?state=${state}&limit=1${order}`
        const { status, json } = await this.admin(path, null, 'GET')
        const [first] = (json.events ?? []) as { id: string }[]
        if (status !== 200 || !first) return
        oracle.deleting(first.id)
        oracle.deleted(first.id, await this.admin(`/events/${first.id}`, null, 'DELETE'))
      }
    }
  }

  /** What the first isolate thinks of itself. */
  get services() {
    return servicesOf((this.#isolates[0] as Isolate).env)
  }
}

function clockOf(ms: number): string {
  const text = new Date(Math.max(0, ms)).toISOString()
  const days = Math.floor(ms / 86_400_000)
  return `${days > 0 ? `${days}d ` : ''}${text.slice(11, 23)}`
}
