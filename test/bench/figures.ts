/** Figures: medians, quartiles and ratios of rounds. Pure. */

/** What rounds of one measurement come to. */
type Spread = {
  readonly median: number
  readonly lower: number
  readonly upper: number
  readonly rounds: number
}

/** The value below which `share` of all lie, between two neighbours in proportion; `NaN` of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** `null`: there is nothing to say, since no round gave a number. */
export function spread(values: readonly (number | null)[]): Spread | null {
  const known = values.filter((value) => value !== null && Number.isFinite(value)) as number[]
  if (known.length === 0) return null
  const [lower, middle, upper] = [0.25, 0.5, 0.75].map((share) => quantile(known, share)) as [
    number,
    number,
    number,
  ]
  return { median: middle, lower, upper, rounds: known.length }
}

/**
 * Theirs divided by ours, round by round: what disturbs the machine for a while disturbs both sides of a ratio. Rounds that
 * one of them lacks do not count.
 */
export function ratios(
  theirs: readonly (number | null)[],
  ours: readonly (number | null)[],
): Spread | null {
  return spread(
    theirs.map((value, round) => {
      const own = ours[round] ?? null
      return value === null || own === null || own === 0 ? null : value / own
    }),
  )
}

/** `1.31 [1.27–1.35]`: the median and its quartiles. */
export function asRatio(figure: Spread | null): string {
  if (!figure) return '–'
  const { median: middle, lower, upper } = figure
  return `${middle.toFixed(2)} [${lower.toFixed(2)}–${upper.toFixed(2)}]`
}

/** Three significant digits, and no digit after the point from a hundred on. */
export function asNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(digits).replace(/\B(?=(\d{3})+$)/, ',')
}
