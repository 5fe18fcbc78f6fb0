/**
 * Gateway: the headers that every Platform API demands, checked in the order in which Adobe's gateway
 * and then its services see them: token, API key, organization, sandbox.
 *
 * A missing `x-sandbox-name` means `prod`, as it does for clients that Adobe publishes; with the setting
 * `requireSandbox` it is refused, as the current pages say. The credential that may only read gets a 403 for the rest.
 */
import type { Context } from 'hono'
import type { Ims } from '../ims.ts'
import type { Settings } from '../settings.ts'
import { flowError, gatewayError, Refused as Refusal, type Refused } from './errors.ts'
import { bodyForStatus } from './scripted.ts'

/** On whose behalf a request is made, and where links back to this server point. */
export type Caller = {
  readonly sandbox: string
  readonly orgId: string
  readonly clientId: string
  /** Scheme, host and port by which the caller reached this server. */
  readonly origin: string
}

export type PlatformEnv = { Variables: { caller: Caller } }

export const DEFAULT_SANDBOX = 'prod'

export function callerOf(c: Context, ims: Ims, settings: Settings): Caller {
  const authorization = c.req.header('authorization')
  if (!authorization) throw gatewayError('403010', 'Oauth token is missing.')
  const credential = ims.check(authorization)
  if (!credential.valid) throw gatewayError('401013', 'Oauth token is not valid')
  const clientId = c.req.header('x-api-key')
  if (!clientId) throw gatewayError('403000', 'Api Key is required')
  if (clientId !== credential.clientId) throw gatewayError('403003', 'Api Key is invalid')
  const orgId = c.req.header('x-gw-ims-org-id')
  if (!orgId) throw gatewayError('400003', 'Missing header')
  if (orgId !== settings.orgId) throw gatewayError('403025', 'Profile is not valid')
  const sandbox = sandboxOf(c, settings)
  if (clientId === settings.readClientId && c.req.method !== 'GET') {
    throw new Refusal(403, bodyForStatus(403, c.req.path))
  }
  return { sandbox, orgId, clientId, origin: new URL(c.req.url).origin }
}

function sandboxOf(c: Context, settings: Settings): string {
  // Privacy Service processes every sandbox and ignores the header.
  if (c.req.path.startsWith('/data/core/privacy')) return DEFAULT_SANDBOX
  const name = c.req.header('x-sandbox-name')
  if (!name && settings.requireSandbox) {
    const message =
      'The header x-sandbox-name is missing in the request. Please add the header in the request and try again.'
    throw sandboxError(c.req.path, '2105-400', 'Header is missing', message)
  }
  const sandbox = name || DEFAULT_SANDBOX
  if (settings.sandboxes.includes(sandbox)) return sandbox
  const message = `The sandbox with the name '${sandbox}' could not be found. Error from Sandbox Management API: Sandbox with name '${sandbox}' not present. Please check if resource exists.`
  throw sandboxError(c.req.path, '2101-404', 'Sandbox not found', message)
}

/** Documented for Flow Service; the others get the same text in the plain form of a problem. */
function sandboxError(path: string, code: string, title: string, message: string): Refused {
  if (path.includes('/flowservice')) return flowError(code, title, message)
  const status = Number(code.slice(-3))
  return new Refusal(status, { type: '/placeholder/type/uri', status, title, detail: message })
}
