/**
 * `fast-check`, with the same cases for the same commit, so that `npm test` says of it the same everywhere. `FC_RUNS=10`
 * looks for others: ten times as many of each property, chosen anew. See `test/vitest.config.ts`.
 */
import fc, { type Parameters } from 'fast-check'

export * from 'fast-check'

declare const FC_RUNS: number

const SEED = FC_RUNS > 1 ? {} : { seed: 1 }

const chosen = <T>(parameters: Parameters<T> = {}): Parameters<T> => ({
  ...SEED,
  ...parameters,
  numRuns: Math.ceil((parameters.numRuns ?? 100) * FC_RUNS),
})

export const assert: typeof fc.assert = (property, parameters) =>
  fc.assert(property, chosen(parameters))
export const check: typeof fc.check = (property, parameters) =>
  fc.check(property, chosen(parameters))

export default { ...fc, assert, check }
