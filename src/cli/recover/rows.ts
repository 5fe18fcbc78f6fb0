/**
 * Rows: the record of a failed row as the relay sent it, as text. Pure.
 * Numbers keep their digits: AEP's file is the only copy, and a double cannot hold them all.
 */
import { isObject, type JsonObject } from '../../worker/lib/json.ts'

/** A number as it was written, which `JSON.stringify` writes again. */
const RawJson = JSON as unknown as { rawJSON(text: string): unknown }

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

const exact: Reviver = (_, value, { source }) =>
  typeof value === 'number' && source !== undefined && String(value) !== source
    ? RawJson.rawJSON(source)
    : value

/** `line`: of a row whose `form` is this. */
export function recordText(line: string, form: 'raw' | 'xdm'): string {
  const row = parse(line)
  const { body } = row
  const { _errors, _validationErrors, ...bare } = row
  const message = typeof body === 'string' ? parse(body) : isObject(body) ? body : bare
  return JSON.stringify(form === 'xdm' ? message.xdmEntity : message)
}

function parse(text: string): JsonObject {
  const value: unknown = JSON.parse(text, exact as (key: string, value: unknown) => unknown)
  return isObject(value) ? value : {}
}
