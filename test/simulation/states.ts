/** Rare states that runs must reach: a thousand runs that never reached one of them prove less than they seem to. */

/** How often each was reached. */
export type Reached = Map<string, number>

const MUST_REACH: readonly string[] = [
  'a dead event',
  'a deploy',
  'a hold lifted',
  'a part of a split event',
  'a person erased',
  'a run that broke',
  'a split event erased half-way',
  'a webhook of a suppressed person',
  'alarm lost',
  'an answer that could not be noted',
  'an event deleted',
  'an event erased with its person',
  'an event sent twice',
  'commits lost with the object',
  'dead events redriven',
  'hold configuration',
  'hold credentials',
  'hold paused',
  'hold rejecting',
  'object evicted',
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

export function neverReached(reached: Reached): string[] {
  return MUST_REACH.filter((state) => !reached.has(state))
}
