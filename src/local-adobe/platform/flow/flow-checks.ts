/**
 * Flow checks: whether the parts of a flow exist and fit each other: specification and source, mapping and
 * target. Each failure is one of Flow Service's documented errors.
 */
import { isObject, type JsonObject } from '../../streaming/message.ts'
import { text } from '../body.ts'
import { invalidFlow } from '../errors.ts'
import { mappingsOf, versionOf } from '../mapping/mapping-set.ts'
import { rowProblems } from '../mapping/rows.ts'
import { resolve } from '../registry/resolve.ts'
import { findTenant } from '../registry/resources.ts'
import type { Resource, Store } from '../store.ts'
import { invalidBody } from './common.ts'
import { FLOW_SPECS } from './specs.ts'

type FlowParts = {
  readonly source: Resource | undefined
  readonly base: Resource | undefined
  readonly target: Resource | undefined
  readonly dataSet: Resource | undefined
  readonly mapping: { readonly id: string; readonly version: number } | null
}

export function partsOf(store: Store, body: JsonObject, sandbox: string): FlowParts {
  const first = (ids: unknown) => (Array.isArray(ids) ? String(ids[0]) : '')
  const source = store.find('sourceConnections', sandbox, first(body.sourceConnectionIds))
  const target = store.find('targetConnections', sandbox, first(body.targetConnectionIds))
  const base = store.find('connections', sandbox, text(source?.body.baseConnectionId) ?? '')
  const params = isObject(target?.body.params) ? target.body.params : {}
  const dataSet = store.find('dataSets', sandbox, text(params.dataSetId) ?? '')
  return { source, base, target, dataSet, mapping: mappingOf(body) }
}

function mappingOf(body: JsonObject): FlowParts['mapping'] {
  const [first]: readonly unknown[] = Array.isArray(body.transformations)
    ? body.transformations
    : []
  const params = isObject(first) && isObject(first.params) ? first.params : {}
  const id = text(params.mappingId)
  // A number in every sample, text in the OpenAPI file.
  return id ? { id, version: Number(params.mappingVersion ?? 0) } : null
}

export function checkFlow(store: Store, body: JsonObject, sandbox: string): void {
  if (!text(body.name)) throw invalidBody('name is required.')
  const specId = isObject(body.flowSpec) ? body.flowSpec.id : null
  const spec = FLOW_SPECS.find(({ id }) => id === specId)
  if (!spec) throw invalidSpec()
  for (const [field, kind] of [
    ['sourceConnectionIds', 'sourceConnections'],
    ['targetConnectionIds', 'targetConnections'],
  ] as const) {
    const ids = body[field]
    if (!Array.isArray(ids) || ids.length !== 1) throw invalidBody(`${field} takes exactly one id.`)
    if (!store.find(kind, sandbox, String(ids[0]))) {
      throw invalidFlow(
        '1439-400',
        `The requested ${kind} resource ${ids[0]} is not found. Verify the resource ID before trying again.`,
      )
    }
  }
  const parts = partsOf(store, body, sandbox)
  const sourceSpec = parts.source?.body.connectionSpec
  if (!isObject(sourceSpec) || !spec.sources.includes(String(sourceSpec.id))) throw invalidSpec()
  if (parts.base && dataTypeOf(parts.base) !== (spec.mapping ? 'raw' : 'xdm')) throw invalidSpec()
  checkSameSchema(parts.dataSet, schemaRefOfTarget(parts.target), parts.dataSet?.id ?? '')
  if (spec.mapping) checkMapping(store, body, parts, sandbox)
}

export function dataTypeOf(base: Resource): 'raw' | 'xdm' {
  const auth = isObject(base.body.auth) ? base.body.auth : {}
  return isObject(auth.params) && auth.params.dataType === 'xdm' ? 'xdm' : 'raw'
}

function checkMapping(store: Store, body: JsonObject, parts: FlowParts, sandbox: string): void {
  const list: readonly unknown[] = Array.isArray(body.transformations) ? body.transformations : []
  const [first] = list
  if (list.length !== 1 || !isObject(first) || first.name !== 'Mapping' || !parts.mapping) {
    throw invalidBody('transformations takes exactly one, named Mapping, with params.mappingId.')
  }
  const { id, version } = parts.mapping
  const invalidMapping = () =>
    invalidFlow(
      '1419-400',
      `Error while validating mapping with id ${id}, version ${version}. This could be because of inadequate permissions on mapped fields. Please check your mapping or contact your admin.`,
    )
  const set = store.find('mappingSets', sandbox, id)
  if (!set) throw invalidMapping()
  const own = versionOf(set, version)
  if (!own) {
    throw invalidFlow(
      '1412-400',
      'Invalid Mapping Version in request. Please provide correct mapping version.',
    )
  }
  checkSameSchema(parts.dataSet, schemaRefOfMapping(own), id)
  const schemaId = schemaRefOfMapping(own).id
  const schema = findTenant(store, sandbox, 'schemas', schemaId)
  if (!schema) throw invalidMapping()
  const resolved = resolve(store, sandbox, schema.body)
  if (mappingsOf(own).some((row) => rowProblems(row, resolved).length > 0)) throw invalidMapping()
}

type SchemaRef = { readonly id: string; readonly version: string }

function schemaRefOfTarget(target: Resource | undefined): SchemaRef | null {
  const data = isObject(target?.body.data) ? target.body.data : {}
  if (!isObject(data.schema)) return null
  return { id: String(data.schema.id), version: majorOf(data.schema.version) }
}

function schemaRefOfMapping(set: JsonObject): SchemaRef {
  const output = isObject(set.outputSchema) ? set.outputSchema : {}
  const ref = isObject(output.schemaRef) ? output.schemaRef : {}
  return { id: String(ref.id), version: majorOf(ref.contentType) }
}

function checkSameSchema(
  dataSet: Resource | undefined,
  own: SchemaRef | null,
  ownId: string,
): void {
  const ref = isObject(dataSet?.body.schemaRef) ? dataSet.body.schemaRef : {}
  if (!own || (own.id === ref.id && own.version === majorOf(ref.contentType))) return
  throw invalidFlow(
    '1425-400',
    `Error while matching schema in target dataset ${dataSet?.id} with schema in mapping ${ownId}. Schema with same id and version must be used in both mapping and target dataset.`,
  )
}

/** `…;version=1` and `…;version=1.0` are the same. */
function majorOf(contentType: unknown): string {
  return /version=(\d+)/.exec(String(contentType))?.[1] ?? '1'
}

const invalidSpec = () =>
  invalidFlow(
    '1413-400',
    'The spec ID provided is  invalid. Please provide a valid spec ID and try again.',
  )
