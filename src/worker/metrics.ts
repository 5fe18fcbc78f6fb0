/**
 * Points for Workers Analytics Engine, where a binding `METRICS` is set: one a webhook, one a run of the outbox.
 * Never personal data: kinds, outcomes, codes, counts and times, the same fields as the log lines, without ids. Never
 * throws, and waits for nothing. What each column means, and queries: docs/operations.md, "Metrics".
 * The index is what points are sampled by, so it is what they are grouped by: the kind, or `drain`.
 */
import type { StoredKind } from './chatlio/kind.ts'

export type Metrics = {
  webhook(point: WebhookPoint): void
  drain(point: DrainPoint): void
}

export type WebhookPoint = {
  kind: StoredKind
  outcome: string
  status: number
  /** AEP's. */
  upstreamStatus: number | null
  code: string
  identity: string
  ms: number
  bytes: number
}

export type DrainPoint = {
  shard: string
  /** Of the latest failure; empty when there was none. */
  code: string
  sent: number
  accepted: number
  deferred: number
  rejected: number
  held: number
  pending: number
  oldestAgeMs: number | null
}

/** `null` without a binding. */
export function metricsOf(env: object): Metrics | null {
  const { METRICS: dataset } = env as { METRICS?: AnalyticsEngineDataset }
  if (!dataset) return null
  const write = (index: string, blobs: string[], doubles: number[]) => {
    try {
      dataset.writeDataPoint({ indexes: [index], blobs, doubles })
    } catch {
      // A binding of another kind, or a limit: relaying must not notice.
    }
  }
  return {
    webhook: ({ kind, outcome, status, upstreamStatus, code, identity, ms, bytes }) =>
      write(
        kind,
        ['webhook', kind, outcome, String(status), String(upstreamStatus ?? ''), code, identity],
        [ms, bytes],
      ),
    drain: ({ shard, code, ...counts }) => {
      const { sent, accepted, deferred, rejected, held, pending, oldestAgeMs } = counts
      write(
        'drain',
        ['drain', shard, code],
        [sent, accepted, deferred, rejected, held, pending, oldestAgeMs ?? 0],
      )
    },
  }
}
