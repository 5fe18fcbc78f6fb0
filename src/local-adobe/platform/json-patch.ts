/**
 * JSON Patch: `add`, `replace`, `remove` and `test` of RFC 6902, with names in any case, as Adobe's
 * clients and its OpenAPI files write them. Pure: the document given is not changed.
 */
import { isObject, type JsonObject } from '../streaming/message.ts'

type PatchFailure = { readonly unsupported: string } | { readonly missing: string }
type PatchResult =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly failure: PatchFailure }

export function applyPatch(document: JsonObject, operations: readonly unknown[]): PatchResult {
  const value = structuredClone(document) as Record<string, unknown>
  for (const operation of operations) {
    const failure = apply(value, operation)
    if (failure) return { ok: false, failure }
  }
  return { ok: true, value }
}

/** Whether any operation touches this path or something under it. */
export function touches(operations: readonly unknown[], path: string): boolean {
  return operations.some((operation) => {
    const own = isObject(operation) ? operation.path : null
    return own === path || (typeof own === 'string' && own.startsWith(`${path}/`))
  })
}

function apply(document: Record<string, unknown>, operation: unknown): PatchFailure | null {
  if (!isObject(operation)) return { missing: 'op' }
  const op = typeof operation.op === 'string' ? operation.op.toLowerCase() : ''
  if (!['add', 'replace', 'remove', 'test'].includes(op)) return { unsupported: op }
  if (typeof operation.path !== 'string' || !operation.path.startsWith('/')) {
    return { missing: 'path' }
  }
  if (op !== 'remove' && operation.value === undefined) return { missing: 'value' }
  const keys = operation.path
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = keys.pop() ?? ''
  const parent = keys.reduce<unknown>(step, document)
  if (Array.isArray(parent)) return applyToArray(parent, op, last, operation.value)
  if (!isObject(parent)) return { missing: operation.path }
  const target = parent as Record<string, unknown>
  if (op !== 'add' && !Object.hasOwn(target, last)) return { missing: last }
  if (op === 'test') return same(target[last], operation.value) ? null : { missing: last }
  if (op === 'remove') delete target[last]
  else define(target, last, operation.value)
  return null
}

function applyToArray(
  list: unknown[],
  op: string,
  key: string,
  value: unknown,
): PatchFailure | null {
  const index = key === '-' && op === 'add' ? list.length : Number(key)
  const highest = op === 'add' ? list.length : list.length - 1
  if (!/^(-|\d+)$/.test(key) || !(index >= 0 && index <= highest)) return { missing: key }
  if (op === 'test') return same(list[index], value) ? null : { missing: key }
  if (op === 'add') list.splice(index, 0, value)
  else if (op === 'replace') list[index] = value
  else list.splice(index, 1)
  return null
}

const step = (value: unknown, key: string): unknown => {
  if (Array.isArray(value)) return value[Number(key)]
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

/** As an own property, whatever its name. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  })
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
