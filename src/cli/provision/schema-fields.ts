/**
 * Fields of a field group: which of ours another one lacks, or has as something else, and the JSON Patch that adds
 * them. Pure. Fields that only the other one has are not ours to judge.
 */
import { at, isRecord, type Json, type JsonRecord } from '../lib/platform-request.ts'
import type { Difference } from './step.ts'

type Comparison = {
  readonly differences: Difference[]
  readonly operations: JsonRecord[]
  mendable: boolean
}

export function fieldDifferences(own: Json, found: Json, tenant: string): readonly Difference[] {
  return compared(own, found, tenant).differences
}

/** Null where a field is there as something else, or nothing of ours is. */
export function missingFieldOperations(own: Json, found: Json, tenant: string): Json[] | null {
  const { operations, mendable } = compared(own, found, tenant)
  return mendable ? operations : null
}

function compared(own: Json, found: Json, tenant: string): Comparison {
  const comparison: Comparison = { differences: [], operations: [], mendable: true }
  const ours = tenantNode(own, tenant)
  const theirs = tenantNode(found, tenant)
  if (ours && theirs) compareNode(ours.node, theirs.node, theirs.pointer, `_${tenant}`, comparison)
  else {
    comparison.mendable = false
    comparison.differences.push({ field: `_${tenant}`, expected: 'object', found: 'nothing' })
  }
  return comparison
}

/** In a definition as we write it, or on the first level, as other tools do. */
function tenantNode(group: Json, tenant: string): { node: Json; pointer: string } | null {
  const name = `_${tenant}`
  const definitions = at(group, 'definitions')
  const places: [string, Json][] = [['', group]]
  if (isRecord(definitions)) {
    for (const [key, value] of Object.entries(definitions)) {
      places.push([`/definitions/${escaped(key)}`, value])
    }
  }
  for (const [pointer, place] of places) {
    const node = at(place, 'properties', name)
    if (node !== null) return { node, pointer: `${pointer}/properties/${name}` }
  }
  return null
}

function compareNode(own: Json, found: Json, pointer: string, path: string, to: Comparison): void {
  for (const keyword of ['type', 'format']) {
    const expected = at(own, keyword)
    const actual = at(found, keyword)
    if (expected === null || expected === actual) continue
    to.mendable = false
    to.differences.push({
      field: path,
      expected: String(expected),
      found: String(actual ?? `no ${keyword}`),
    })
    return
  }
  const properties = at(own, 'properties')
  for (const [key, value] of isRecord(properties) ? Object.entries(properties) : []) {
    const child = `${pointer}/properties/${escaped(key)}`
    const there = at(found, 'properties', key)
    if (there !== null) {
      compareNode(value, there, child, `${path}.${key}`, to)
      continue
    }
    to.differences.push({
      field: `${path}.${key}`,
      expected: String(at(value, 'type')),
      found: 'nothing',
    })
    to.operations.push({ op: 'add', path: child, value })
  }
  const items = at(own, 'items')
  if (items !== null) compareNode(items, at(found, 'items'), `${pointer}/items`, `${path}[]`, to)
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
