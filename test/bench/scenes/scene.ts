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

export const isOurs = ({ contender }: { readonly contender: Contender }) =>
  contender.isOurs === true

/** A line for each that could not be measured to the end. */
export function failures(all: readonly Pick<Measured, 'contender' | 'failed'>[]): string[] {
  return all.flatMap(({ contender, failed }) =>
    failed === null ? [] : [`${contender.title} is missing: ${inOneLine(failed)}`],
  )
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
