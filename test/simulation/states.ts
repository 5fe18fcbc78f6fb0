/** Rare states that runs must reach: a thousand runs that never reached one of them prove less than they seem to. */

/** How often each was reached. */
export type Reached = Map<string, number>
