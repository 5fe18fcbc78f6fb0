/**
 * A request to the Platform APIs as data, and how it is shown: for sending, for `--dry-run`, for messages.
 *
 * Promises: pure; what is shown has the client id, the token and every secret masked.
 */
import { isObject } from '../../worker/lib/json.ts'

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json }
export type JsonRecord = { readonly [key: string]: Json }

export type ApiRequest = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT'
  /** From `/data/…` on. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Json
}

export function pathOf({ path, query = {} }: ApiRequest): string {
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  return pairs.length > 0 ? `${path}?${pairs.join('&')}` : path
}

const MASK = '********'

export function shownRequest(
  request: ApiRequest,
  { platformUrl, orgId, sandbox }: { platformUrl: string; orgId: string; sandbox: string },
): string {
  const headers = {
    authorization: `Bearer ${MASK}`,
    'x-api-key': MASK,
    'x-gw-ims-org-id': orgId,
    'x-sandbox-name': sandbox,
    ...(request.body !== undefined && { 'content-type': 'application/json' }),
    ...request.headers,
  }
  return [
    `${request.method} ${platformUrl}${pathOf(request)}`,
    ...Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`),
    ...(request.body === undefined
      ? []
      : JSON.stringify(request.body, null, 2)
          .split('\n')
          .map((line) => `  ${line}`)),
  ].join('\n')
}

export function shownTokenRequest(imsUrl: string, scopes: string): string {
  return [
    `POST ${imsUrl}/ims/token/v3`,
    '  Content-Type: application/x-www-form-urlencoded',
    `  client_id=${MASK}&client_secret=${MASK}&grant_type=client_credentials&scope=${scopes}`,
  ].join('\n')
}

export function isRecord(value: unknown): value is JsonRecord {
  return isObject(value)
}

/** What stands at a path of keys and positions; null where there is nothing. */
export function at(value: Json, ...keys: readonly (string | number)[]): Json {
  let here: Json = value
  for (const key of keys) {
    if (typeof key === 'number') here = Array.isArray(here) ? (here[key] ?? null) : null
    else here = isRecord(here) && Object.hasOwn(here, key) ? (here[key] ?? null) : null
  }
  return here
}

export function textAt(value: Json, ...keys: readonly (string | number)[]): string | null {
  const found = at(value, ...keys)
  return typeof found === 'string' && found !== '' ? found : null
}

export function listAt(value: Json, ...keys: readonly (string | number)[]): readonly Json[] {
  const found = at(value, ...keys)
  return Array.isArray(found) ? found : []
}
