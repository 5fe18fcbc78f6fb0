/**
 * Relays one event inside the request that brought it.
 * Promises: one request to AEP, within `FORWARD_TIMEOUT_MS` in all.
 */
import { encodeRaw } from './aep/raw.ts'
import { type Fetch, send } from './aep/send.ts'
import type { ChatEvent } from './chatlio/event.ts'
import type { Config } from './config.ts'
import type { Custody } from './ingest.ts'

export async function forward(
  event: ChatEvent,
  config: Config,
  deps: { fetch: Fetch; now: () => number },
): Promise<Custody> {
  const { destination } = config
  if (destination?.format !== 'raw') {
    return { outcome: 'unavailable', upstreamStatus: null, code: 'configuration' }
  }
  const attempt = {
    url: destination.url,
    headers: { 'content-type': 'application/json', 'x-adobe-flow-id': destination.flowId },
    body: JSON.stringify(encodeRaw(event)),
  }
  const verdict = await send(attempt, AbortSignal.timeout(config.forwardTimeoutMs), deps)
  return verdict.verdict === 'accepted'
    ? { outcome: 'forwarded', upstreamStatus: verdict.status }
    : { outcome: 'unavailable', upstreamStatus: verdict.error.status, code: verdict.error.code }
}
