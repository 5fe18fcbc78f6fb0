/**
 * Runs: how many records came through a flow. One run for each flow that has received any, over the whole
 * time; Adobe makes one an hour. Counted from the lake, so forgetting the lake forgets them.
 */
import type { Lake } from '../../streaming/lake.ts'
import type { JsonObject } from '../../streaming/message.ts'
import type { Caller } from '../gateway.ts'
import type { Store } from '../store.ts'

export function runViews(store: Store, lake: Lake, caller: Caller): readonly JsonObject[] {
  return store.list('flows', caller.sandbox).flatMap((flow) => {
    const landed = lake.records.filter((one) => one.datasetId && one.flowId === flow.id)
    const failed = lake.failed.filter((one) => one.flowId === flow.id)
    const times = [...landed, ...failed].map((one) => one.at)
    if (times.length === 0) return []
    const [first, last] = [Math.min(...times), Math.max(...times)]
    const bytes = landed.reduce((sum, one) => sum + one.bytes, 0)
    const status =
      failed.length === 0 ? 'success' : landed.length === 0 ? 'failed' : 'partialSuccess'
    return [
      {
        id: `${flow.id.slice(0, -4)}0001`,
        createdAt: first,
        updatedAt: last,
        createdBy: 'local-user@AdobeID',
        updatedBy: 'local-user@AdobeID',
        createdClient: caller.clientId,
        updatedClient: caller.clientId,
        sandboxName: flow.sandbox,
        imsOrgId: caller.orgId,
        flowId: flow.id,
        flowSpec: flow.body.flowSpec,
        metrics: {
          durationSummary: { startedAtUTC: first, completedAtUTC: last },
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
        etag: flow.etag,
      },
    ]
  })
}
