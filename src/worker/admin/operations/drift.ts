/** How what Chatlio sends differs from what it documents; accepting a difference silences it. */
import { toIso } from '../../chatlio/timestamp.ts'
import type { DriftKey, DriftRow } from '../../drift/drift.ts'
import type { Services } from '../../services.ts'
import { logAction } from './log.ts'

export async function readDrift({ shards }: Services) {
  const rows = await shards.at(0).driftRows()
  return { rows: rows.map(driftView) }
}

/** The row; `null` if it is not known. */
export async function acceptDrift(services: Services, by: string, key: DriftKey) {
  const row = await services.shards.at(0).acceptDrift(key)
  if (!row) return null
  await logAction(services, by, 'accept-drift', {})
  return driftView(row)
}

function driftView(row: DriftRow) {
  const { kind, path, change, from, to, count, firstAt, lastAt, eventId, sample, accepted } = row
  return {
    kind,
    path,
    change,
    from,
    to,
    count,
    firstAt: toIso(firstAt),
    lastAt: toIso(lastAt),
    eventId,
    sample,
    accepted,
  }
}
