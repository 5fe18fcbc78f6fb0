/**
 * Delivers one event: encodes it for the destination and sends it, once.
 * Never throws, never retries: what the verdict means is for the caller.
 */
import type { ChatEvent } from '../chatlio/event.ts'
import type { Destination } from '../config.ts'
import { encodeRaw } from './raw.ts'
import { type Fetch, send } from './send.ts'
import type { Verdict } from './verdict.ts'

export type DeliverDeps = { fetch: Fetch; now: () => number }

export async function deliver(
  event: ChatEvent,
  destination: Destination,
  signal: AbortSignal,
  deps: DeliverDeps,
): Promise<Verdict> {
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (destination.flowId !== null) headers['x-adobe-flow-id'] = destination.flowId
  const body = JSON.stringify(encodeRaw(event))
  return send({ url: destination.url, headers, body }, signal, deps)
}
