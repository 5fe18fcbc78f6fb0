/** `fast-check`, trying each property `FC_RUNS` times as often as it asks for: see `test/vitest.config.ts`. */
import fc, { type Parameters } from 'fast-check'

export * from 'fast-check'

declare const FC_RUNS: number

const more = <T>(parameters: Parameters<T> = {}): Parameters<T> => ({
  ...parameters,
  numRuns: Math.ceil((parameters.numRuns ?? 100) * FC_RUNS),
})

export const assert: typeof fc.assert = (property, parameters) =>
  fc.assert(property, more(parameters))
export const check: typeof fc.check = (property, parameters) => fc.check(property, more(parameters))

export default { ...fc, assert, check }
