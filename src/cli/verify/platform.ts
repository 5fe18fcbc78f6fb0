/**
 * Platform: what can be seen on Adobe's side with credentials for the Platform APIs: that the mapping is as it should
 * be, and that the flow's dataset got the records.
 *
 * Promises: it reads only. It never calls good what it could not see: AEP counts the records of a streaming flow in
 * runs that appear with a delay (by the hour, as its interface shows them), so "not counted yet" is neither good nor
 * bad. Access to the APIs is passed in; without it there is nothing to check.
 */

import { setTimeout as delay } from 'node:timers/promises'
import * as v from 'valibot'
import { count } from '../../worker/alerts/words.ts'
import { messageOf } from '../lib/text.ts'
import type { Row } from './row.ts'

export type Platform = {
  /** Call it before the first sample is sent; call what it gives with how many of them AEP has accepted. */
  begin(): Promise<(relayed: number) => Promise<readonly Row[]>>
}

/** Nothing on Adobe's side can be looked at; `why` says what is missing, `ok: false` that something is wrong. */
export function noPlatform(why: string, ok: null | false = null): Platform {
  const text = `not checked: ${why}`
  return {
    begin: async () => async () => [
      { check: 'mapping', ok, text },
      { check: 'dataset', ok, text },
    ],
  }
}

type PlatformAccess = {
  /** GET on the Platform API with all its headers: the parsed body. Throws with a message for a person. */
  get(path: string): Promise<unknown>
  /** `AEP_FLOW_ID` of the relay. */
  readonly flowId: string
  /** Whether the dataflow and its mapping are as this version of the relay needs them. */
  mapping(): Promise<Row>
  /** How long the records may take to be counted. */
  readonly waitMs: number
}

/** Flow Service, `GET /runs`: https://developer.adobe.com/experience-platform-apis/references/flow-service/ */
const Runs = v.object({
  items: v.array(
    v.object({
      metrics: v.optional(
        v.object({
          recordSummary: v.optional(
            v.object({
              outputRecordCount: v.optional(v.number()),
              failedRecordCount: v.optional(v.number()),
            }),
          ),
        }),
      ),
    }),
  ),
})

type Counts = { readonly ingested: number; readonly failed: number }

const POLL_MS = 1_000

export function platform(access: PlatformAccess): Platform {
  return {
    begin: async () => {
      const before = await counted(access)
      return async (relayed) => [await mapped(access), await datasetRow(access, before, relayed)]
    },
  }
}

async function mapped({ mapping }: PlatformAccess): Promise<Row> {
  return mapping().catch((error: unknown) => ({
    check: 'mapping',
    ok: false,
    text: messageOf(error),
  }))
}

async function datasetRow(
  access: PlatformAccess,
  before: Counts | Error,
  relayed: number,
): Promise<Row> {
  const check = 'dataset'
  if (before instanceof Error) return { check, ok: false, text: before.message }
  if (relayed === 0) return { check, ok: null, text: 'not checked: AEP has accepted no sample' }
  const deadline = Date.now() + access.waitMs
  for (;;) {
    const now = await counted(access)
    if (now instanceof Error) return { check, ok: false, text: now.message }
    const failed = now.failed - before.failed
    const ingested = now.ingested - before.ingested
    if (failed > 0) {
      const text = `AEP accepted ${count(relayed, 'record')} and then failed ${failed}: see the dataflow's runs in AEP, and compare mapping and schema`
      return { check, ok: false, text }
    }
    if (ingested >= relayed) return { check, ok: true, text: `got the ${count(relayed, 'record')}` }
    if (Date.now() >= deadline) {
      const text = `${Math.max(ingested, 0)} of ${count(relayed, 'record')} counted so far: AEP counts the records of a streaming flow by the hour. Look again later`
      return { check, ok: null, text }
    }
    await delay(POLL_MS)
  }
}

/** Over the newest runs. Never rejects. */
async function counted({ get, flowId }: PlatformAccess): Promise<Counts | Error> {
  const query = `property=${encodeURIComponent(`flowId==${flowId}`)}&orderby=-createdAt&limit=50`
  try {
    const { items } = v.parse(Runs, await get(`/data/foundation/flowservice/runs?${query}`))
    const summaries = items.map(({ metrics }) => metrics?.recordSummary)
    const sum = (count: 'outputRecordCount' | 'failedRecordCount') =>
      summaries.reduce((all, summary) => all + (summary?.[count] ?? 0), 0)
    return { ingested: sum('outputRecordCount'), failed: sum('failedRecordCount') }
  } catch (error) {
    return new Error(`the runs of the dataflow could not be read: ${messageOf(error)}`)
  }
}
