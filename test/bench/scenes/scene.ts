/** What the scenes share. */
import type { Contender } from '../contenders.ts'
import type { Measured } from '../rounds.ts'
import type { Section } from '../section.ts'

/** How long, how often. */
export type Conditions = {
  readonly rounds: number
  readonly roundMs: number
  readonly warmUpMs: number
  /** At a fixed rate. */
  readonly steadyMs: number
  /** Events that wait when AEP returns. */
  readonly backlog: number
}

export type SceneRun = (
  contenders: readonly Contender[],
  conditions: Conditions,
) => Promise<Section>

type Tried = Pick<Measured, 'contender' | 'failed'>

/** A row for each, whether it could be measured to the end or not. */
export function rowsOf<Each extends Tried>(
  all: readonly Each[],
  cells: (each: Each) => string[],
): string[][] {
  return all.map((each) => {
    const { contender, failed } = each
    return [contender.title, ...(failed === null ? cells(each) : [`missing: ${inOneLine(failed)}`])]
  })
}

/** What the relay must not do, and did; that it could not be measured is one such thing. */
export function faultsOf<Each extends Tried>(
  all: readonly Each[],
  found: (each: Each) => string[],
): string[] {
  return all
    .filter(({ contender }) => contender.isOurs === true)
    .flatMap((each) => {
      const faults = each.failed === null ? found(each) : [each.failed]
      return faults.map((text) => `${each.contender.id}: ${text}`)
    })
}

/** The beginning of an error's text, fit for a table. */
export function inOneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '/').slice(0, 200)
}

/** Those that are known. */
export function figuresOf(
  figures: Readonly<Record<string, number | null | undefined>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures).flatMap(([name, value]) =>
      typeof value === 'number' ? [[name, Number(value.toPrecision(3))] as const] : [],
    ),
  )
}
