/**
 * Problem: the error bodies of the streaming endpoint, in the shapes that Adobe documents: the inlet's
 * problem, the authorization problem (whose `status` is a string), and the report of a validation.
 * Where Adobe documents no text, a made-up one has the same shape; nothing may depend on it.
 */

/** One thing wrong with an event. `message` quotes the value, as AEP's texts do. */
export type Violation = {
  /** JSON pointer to the value. */
  readonly pointer: string
  readonly keyword: string
  readonly message: string
  /** As a failed batch names it; by default what is known for the keyword. */
  readonly code?: string
}

export type Problem = {
  readonly type: string
  readonly status: number | string
  readonly title: string
  readonly report: Readonly<Record<string, unknown>>
}

const TYPES = 'ns.adobe.com/adobecloud/problem'
/** AEP stops validating a message after this many errors. */
const MAX_VIOLATIONS = 5

export function inletProblem(status: number, message: string): Problem {
  return {
    type: `http://${TYPES}/data-collection-service/inlet`,
    status,
    title: status === 400 ? 'Invalid XDM Message Format' : 'Inlet',
    report: { message },
  }
}

export function authorizationProblem(status: number, inletId: string, message: string): Problem {
  return {
    type: `https://${TYPES}/data-collection-service-authorization`,
    status: String(status),
    title: 'Authorization',
    report: { message: `[${inletId}] ${message}` },
  }
}

export function validationProblem(message: string, violations: readonly Violation[]): Problem {
  const shown = violations.slice(0, MAX_VIOLATIONS)
  const causingExceptions = shown.map(({ pointer, keyword, message }) => ({
    schemaLocation: `#/properties${pointer}`,
    pointerToViolation: `#${pointer}`,
    causingExceptions: [],
    keyword,
    message,
  }))
  const root = {
    schemaLocation: '#',
    pointerToViolation: '#',
    causingExceptions,
    message: `${shown.length} schema violations found`,
  }
  const problem = inletProblem(400, message)
  return { ...problem, report: { message, cause: { _streamingValidation: [root] } } }
}

/** The body of a scripted status for which the script has none. */
export function bodyForStatus(status: number, inletId: string): Problem | string | null {
  if (status < 400) return null
  if (status === 401 || status === 403) {
    return authorizationProblem(status, inletId, 'Ims service token is not valid')
  }
  if (status === 400 || status === 422) {
    return inletProblem(status, `inletId: [${inletId}] Message has unknown xdm format`)
  }
  // Bodies of 413, 429 and 5xx are not documented: what a gateway says, which is not JSON.
  return `<html><body><h1>${status}</h1></body></html>`
}
