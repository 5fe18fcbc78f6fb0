/**
 * Runs: how many records came through a flow, one run for each hour in which any came. Counted from the lake, so
 * forgetting the lake forgets them.
 *
 * Whether AEP answers so for a streaming flow is not published; its interface says that each run is "recorded within an
 * hourly window". A run of the hour that is not over has no `completedAtUTC`.
 */
import { HOUR_MS } from '../../../worker/limits.ts'
import type { State } from '../../state.ts'
import type { JsonObject } from '../../streaming/message.ts'
import { type Caller, DEFAULT_SANDBOX } from '../gateway.ts'
import type { Store } from '../store.ts'

type Arrived = { readonly at: number; readonly flowId: string | null; readonly bytes?: number }

/** Also of flows that only the fixed inlet knows: they are in `prod`, and have no resource of their own. */
export function runViews(
  store: Store,
  { lake, now }: Pick<State, 'lake' | 'now'>,
  caller: Caller,
): readonly JsonObject[] {
  const runs = new Map<
    string,
    { flowId: string; hour: number; landed: Arrived[]; failed: Arrived[] }
  >()
  const count = (one: Arrived, into: 'landed' | 'failed') => {
    const { flowId } = one
    if (flowId === null || sandboxOf(store, flowId) !== caller.sandbox) return
    const hour = Math.floor(one.at / HOUR_MS) * HOUR_MS
    const key = `${flowId} ${hour}`
    const run = runs.get(key) ?? { flowId, hour, landed: [], failed: [] }
    run[into].push(one)
    runs.set(key, run)
  }
  for (const one of lake.records) count(one, 'landed')
  for (const one of lake.failed) count(one, 'failed')
  return [...runs.values()].map(({ flowId, hour, landed, failed }) => {
    const times = [...landed, ...failed].map((one) => one.at)
    const bytes = landed.reduce((sum, one) => sum + (one.bytes ?? 0), 0)
    const status =
      failed.length === 0 ? 'success' : landed.length === 0 ? 'failed' : 'partialSuccess'
    const flow = store.find('flows', caller.sandbox, flowId)
    const end = hour + HOUR_MS
    return {
      id: runId(flowId, hour),
      createdAt: Math.min(...times),
      updatedAt: Math.max(...times),
      createdBy: 'local-user@AdobeID',
      updatedBy: 'local-user@AdobeID',
      createdClient: caller.clientId,
      updatedClient: caller.clientId,
      sandboxName: caller.sandbox,
      imsOrgId: caller.orgId,
      flowId,
      ...(flow && { flowSpec: flow.body.flowSpec, etag: flow.etag }),
      metrics: {
        durationSummary: { startedAtUTC: hour, ...(now() >= end && { completedAtUTC: end }) },
        sizeSummary: { inputBytes: bytes, outputBytes: bytes },
        recordSummary: {
          inputRecordCount: times.length,
          createdRecordCount: landed.length,
          outputRecordCount: landed.length,
          failedRecordCount: failed.length,
        },
        statusSummary: { status },
      },
      activities: [],
    }
  })
}

function sandboxOf(store: Store, flowId: string): string {
  return store.all('flows').find((flow) => flow.id === flowId)?.sandbox ?? DEFAULT_SANDBOX
}

/** The flow's, with the hour in the place of its last digits. */
function runId(flowId: string, hour: number): string {
  return `${flowId.slice(0, -8)}${(hour / HOUR_MS).toString(16).padStart(8, '0')}`
}
