/** What decides whether AEP takes an event at all: refusals under one set of settings say nothing about another. */
import type { Destination } from '../../config/config.ts'

/** Compared as text; empty when there is no destination. */
export function settingsOf(destination: Destination | null): string {
  if (!destination) return ''
  const { url, format, flowId } = destination
  const own = { url, format, flowId }
  if (destination.format === 'raw') return JSON.stringify(own)
  const { orgId, datasetId, schemaId, schemaVersion, tenant } = destination
  return JSON.stringify({ ...own, orgId, datasetId, schemaId, schemaVersion, tenant })
}
