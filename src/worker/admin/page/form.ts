/** A form as the page sends it. What is too long, or sent as anything else, is an empty one. */
import { readUpTo } from '../../lib/bounded-body.ts'
import { MAX_FORM_BYTES } from '../../limits.ts'
import type { AppContext } from '../../services.ts'

export async function readForm(c: AppContext): Promise<URLSearchParams> {
  const { bytes, complete } = await readUpTo(c.req.raw, MAX_FORM_BYTES)
  return new URLSearchParams(complete ? new TextDecoder().decode(bytes) : '')
}
