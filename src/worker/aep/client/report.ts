/**
 * What of AEP's answer may be repeated in a log line or a list: its title, and keyword and pointer of each
 * schema violation. AEP's other texts quote the values they complain about, which may be personal data.
 * Source: the problem documents in ingestion/quality/streaming-validation (VAL).
 */
import { isObject } from '../../lib/json.ts'
import { MAX_REPORT_CHARACTERS } from '../../limits.ts'

/** Most violations named; AEP itself stops at five ("once five errors are encountered", VAL). */
const MAX_VIOLATIONS = 5

/** `answer` is the parsed JSON of AEP's answer, or anything else: then there is nothing to report but the status. */
export function safeReport(answer: unknown, status: number): string {
  const fallback = `AEP answered ${status}`
  if (!isObject(answer)) return fallback
  const title = short(answer.title) ?? fallback
  const report = isObject(answer.report) ? answer.report : {}
  const cause = isObject(report.cause) ? report.cause._streamingValidation : undefined
  const violations = Array.isArray(cause) ? cause.flatMap((node) => violationsOf(node, 0)) : []
  return violations.length === 0
    ? title
    : `${title}: ${violations.slice(0, MAX_VIOLATIONS).join(', ')}`
}

/** The leaves of the tree of causes: `keyword at pointer`. */
function violationsOf(node: unknown, depth: number): string[] {
  if (!isObject(node) || depth > 8) return []
  const nested = Array.isArray(node.causingExceptions) ? node.causingExceptions : []
  const keyword = short(node.keyword)
  const own = keyword ? [`${keyword} at ${short(node.pointerToViolation) ?? '#'}`] : []
  return [
    ...own,
    ...nested.slice(0, MAX_VIOLATIONS).flatMap((each) => violationsOf(each, depth + 1)),
  ]
}

function short(text: unknown): string | undefined {
  return typeof text === 'string' && text !== '' ? text.slice(0, MAX_REPORT_CHARACTERS) : undefined
}
