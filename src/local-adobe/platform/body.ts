/** Body: the JSON of a request, with the service's own words for a wrong content type or no JSON. */
import type { Context } from 'hono'
import { isObject, type JsonObject } from '../streaming/message.ts'
import { catalogError, type Refused } from './errors.ts'

/** `refuse` makes the service's own error from a text. */
export async function objectBody(
  c: Context,
  refuse: (message: string) => Refused,
): Promise<JsonObject> {
  const body = await jsonBody(c, refuse)
  if (!isObject(body)) throw refuse('The request body must be a JSON object.')
  return body
}

export async function jsonBody(c: Context, refuse: (message: string) => Refused): Promise<unknown> {
  const type = c.req.header('content-type') ?? ''
  if (!/^application\/(json|[\w.-]+\+json)\b/i.test(type)) {
    throw catalogError(400, 'A valid content-type must be specified')
  }
  const text = await c.req.text()
  if (text.trim() === '') {
    throw refuse(
      'The request body cannot be null or empty. Please provide a request body and try again.',
    )
  }
  try {
    return JSON.parse(text)
  } catch {
    throw refuse('The request body is not valid JSON.')
  }
}

export const text = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null
