/**
 * Where the processor time goes: of a first webhook, of a healthy one, and of one that is stored.
 *
 * V8's sampling profiler, asked over workerd's inspector, says in which code the isolate's thread is, on the clock: JavaScript
 * and the runtime's functions that it calls, the disk's waits among them. The processor time of the whole process stands
 * beside it. The profiler itself costs time, so these are shares of one run, not figures to compare with other scenes.
 */
import { readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Aep } from '../aep.ts'
import type { Contender } from '../contenders.ts'
import { asNumber } from '../figures.ts'
import { freePort, scratch, until } from '../processes.ts'
import type { Section } from '../section.ts'
import type { System } from '../system.ts'
import { pressing } from '../webhooks.ts'
import { relayBundle } from '../workerd.ts'
import { startAgain } from './cold.ts'
import { type Conditions, faultsOf, inOneLine, type SceneRun } from './scene.ts'

const CONNECTIONS = 16
/** What a phase has put off is done by then, and belongs to it. */
const SETTLE_MS = 500

/** `count` of webhooks, or for as long as two rounds. */
type Phase = { readonly name: string; readonly count: number | null; readonly sampleUs: number }
/** In this order, in one process. */
const PHASES: readonly Phase[] = [
  { name: 'first webhook', count: 1, sampleUs: 100 },
  { name: 'healthy', count: null, sampleUs: 500 },
  { name: 'stored', count: null, sampleUs: 500 },
]

/** Microseconds an event. `processUs`: processor time of the process; `null` where it cannot be read. */
type Profiled = { readonly processUs: number | null; readonly rooms: ReadonlyMap<string, number> }
type Case = { readonly contender: Contender; phases: Profiled[]; failed: string | null }

export const profile: SceneRun = async (contenders, conditions) => {
  const cases = contenders.map((contender): Case => ({ contender, phases: [], failed: null }))
  for (const each of cases) {
    try {
      each.phases = await profiled(each.contender, conditions)
    } catch (thrown) {
      each.failed = thrown instanceof Error ? thrown.message : String(thrown)
    }
  }
  return sectionOf(cases)
}

async function profiled(contender: Contender, conditions: Conditions): Promise<Profiled[]> {
  const aep = await Aep.start()
  const inspectorPort = await freePort()
  let system: System | null = null
  let inspector: Inspector | null = null
  try {
    system = await contender.start(aep, `profile-${contender.id}`, inspectorPort)
    await startAgain(system)
    inspector = await Inspector.connect(inspectorPort)
    const roomAt = await roomsOfBundle(contender)
    const phases: Profiled[] = []
    for (const { name, count, sampleUs } of PHASES) {
      await inspector.call('Profiler.setSamplingInterval', { interval: sampleUs })
      if (count === null) await pressing(system, CONNECTIONS, { forMs: conditions.warmUpMs })
      if (name === 'stored') {
        aep.set('unavailable')
        await pressing(system, CONNECTIONS, { forMs: conditions.roundMs })
      }
      phases.push(await phase(system, inspector, roomAt, count, conditions))
    }
    return phases
  } finally {
    inspector?.close()
    await system?.kill()
    aep.stop()
  }
}

async function phase(
  system: System,
  inspector: Inspector,
  roomAt: (frame: Frame) => string,
  count: number | null,
  { roundMs }: Conditions,
): Promise<Profiled> {
  await sleep(SETTLE_MS)
  await inspector.call('Profiler.start')
  const before = system.threadsCpuMs()
  const { acknowledged } = await pressing(
    system,
    count ?? CONNECTIONS,
    count === null ? { forMs: 2 * roundMs } : { count },
  )
  await sleep(SETTLE_MS)
  const after = system.threadsCpuMs()
  const { profile: taken } = (await inspector.call('Profiler.stop')) as { profile: CpuProfile }
  const events = acknowledged.length
  if (events === 0) throw new Error('nothing was acknowledged')
  const rooms = [...roomsOf(taken, roomAt)].map(([room, us]) => [room, us / events] as const)
  const spent = before === null || after === null ? null : after - before
  return { processUs: spent === null ? null : (spent * 1_000) / events, rooms: new Map(rooms) }
}

export type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      readonly lineNumber: number
      readonly columnNumber: number
    }
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const COLLECTOR = 'garbage collection'
const OWN = 'its own code'

type Frame = CpuProfile['nodes'][number]['callFrame']

