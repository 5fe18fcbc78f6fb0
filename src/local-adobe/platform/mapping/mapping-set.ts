/** Mapping set: the stored form, its versions, and the double form in which rows are read back. */
import { isObject, type JsonObject } from '../../streaming/message.ts'
import type { Resource } from '../store.ts'
import { type Row, readRow } from './rows.ts'

/** One version of a set; `undefined` if no version has that number. */
export function versionOf(set: Resource, version: number): JsonObject | undefined {
  const versions = Array.isArray(set.hidden.versions) ? set.hidden.versions : []
  const own: unknown = versions[version]
  return isObject(own) ? own : undefined
}

export function mappingsOf(set: JsonObject): readonly Row[] {
  const list: readonly unknown[] = Array.isArray(set.mappings) ? set.mappings : []
  return list.flatMap((one) => readRow(one) ?? [])
}

export const latestVersion = (set: Resource): number =>
  Array.isArray(set.hidden.versions) ? set.hidden.versions.length - 1 : 0

/** Dates are rounded to the second on read, as Adobe's are. */
export function mappingSetView(
  set: Resource,
  version: number,
): JsonObject & { mappings: readonly JsonObject[] } {
  const own = versionOf(set, version) ?? set.body
  const dates = {
    createdDate: seconds(set.createdAt),
    modifiedDate: seconds(set.updatedAt),
    createdBy: 'local-user',
    modifiedBy: 'local-user',
  }
  const output = isObject(own.outputSchema) ? own.outputSchema : {}
  return {
    ...own,
    id: set.id,
    version,
    ...dates,
    supportVersion: '1.1',
    status: 'PUBLISHED',
    outputSchema: { id: set.id, version: 0, ...output },
    mappings: mappingsOf(own).map((row, index) => ({
      id: `${set.id.slice(0, -4)}${String(index).padStart(4, '0')}`,
      version: 0,
      ...dates,
      ...rowView(row),
    })),
  }
}

function rowView({ source, destination, sourceType }: Row): JsonObject {
  return {
    sourceType: sourceType === 'EXPRESSION' ? 'text/x.aep-xl' : 'text/x.schema-path',
    source,
    destination,
    identity: false,
    primaryIdentity: false,
    matchScore: 0,
    functionVersion: 1,
    sourceAttribute: source,
    destinationXdmPath: destination,
  }
}

const seconds = (at: number) => Math.floor(at / 1000) * 1000
