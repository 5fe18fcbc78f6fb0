/** The two refusals that any route of an operator may answer. */
import { problemResponse } from '../http/problem.ts'

/** `detail` names the parameter and the expected value, never the value that was given. */
export function badRequest(detail: string): Response {
  return problemResponse({ code: 'invalid-request', detail })
}

export function notFound(): Response {
  return problemResponse({ code: 'not-found' })
}
