/** The JSON body of an operator's request; `undefined` if it is not JSON, or too large. */
import { readUpTo } from '../lib/bounded-body.ts'
import { parseJson } from '../lib/json.ts'
import { MAX_BODY_BYTES } from '../limits.ts'

export async function readJson(request: Request): Promise<unknown> {
  const { bytes, complete } = await readUpTo(request, MAX_BODY_BYTES)
  const parsed = parseJson(bytes)
  return complete && parsed.ok ? parsed.value : undefined
}
