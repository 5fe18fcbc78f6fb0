/** Relay: one request to an operators' route, its failures as sentences. */
import { askRelay, explainReply, type Fields } from '../lib/relay-reply.ts'
import type { Common } from './options.ts'

/** Thirty days by the hour, every kind and outcome. */
const MAX_ANSWER_BYTES = 16_777_216

export type RelayAnswer =
  | { readonly status: number; readonly body: Fields }
  | { readonly wrong: string }

/** Of any status but 401: what it means is the caller's to say. */
export async function askAdmin(
  { base, adminToken }: Pick<Common, 'base' | 'adminToken'>,
  path: string,
  body?: object,
  signal?: AbortSignal,
): Promise<RelayAnswer> {
  const reply = await askRelay(`${base}/admin/${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    maxBytes: MAX_ANSWER_BYTES,
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  })
  if (reply.by !== 'relay') return { wrong: explainReply(reply) }
  if (reply.status === 401) {
    return { wrong: 'The admin token is wrong: the relay has another ADMIN_TOKEN.' }
  }
  return reply
}

/** What the relay has sent in each hour, in records; AEP has acknowledged all of it. */
export async function sentByHour(
  options: Common,
  from: number,
  to: number,
): Promise<ReadonlyMap<number, number> | { readonly wrong: string }> {
  const range = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`
  const answer = await askAdmin(options, `activity?${range}&step=hour`)
  if ('wrong' in answer) return answer
  const { status, body } = answer
  if (status !== 200 || !Array.isArray(body.points)) {
    return { wrong: `The relay answered ${status} to the question what it has sent.` }
  }
  const hours = new Map<number, number>()
  for (const point of body.points as readonly Fields[]) {
    const { at, outcome, count, records } = point
    if (outcome !== 'forwarded' && outcome !== 'drained') continue
    const hour = Date.parse(String(at))
    // A split event is several records.
    hours.set(hour, (hours.get(hour) ?? 0) + Number(records ?? count))
  }
  return hours
}
