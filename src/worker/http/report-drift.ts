/** Carries what an isolate has seen of drift to shard 0, after the answer. Never throws: a lost report is a lower count. */

import type { DriftReport } from '../drift/drift.ts'
import { logLine } from '../log.ts'
import type { Shards } from '../outbox/shards.ts'

export async function reportDrift(shards: Shards, reports: readonly DriftReport[]): Promise<void> {
  try {
    await shards.at(0).reportDrift(reports)
  } catch (thrown) {
    const name = thrown instanceof Error ? thrown.name : 'unknown'
    logLine('warn', { event: 'drift-not-reported', name })
  }
}
