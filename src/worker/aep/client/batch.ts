/**
 * Judges the answer to a batch: one verdict for each message (MULTI: "A response is returned for each element of the
 * request messages array").
 *
 * Promises: matches entries by position, and only if their count is right, because the id in an entry may have another
 * form or be missing. A message counts as accepted only if its own entry reports no failure. Pure.
 */
import { isObject } from '../../lib/json.ts'
import { type Answer, jsonOf, judge, type Verdict } from './verdict.ts'

/**
 * Returns `count` verdicts in the order of the messages, or `bisect`: AEP refused the whole batch, perhaps because of
 * a single message. `now`: epoch ms.
 */
export function judgeBatch(answer: Answer, count: number, now: number): Verdict[] | 'bisect' {
  const { status } = answer
  if (status === 400 || status === 413 || status === 422) return 'bisect'
  const responses = status >= 200 && status < 300 ? responsesOf(answer) : null
  if (responses?.length !== count) {
    // A 2xx without one entry per message is judged like one without JSON: AEP may have any of the messages.
    const verdict = judge(
      status >= 200 && status < 300 ? { ...answer, complete: false } : answer,
      now,
    )
    return Array.from({ length: count }, () => verdict)
  }
  return responses.map((entry) => judgeEntry(entry, answer, now))
}

function responsesOf(answer: Answer): unknown[] | null {
  const json = jsonOf(answer)
  return isObject(json) && Array.isArray(json.responses) ? json.responses : null
}

/** Adobe's pages show three forms: `statusCode`, `status` with an `xactionId`, `status` without one. */
function judgeEntry(entry: unknown, answer: Answer, now: number): Verdict {
  const unreadable = { ...answer, status: 200, body: '', complete: false }
  if (!isObject(entry)) return judge(unreadable, now)
  const stated = entry.status ?? entry.statusCode
  if (stated === undefined || stated === null) return { verdict: 'accepted', status: answer.status }
  const status = Number(stated)
  if (!Number.isInteger(status) || status < 200 || status > 599) return judge(unreadable, now)
  return judge({ ...answer, status, body: JSON.stringify(entry), complete: true }, now)
}