/** Microseconds by room. A built-in function belongs to the code that calls it; what is idle, or native, is left out. */
export function roomsOf(
  { nodes, samples, timeDeltas }: CpuProfile,
  roomAt: (frame: Frame) => string,
): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((to) => [to, id])))
  const roomOf = (id: number | undefined): string | null => {
    const frame = id === undefined ? undefined : byId.get(id)?.callFrame
    if (!frame || frame.functionName === '(program)' || frame.functionName === '(idle)') return null
    if (frame.functionName === '(garbage collector)') return COLLECTOR
    return frame.url === '' ? roomOf(parents.get(id as number)) : roomAt(frame)
  }
  const found = new Map<string, number>()
  for (const [at, id] of samples.entries()) {
    const room = roomOf(id)
    if (room !== null) found.set(room, (found.get(room) ?? 0) + (timeDeltas[at] ?? 0))
  }
  return found
}

/** Of a source: `src/worker/aep/record` of our own, the package for one of node_modules. */
export function roomOfSource(source: string): string {
  const [, name] = /node_modules\/(@[^/]+\/[^/]+|[^/]+)\//.exec(source) ?? []
  return name ?? /src\/.*(?=\/)/.exec(source)?.[0] ?? OWN
}

/** By the source map of the relay's bundle; a Worker in one file has none, and no rooms. */
async function roomsOfBundle(contender: Contender): Promise<(frame: Frame) => string> {
  if (!contender.isOurs) return () => OWN
  const { script } = await relayBundle()
  const map = new SourceMap(JSON.parse(readFileSync(`${path.join(scratch, script)}.map`, 'utf8')))
  return ({ lineNumber, columnNumber }) => {
    const entry = map.findEntry(lineNumber, columnNumber)
    return 'originalSource' in entry ? roomOfSource(entry.originalSource) : OWN
  }
}

type Answer = { result?: unknown; error?: unknown }

/** Workerd's inspector, in the Chrome DevTools Protocol. */
class Inspector {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #last = 0

  static async connect(port: number): Promise<Inspector> {
    let url = ''
    await until(
      async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/json`).catch(() => null)
        const [target] = answer?.ok
          ? ((await answer.json()) as { webSocketDebuggerUrl: string }[])
          : []
        url = target?.webSocketDebuggerUrl ?? ''
        return url !== ''
      },
      10_000,
      () => 'the inspector did not answer',
    )
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true })
      socket.addEventListener('error', () => reject(new Error('no inspector')), { once: true })
    })
    const inspector = new Inspector(socket)
    await inspector.call('Profiler.enable')
    return inspector
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      const message: Answer & { id?: number } = JSON.parse(String(data))
      if (message.id === undefined) return
      this.#waiting.get(message.id)?.(message)
      this.#waiting.delete(message.id)
    })
  }

  call(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#last += 1
    const id = this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) =>
        error === undefined ? resolve(result) : reject(new Error(JSON.stringify(error))),
      )
      this.#socket.send(JSON.stringify({ id, method, params }))
    })
  }

  close(): void {
    this.#socket.close()
  }
}

/** A room below this share of an event is among the others. */
const SHARE = 0.01

function sectionOf(cases: readonly Case[]): Section {
  const measured = cases.filter(({ failed }) => failed === null)
  return {
    scene: 'profile',
    title: 'Where the time goes',
    text: [
      'Microseconds an event on the isolate’s thread, the object’s included, by the room whose code runs there or has called what runs: on the ' +
        'clock, so waits for the disk count, and with the profiler on. Not comparable with the tables above; beside it, the processor time of ' +
        'the whole process in the same run. Stored: AEP answers 503.',
    ],
    tables: PHASES.map(({ name }, at) => {
      const of = (each: Case) => each.phases[at]?.rooms ?? new Map<string, number>()
      const total = (each: Case) => [...of(each).values()].reduce((sum, us) => sum + us, 0)
      const rooms = [...new Set(measured.flatMap((each) => [...of(each).keys()]))]
      const most = (room: string) =>
        Math.max(...measured.map((each) => (of(each).get(room) ?? 0) / total(each)))
      const shown = rooms.filter((room) => most(room) >= SHARE).sort((a, b) => most(b) - most(a))
      const rest = (each: Case) =>
        total(each) - shown.reduce((sum, room) => sum + (of(each).get(room) ?? 0), 0)
      const row = (title: string, figure: (each: Case) => number | null | undefined) => [
        title,
        ...measured.map((each) => asNumber(figure(each))),
      ]
      return {
        head: [`${name}, µs`, ...measured.map(({ contender }) => contender.title)],
        rows: [
          row('processor time of the process', (each) => each.phases[at]?.processUs),
          row('on the isolate’s thread', total),
          ...shown.map((room) =>
            row(room.includes('/') ? `\`${room}\`` : room, (each) => of(each).get(room)),
          ),
          row('others', rest),
        ],
      }
    }),
    charts: [],
    notes: cases.flatMap(({ contender, failed }) =>
      failed === null ? [] : [`${contender.title} is missing: ${inOneLine(failed)}`],
    ),
    figures: {},
    faults: faultsOf(cases, () => []),
  }
}
