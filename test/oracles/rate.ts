/** Rate: how often an AEP that fails is asked. Pure; the drill and the simulation judge by it. */

export type Request = { readonly at: number; readonly failed: boolean }

/** Requests in the `windowMs` up to `now`; `null` unless every one in the `failingMs` up to `now` failed. */
export function askedInVain(
  requests: readonly Request[],
  now: number,
  { windowMs, failingMs }: { windowMs: number; failingMs: number },
): number | null {
  let count = 0
  const latest = requests.findLastIndex(({ at }) => at <= now)
  for (let index = latest; index >= 0; index -= 1) {
    const request = requests[index]
    if (!request || request.at < now - failingMs) break
    if (!request.failed) return null
    if (request.at >= now - windowMs) count += 1
  }
  return count
}
