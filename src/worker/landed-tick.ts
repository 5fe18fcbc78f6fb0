/**
 * Reads, at a run of the cron trigger, what AEP counts of what it has acknowledged, and gives it to the outbox, which decides
 * when it is time again.
 *
 * Promises: never throws, and is over after `LANDED_TIMEOUT_MS`, whatever Adobe does. It never affects an event:
 * the credential is its own and may only read, and a refusal is a sentence on the page and no hold. What was read before the
 * time was over is kept, and the next run goes on from there.
 */
import { requestToken } from './aep/client/ims.ts'
import type { Fetch } from './aep/client/post.ts'
import { type LandedCursor, type LandedFlow, readLanded } from './aep/landed.ts'
import { type PlatformProblem, platformGet } from './aep/platform-get.ts'
import type { Config } from './config/config.ts'
import type { ReadAccess } from './config/destination.ts'
import { signalAfter, type Timers, within } from './lib/timeout.ts'
import { LANDED_REQUEST_MS, LANDED_ROWS, LANDED_TIMEOUT_MS, STORE_TIMEOUT_MS } from './limits.ts'
import { logLine, nameOf } from './log.ts'
import type { OutboxStub } from './outbox/outbox.ts'
import type { LandedRead } from './outbox/records/landed.ts'

type LandedTick = {
  config: Pick<Config, 'readAccess'>
  outbox: () => OutboxStub
  fetch: Fetch
  now: () => number
  timers: Timers
}

type Access = Extract<ReadAccess, { available: true }>

export async function readWhatLanded(tick: LandedTick): Promise<void> {
  const { config, outbox, timers } = tick
  const access = config.readAccess
  if (!access.available) return
  const flow = { datasetId: access.datasetId, flowId: access.flowId }
  try {
    const cursor = await within(STORE_TIMEOUT_MS, outbox().beginLanded(), timers)
    if (cursor === null) return
    const landed = await within(LANDED_TIMEOUT_MS, read(access, flow, cursor, tick), timers).catch(
      // Only when its own deadlines have failed it.
      () => unread(flow, { what: 'runs', reason: 'failed', status: null }),
    )
    if (landed.problem) logLine('warn', { event: 'landed-unread', ...landed.problem })
    await within(STORE_TIMEOUT_MS, outbox().takeLanded(landed), timers)
  } catch (thrown) {
    const name = nameOf(thrown)
    logLine('error', { event: 'landed-failed', name })
  }
}

async function read(
  access: Access,
  flow: LandedFlow,
  cursor: LandedCursor,
  { fetch, now, timers }: LandedTick,
): Promise<LandedRead> {
  const began = now()
  const { credentials, platformUrl, orgId, sandbox } = access
  const tokenFor = () => requestToken(credentials, { fetch, now, timers })
  const first = await tokenFor()
  if ('failed' in first) {
    const { failed } = first
    const reason = failed.verdict === 'held' ? 'permission' : 'failed'
    const status = failed.verdict === 'accepted' ? null : failed.error.status
    return unread(flow, { what: 'token', reason, status })
  }
  const token = async (refused: string | null) => {
    if (refused === null) return first.token.value
    const again = await tokenFor()
    if ('token' in again) return again.token.value
    throw new Error('no token')
  }
  const client = { platformUrl, clientId: credentials.clientId, orgId, sandbox }
  const landed = await readLanded({
    get: platformGet(client, token, fetch, () => signalAfter(LANDED_REQUEST_MS, timers)),
    flow,
    cursor,
    now: now(),
    rows: LANDED_ROWS,
    // So that the request under way then still ends in time.
    late: () => now() - began > LANDED_TIMEOUT_MS - 2 * LANDED_REQUEST_MS,
  })
  return { ...landed, flow }
}

function unread(flow: LandedFlow, problem: PlatformProblem): LandedRead {
  return { flow, hours: [], failures: [], unnamed: [], cursor: null, more: false, problem }
}
