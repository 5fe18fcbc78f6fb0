/**
 * Extracts from AEP's answer the parts that are safe in a log line or a listing: its title, and the keyword and pointer
 * of each schema violation. AEP's other texts quote the offending values, which may be personal data.
 * Source: the problem documents of VAL.
 */
import { isObject } from '../../lib/json.ts'
import { MAX_REPORT_CHARACTERS } from '../../limits.ts'

/** AEP itself stops after five ("once five errors are encountered", VAL). */
const MAX_VIOLATIONS = 5

/** `answer`: the parsed JSON of AEP's answer. If it is not an object, the report names the status only. */
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

/** The violations of a node and its causes, each as `keyword at pointer`. */
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
