/** Reports to the outbox what an isolate has seen of drift, after the answer. Never throws: a lost report is a lower count. */
import type { DriftReport } from '../drift/drift.ts'
import { logLine } from '../log.ts'
import type { OutboxStub } from '../outbox/shards.ts'

export async function reportDrift(
  outbox: () => OutboxStub,
  reports: readonly DriftReport[],
): Promise<void> {
  try {
    await outbox().reportDrift(reports)
  } catch (thrown) {
    const name = thrown instanceof Error ? thrown.name : 'unknown'
    logLine('warn', { event: 'drift-not-reported', name })
  }
}
