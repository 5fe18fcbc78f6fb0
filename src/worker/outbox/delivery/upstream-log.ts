/** The log lines about AEP itself: when a hold or an outage begins, and when it ends. */
import { isRejecting } from '../../aep/upstream/refusals.ts'
import {
  activeFailure,
  type Hold,
  holdOf,
  type UpstreamFailure,
  type UpstreamState,
} from '../../aep/upstream/state.ts'
import { logLine } from '../../log.ts'

export function logUpstream(
  shard: string,
  before: UpstreamState,
  after: UpstreamState,
  now: number,
): void {
  logHold(shard, holdOf(before), holdOf(after), causeOf(after))
  const [ended, begun] = [outageOf(before), outageOf(after)]
  if (begun && !ended) {
    const { code, status: upstreamStatus } = begun
    logLine('warn', { event: 'upstream', shard, status: 'failing', code, upstreamStatus })
  }
  if (ended && !begun && !holdOf(after)) {
    const failedForMs = Math.max(now - ended.firstAt, 0)
    logLine('log', { event: 'upstream', shard, status: 'recovered', failedForMs })
  }
}

/** The failure behind a hold, or the latest refusal. */
function causeOf(state: UpstreamState): { code: string; status: number | null } | null {
  const [refusal] = state.refusals.newest
  if (!isRejecting(state.refusals)) return activeFailure(state)
  return { code: 'rejected', status: refusal?.status ?? null }
}

function outageOf(state: UpstreamState): UpstreamFailure | null {
  const failure = activeFailure(state)
  return failure?.reason === 'upstream' ? failure : null
}

function logHold(
  shard: string,
  before: Hold | null,
  after: Hold | null,
  failure: { code: string; status: number | null } | null,
): void {
  if (before?.reason === after?.reason) return
  if (!after) {
    logLine('log', { event: 'hold', shard, reason: null, lifted: before?.reason })
    return
  }
  const cause = after.reason === 'paused' ? null : failure
  logLine('warn', {
    event: 'hold',
    shard,
    reason: after.reason,
    code: cause?.code,
    // The status is AEP's, or that of IMS when IMS gave no token.
    ...(cause?.code === 'token'
      ? { imsStatus: cause.status }
      : { upstreamStatus: cause?.status ?? undefined }),
  })
}
