/** An operator's JSON body, checked; what is wrong with it names the place. */
import * as v from 'valibot'
import { problemResponse } from '../http/problem.ts'
import { readUpTo } from '../lib/bounded-body.ts'
import { isObject, parseJson } from '../lib/json.ts'
import { MAX_BODY_BYTES } from '../limits.ts'
import type { AppContext } from '../services.ts'
import { explain } from './parameters.ts'

export async function readBody<Output>(
  c: AppContext,
  schema: v.GenericSchema<unknown, Output>,
): Promise<{ output: Output } | { problem: Response }> {
  const { bytes, complete } = await readUpTo(c.req.raw, MAX_BODY_BYTES)
  const parsed = parseJson(bytes)
  if (!complete || !parsed.ok || !isObject(parsed.value)) {
    return { problem: invalidRequest('body: expected a JSON object') }
  }
  return checked(parsed.value, schema)
}

/** An empty parameter counts as not given. */
export function readQuery<Output>(
  c: AppContext,
  schema: v.GenericSchema<unknown, Output>,
): { output: Output } | { problem: Response } {
  const given = Object.entries(c.req.query()).filter(([, value]) => value !== '')
  return checked(Object.fromEntries(given), schema)
}

function checked<Output>(
  value: unknown,
  schema: v.GenericSchema<unknown, Output>,
): { output: Output } | { problem: Response } {
  const result = v.safeParse(schema, value)
  if (result.success) return { output: result.output }
  return { problem: invalidRequest(result.issues.map(explain).join('; ')) }
}

export function invalidRequest(detail: string): Response {
  return problemResponse({ code: 'invalid-request', detail })
}
