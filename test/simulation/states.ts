/** Rare states that runs must reach: a thousand runs that never reached one of them prove less than they seem to. */

import type { OperatorAction } from './plan.ts'
import type { World } from './world.ts'

/** How often each was reached. */
export type Reached = Map<string, number>

/** What only looks rare when several things are seen together. */
export class RareStates {
  readonly #world: World
  readonly #reports = new Set<string>()
  readonly #bisected = new Set<string>()
  #alarmIsLost = false
  #cronFoundNone = false
  /** What an operator has asked for, and has no answer to. */
  operating: OperatorAction | null = null

  constructor(world: World) {
    this.#world = world
  }

  /** An isolate calls the outbox. */
  called(method: string, args: readonly unknown[]): void {
    const { operating } = this
    if (method === 'exchange') this.#reported(args[1])
    if (method !== 'store' && method !== 'storeAndWait') return
    const { person } = this.#world.byId.get((args[0] as { id: string }).id) ?? {}
    if (operating?.name === 'redrive') this.#world.reach('a redrive racing an arrival')
    if (operating?.name === 'pause') this.#world.reach('a pause racing an arrival')
    if (operating?.name === 'erase' && operating.person === person) {
      this.#world.reach('an erasure racing an arrival of its person')
    }
  }

  #reported(report: unknown): void {
    if (report === null || typeof report !== 'object') return
    const { isolate, sequence } = report as { isolate: string; sequence: number }
    const key = `${isolate} ${sequence}`
    if (this.#reports.has(key)) this.#world.reach('a report sent twice')
    this.#reports.add(key)
  }

  /** Records of one request. Those of a batch that was refused as a whole come again in halves. */
  batch(ids: readonly string[], isRefused: boolean): void {
    const isHalf = ids.some((id) => this.#bisected.has(id))
    if (isHalf) this.#world.reach('a half of a batch')
    if (isHalf && this.#world.oracle.aboutAep.hold) this.#world.reach('a bisect inside a hold')
    for (const id of ids) {
      if (isRefused && ids.length > 1) this.#bisected.add(id)
      else this.#bisected.delete(id)
    }
  }

  alarmLost(): void {
    if (this.#world.object.storage.alarm === null) return
    this.#world.reach('alarm lost')
    this.#alarmIsLost = true
  }

  cronBegins(): void {
    this.#cronFoundNone = this.#alarmIsLost && this.#world.object.storage.alarm === null
  }

  cronEnds(): void {
    const { storage } = this.#world.object
    if (this.#cronFoundNone && storage.alarm !== null) {
      this.#world.reach('an alarm lost and found by the cron trigger')
    }
    this.#alarmIsLost = false
  }
}

const MUST_REACH: readonly string[] = [
  'AEP does not let its counts be read',
  'a batch refused only together',
  'a bisect inside a hold',
  'a dead event',
  'a dead event taken back',
  'a deploy',
  'a failed batch that must be named',
  'a half of a batch',
  'a hold lifted',
  'a part of a split event',
  'a pause racing an arrival',
  'a person erased',
  'a receipt called failed',
  'a record refused after it was accepted',
  'a redrive racing an arrival',
  'a report sent twice',
  'a run that broke',
  'a split event erased half-way',
  'a suppression ended',
  'a webhook of a suppressed person',
  'a webhook that comes again',
  'a webhook to an isolate of before a deploy',
  'a webhook under a key that was taken out',
  'alarm lost',
  'alert hold resolved',
  'alert incomplete firing',
  'alert lost firing',
  'alert not-landed firing',
  'alert not-landed resolved',
  'alert queue-age firing',
  'alert refused firing',
  'alert rejected firing',
  'alert storage firing',
  'alert storage resolved',
  'an alarm lost and found by the cron trigger',
  'an answer that could not be noted',
  'an erasure racing an arrival of its person',
  'an event beside a kind that is refused',
  'an event deleted',
  'an event erased with its person',
  'an event found',
  'an event sent twice',
  'an hour compared with that of AEP',
  'an isolate ended with work under way',
  'clock of isolate jumps ahead',
  'clock of isolate jumps back',
  'clock of object jumps ahead',
  'clock of object jumps back',
  'commits lost with the object',
  'dead events redriven',
  'hold configuration',
  'hold credentials',
  'hold paused',
  'hold rejecting',
  'object evicted',
  'object killed inside a hold',
  'object killed under way',
  'object reset under way',
  'outage failing',
  'outage recovered',
  'refusals taken back',
  'rpc lost-back',
  'rpc lost-there',
  'rpc overloaded',
  'rpc silent',
  'rpc twice',
  'runtime ends a request',
]

/** An hour of AEP is settled four hours after it, and the hours around it must have been free of other faults. */
const MUST_REACH_IN_LONG_RUNS = ['records that AEP lost']
const LONG_HOURS = 9

export function neverReached(reached: Reached, hours: number): string[] {
  const long = hours >= LONG_HOURS ? MUST_REACH_IN_LONG_RUNS : []
  return [...MUST_REACH, ...long].filter((state) => !reached.has(state))
}
