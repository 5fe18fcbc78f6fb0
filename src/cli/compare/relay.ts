/** Relay: what it has sent, as it tells operators. */
import { adminAnswer, type Fields, type Operator } from '../lib/relay-reply.ts'

/** What the relay has sent in each hour, in records; AEP has acknowledged all of it. */
export async function sentByHour(
  relay: Operator,
  from: number,
  to: number,
): Promise<ReadonlyMap<number, number> | { readonly wrong: string }> {
  const range = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`
  const answer = await adminAnswer(relay, `activity?${range}&step=hour`)
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
