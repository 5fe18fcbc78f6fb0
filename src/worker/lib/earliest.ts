/** The earliest of some moments, in epoch milliseconds; `null` means unknown, and is left out. */
export function earliest(moments: readonly (number | null)[]): number | null {
  const known = moments.filter((moment) => moment !== null)
  return known.length === 0 ? null : Math.min(...known)
}
