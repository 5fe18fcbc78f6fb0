/**
 * What a batch answer means for each of its messages (MULTI: "A response is returned for each element of the request
 * messages array").
 *
 * Promises: matches by position, and only when the count is right: an id in an answer may have another form, or be
 * missing. A message counts as accepted only if its own entry says nothing else. Pure.
 */
import { isObject } from '../../lib/json.ts'
import { type Answer, judge, type Verdict } from './verdict.ts'

/** `bisect`: the batch was refused as a whole for what may be the fault of one message. */
export function judgeBatch(answer: Answer, count: number, now: number): Verdict[] | 'bisect' {
  const { status } = answer
  if (status === 400 || status === 413 || status === 422) return 'bisect'
  const responses = status >= 200 && status < 300 ? responsesOf(answer) : null
  if (responses?.length !== count) {
    // A 2xx that is no list of as many entries is read as one without JSON: nobody knows what AEP has taken.
    const whole = judge(
      status >= 200 && status < 300 ? { ...answer, complete: false } : answer,
      now,
    )
    return Array.from({ length: count }, () => whole)
  }
  return responses.map((entry) => judgeEntry(entry, answer, now))
}

function responsesOf({ body, complete }: Answer): unknown[] | null {
  if (!complete) return null
  try {
    const json: unknown = JSON.parse(body)
    return isObject(json) && Array.isArray(json.responses) ? json.responses : null
  } catch {
    return null
  }
}

/** Three dialects are known: `statusCode`, `status` with an `xactionId`, `status` without one. */
function judgeEntry(entry: unknown, answer: Answer, now: number): Verdict {
  const unreadable = { ...answer, status: 200, body: '', complete: false }
  if (!isObject(entry)) return judge(unreadable, now)
  const told = entry.status ?? entry.statusCode
  if (told === undefined || told === null) return { verdict: 'accepted', status: answer.status }
  const status = Number(told)
  if (!Number.isInteger(status) || status < 200 || status > 599) return judge(unreadable, now)
  return judge({ ...answer, status, body: JSON.stringify(entry), complete: true }, now)
}
