/**
 * Look-ups by name, one for each way in which Adobe's services list things.
 *
 * Promises: the name is asked for, and compared again here, since not every service documents the filter; pages are
 * followed, a bounded number of them; nothing is changed.
 * Sources: dataflows/api/sort-and-filter, catalog/api/filter-data, data-prep/api/mapping-set, xdm/api/appendix.
 */
import { continuationOf } from '../../worker/aep/platform-get.ts'
import type { Send } from '../lib/platform-client.ts'
import { PlatformError } from '../lib/platform-error.ts'
import { at, isRecord, type Json, listAt, textAt } from '../lib/platform-request.ts'
import type { Found } from './step.ts'

export const FLOW_SERVICE = '/data/foundation/flowservice'
export const REGISTRY = '/data/foundation/schemaregistry'
export const DATASETS = '/data/foundation/catalog/dataSets'
export const MAPPING_SETS = '/data/foundation/conversion/mappingSets'
export const NAMESPACES = '/data/core/idnamespace/identities'

const MAX_PAGES = 50
const PAGE = 100

export type FlowKind = 'connections' | 'sourceConnections' | 'targetConnections' | 'flows'

export function unexpected(request: string, message: string): PlatformError {
  return new PlatformError(request, { status: 200, code: '', message })
}

/** For connections the filter by name is documented in general only: where it is refused, all are listed. */
async function byFlowServiceName(send: Send, kind: FlowKind, name: string): Promise<Found[]> {
  const path = `${FLOW_SERVICE}/${kind}`
  try {
    return await pages({ property: `name==${name}` })
  } catch (error) {
    if (!(error instanceof PlatformError) || error.refusal.status !== 400) throw error
    return pages({})
  }

  async function pages(query: Record<string, string>): Promise<Found[]> {
    const found: Found[] = []
    let token: string | null = null
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const continued = token === null ? query : { ...query, continuationToken: token }
      const answer: Json = await send({ method: 'GET', path, query: continued })
      found.push(...named(listAt(answer, 'items'), 'name', name, 'id'))
      token = isRecord(answer) ? continuationOf(answer) : null
      if (token === null) return found
    }
    throw unexpected(`GET ${path}`, 'more pages than expected')
  }
}

export async function byFlowServiceId(send: Send, kind: FlowKind, id: string): Promise<Json> {
  const path = `${FLOW_SERVICE}/${kind}/${encodeURIComponent(id)}`
  return at(await send({ method: 'GET', path }), 'items', 0)
}

/** By its id where that is known, else by its name. */
export async function flowServiceOne(
  send: Send,
  kind: FlowKind,
  { id, name }: { readonly id: string | undefined; readonly name: string },
): Promise<Found[]> {
  if (id === undefined) return byFlowServiceName(send, kind, name)
  const body = await byFlowServiceId(send, kind, id)
  return body === null ? [] : [{ id, body }]
}

type RegistryKind = 'fieldgroups' | 'schemas'

/** With the whole body: a list shows titles and ids only. */
export async function byTitle(send: Send, kind: RegistryKind, title: string): Promise<Found[]> {
  const path = `${REGISTRY}/tenant/${kind}`
  const headers = { accept: 'application/vnd.adobe.xed-id+json' }
  const query = { property: `title==${title}` }
  const answer = await send({ method: 'GET', path, query, headers })
  const found: Found[] = []
  for (const entry of listAt(answer, 'results').filter((one) => at(one, 'title') === title)) {
    const id = textAt(entry, '$id')
    if (id === null) continue
    found.push({ id, body: await byRegistryId(send, kind, textAt(entry, 'meta:altId') ?? id) })
  }
  return found
}

/** Whether the sandbox has this field group of Adobe's own. */
export async function hasGlobal(
  send: Send,
  { id, title }: { readonly id: string; readonly title: string },
): Promise<boolean> {
  const path = `${REGISTRY}/global/fieldgroups`
  const headers = { accept: 'application/vnd.adobe.xed-id+json' }
  const query = { property: `title==${title}` }
  const answer = await send({ method: 'GET', path, query, headers })
  return listAt(answer, 'results').some((one) => textAt(one, '$id') === id)
}

export function byRegistryId(send: Send, kind: RegistryKind, id: string): Promise<Json> {
  return send({
    method: 'GET',
    path: `${REGISTRY}/tenant/${kind}/${encodeURIComponent(id)}`,
    headers: { accept: 'application/vnd.adobe.xed+json;version=1' },
  })
}

/** Every descriptor of the tenant that is about this schema. */
export async function descriptorsOf(send: Send, schemaId: string): Promise<readonly Json[]> {
  const answer = await send({
    method: 'GET',
    path: `${REGISTRY}/tenant/descriptors`,
    headers: { accept: 'application/vnd.adobe.xdm+json' },
  })
  const all = isRecord(answer)
    ? Object.values(answer).flatMap((one) => (Array.isArray(one) ? one : []))
    : []
  return all.filter((one) => at(one, 'xdm:sourceSchema') === schemaId)
}

/** `null`: the sandbox has no dataset of this id. */
export async function datasetById(send: Send, id: string): Promise<Json> {
  const path = `${DATASETS}/${encodeURIComponent(id)}`
  return orNull(async () => at(await send({ method: 'GET', path }), id))
}

/** What is not there, or not in this sandbox, as Adobe's services say it. */
export async function orNull(ask: () => Promise<Json>): Promise<Json> {
  try {
    return await ask()
  } catch (error) {
    const status = error instanceof PlatformError ? error.refusal.status : 0
    if (status === 404 || status === 400) return null
    throw error
  }
}

export async function datasetsByName(send: Send, name: string): Promise<Found[]> {
  const found: Found[] = []
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = { name, limit: String(PAGE), start: String(page * PAGE) }
    const answer = await send({ method: 'GET', path: DATASETS, query })
    const entries = isRecord(answer) ? Object.entries(answer) : []
    for (const [id, body] of entries) if (at(body, 'name') === name) found.push({ id, body })
    if (entries.length < PAGE) return found
  }
  throw unexpected(`GET ${DATASETS}`, 'more pages than expected')
}

export async function mappingSetsByName(send: Send, name: string): Promise<Found[]> {
  const found: Found[] = []
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = { limit: String(PAGE), start: String(page * PAGE), name }
    const data = listAt(await send({ method: 'GET', path: MAPPING_SETS, query }), 'data')
    found.push(...named(data, 'name', name, 'id'))
    if (data.length < PAGE) return found
  }
  throw unexpected(`GET ${MAPPING_SETS}`, 'more pages than expected')
}

/** `version` null: the newest. */
export function mappingSetById(send: Send, id: string, version: Json): Promise<Json> {
  const query = version === null ? {} : { query: { version: String(version) } }
  return send({ method: 'GET', path: `${MAPPING_SETS}/${encodeURIComponent(id)}`, ...query })
}

/** Codes are compared without case: Adobe refuses two that differ in nothing else. */
export async function namespacesByCode(send: Send, code: string): Promise<Found[]> {
  const answer = await send({ method: 'GET', path: NAMESPACES })
  return (Array.isArray(answer) ? (answer as readonly Json[]) : [])
    .filter((one) => textAt(one, 'code')?.toLowerCase() === code.toLowerCase())
    .map((body) => ({ id: textAt(body, 'code') ?? code, body }))
}

function named(items: readonly Json[], key: string, name: string, idKey: string): Found[] {
  return items.flatMap((body) => {
    const id = textAt(body, idKey)
    return id !== null && at(body, key) === name ? [{ id, body }] : []
  })
}
