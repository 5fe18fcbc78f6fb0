/**
 * Several systems measured in turns, so that whatever else the machine does hits all of them alike.
 *
 * Promises: each system has its own stand-in for AEP; only the one whose turn it is runs, the others stand still; the order
 * turns round with every round. One that cannot be started, or fails in a round, is left out from there on and named; the
 * rest goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Aep } from './aep.ts'
import type { Contender } from './contenders.ts'
import type { System } from './system.ts'

/** What one round has measured, by name; `null`: could not be. */
export type Round = Readonly<Record<string, number | null>>

export type Measured = {
  readonly contender: Contender
  /** In order; a round that failed is empty. */
  readonly rounds: Round[]
  /** Why it was left out. */
  failed: string | null
}

export type Turn = { readonly system: System; readonly aep: Aep; readonly round: number }

/** What was due while it stood still is done by then, and counts as its own. */
const THAW_MS = 250

export async function inTurns(
  contenders: readonly Contender[],
  name: string,
  rounds: number,
  prepare: (turn: Turn) => Promise<void>,
  measure: (turn: Turn) => Promise<Round>,
): Promise<Measured[]> {
  const all = contenders.map((contender) => ({
    measured: { contender, rounds: [], failed: null } as Measured,
    system: null as System | null,
    aep: null as Aep | null,
  }))
  const attempt = async (each: (typeof all)[number], work: () => Promise<void>) => {
    if (each.measured.failed !== null) return
    try {
      await work()
    } catch (thrown) {
      each.measured.failed = thrown instanceof Error ? thrown.message : String(thrown)
      await each.system?.kill()
    }
  }
  for (const each of all) {
    await attempt(each, async () => {
      const aep = await Aep.start()
      each.aep = aep
      const system = await each.measured.contender.start(
        aep,
        `${name}-${each.measured.contender.id}`,
      )
      each.system = system
      await prepare({ system, aep, round: -1 })
      system.freeze()
    })
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const each of round % 2 === 0 ? all : all.toReversed()) {
      await attempt(each, async () => {
        const { system, aep, measured } = each
        if (!system || !aep) return
        const before = system.usage()
        system.thaw()
        await sleep(THAW_MS)
        const figures = await measure({ system, aep, round })
        const after = system.usage()
        system.freeze()
        const cpuMs = before && after ? after.cpuMs - before.cpuMs : null
        measured.rounds[round] = { ...figures, cpuMs, rssMiB: after?.rssMiB ?? null }
      })
    }
  }
  for (const { system, aep } of all) {
    await system?.kill()
    aep?.stop()
  }
  return all.map(({ measured }) => measured)
}

/** One figure of each round. */
export function figures(
  { rounds }: Measured,
  of: (round: Round) => number | null | undefined,
): (number | null)[] {
  return Array.from(rounds, (round) => (round ? (of(round) ?? null) : null))
}

/** One figure divided by another. */
export function per(round: Round, figure: string, by: string): number | null {
  const [value, divisor] = [round[figure], round[by]]
  return typeof value === 'number' && typeof divisor === 'number' && divisor > 0
    ? value / divisor
    : null
}
