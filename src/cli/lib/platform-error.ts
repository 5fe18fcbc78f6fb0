/**
 * What Adobe's Platform APIs answer when they refuse, read from each of their forms, and what usually causes it.
 *
 * Promises: pure; keeps Adobe's own code and message, cut to a length that can be read; never a header or a token.
 * Sources: Flow Service and Schema Registry error tables, landing/troubleshooting, the OpenAPI files.
 */
import { isNonEmptyString, isObject } from '../../worker/lib/json.ts'

export type Refusal = {
  /** 0: there was no answer. */
  readonly status: number
  /** Adobe's, such as `FLOW-1425-400`, `403025` or `invalid_client`; empty when Adobe gave no code. */
  readonly code: string
  readonly message: string
  /** As the header has it. */
  readonly retryAfter?: string | null
}

export class PlatformError extends Error {
  readonly refusal: Refusal
  readonly request: string

  /** `request`: method and path, such as `POST /data/foundation/catalog/dataSets`. */
  constructor(request: string, refusal: Refusal) {
    super(describe(request, refusal))
    this.refusal = refusal
    this.request = request
  }
}

function describe(request: string, { status, code, message }: Refusal): string {
  if (status === 0) return `${request}: no answer (${message})`
  const said = [code, message && `"${message}"`].filter(Boolean).join(' ')
  return `${request}: Adobe answered ${status}${said ? ` ${said}` : ''}`
}

const MAX_MESSAGE = 500

export function readRefusal(status: number, body: unknown): Refusal {
  const problem = isObject(body) ? body : {}
  const report = isObject(problem.report) ? problem.report : {}
  const type = texts(problem.type, report.type).find((text) => /[A-Z]+-\d{4}-\d{3}$/.test(text))
  const code = texts(
    problem.error_code,
    type && /[A-Z]+-\d{4}-\d{3}$/.exec(type)?.[0],
    problem.error,
    report.code,
    problem.errorCode,
  )[0]
  const title = texts(problem.title)[0] ?? ''
  const detail = texts(
    report['detailed-message'],
    problem.errorDetails,
    problem.error_description,
    problem.detail,
    problem.description,
    problem.errorMessage,
    problem.message,
  )[0]
  const message =
    detail && title && !detail.includes(title) ? `${title}: ${detail}` : detail || title
  return {
    status,
    code: code ?? '',
    message: message.replaceAll(/\s+/g, ' ').slice(0, MAX_MESSAGE),
  }
}

function texts(...values: readonly unknown[]): string[] {
  return values.filter(isNonEmptyString)
}

/**
 * What usually causes a refusal, and what to do; `permission` is the one that the request needs. `otherwise`: where nothing
 * is known but what Adobe says.
 */
export function adviceOn(
  { refusal: { status, code, message }, request }: PlatformError,
  permission: string,
  otherwise = 'Adobe does not take this request: its message says why.',
): string {
  const isToken = request.endsWith('/ims/token/v3')
  if (isToken && (status === 0 || (status >= 300 && code === '') || status === 404)) return IMS
  const known = ADVICE.find(([pattern]) => pattern.test(code))
  if (known) return known[1]
  if (status === 0)
    return 'Check the network, a proxy, and AEP_PLATFORM_URL; then run the same command again.'
  if (status === 401) return TOKEN
  if (status === 403 || /-(2118|2120|2121)-\d+$/.test(code)) {
    return `The credential lacks a permission. In Adobe Permissions, give the role of this API credential "${permission}" in this sandbox.`
  }
  if (status === 404 && /sandbox/i.test(message)) return SANDBOX
  if (status === 404)
    return 'Check AEP_PLATFORM_URL and AEP_SANDBOX, and that nobody is deleting things at the moment.'
  if (status === 409 || status === 412)
    return 'Somebody changed it at the same moment. Run the same command again.'
  if (status === 429)
    return 'Adobe limits how often its API may be called. Wait some minutes, then run the same command again.'
  if (status >= 500)
    return 'Adobe is not available at the moment. Run the same command again later: it continues where it stopped.'
  return otherwise
}

const IMS =
  'That is AEP_IMS_URL, where Adobe gives out access tokens. Check the address: most organizations use https://ims-na1.adobelogin.com, whatever their region. If it is right, check the network or a proxy, and run the same command again.'
const TOKEN =
  'The access token was not taken. Check that AEP_CLIENT_ID and AEP_CLIENT_SECRET belong to one OAuth Server-to-Server credential of this organization.'
const ORGANIZATION =
  'Check AEP_ORG_ID (it ends with @AdobeOrg), and that the project of this credential in the Developer Console belongs to that organization.'
const SANDBOX = 'Check AEP_SANDBOX: the name of the sandbox (not its title), in this organization.'
const PROFILE =
  'The credential has no access to Experience Platform. In the Developer Console, add the Experience Platform API to its project and choose a product profile; in Adobe Permissions, add the credential to a role.'

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /^invalid_client$/,
    'Check AEP_CLIENT_ID and AEP_CLIENT_SECRET: the client ID and client secret of an OAuth Server-to-Server credential in the Developer Console.',
  ],
  [
    /^invalid_scope$/,
    'Check AEP_SCOPES: the scopes that the Developer Console shows for this credential, separated by commas.',
  ],
  [
    /^(unauthorized_client|unsupported_grant_type)$/,
    'The credential must be an OAuth Server-to-Server one: others do not take client_credentials.',
  ],
  [/^(403010|401013)$|-(2114|2115)-\d+$|^INVALID_IMS_TOKEN$/, TOKEN],
  [
    /^(403000|403003)$/,
    'Check AEP_CLIENT_ID: it is sent as the API key, and must be that of the credential the token is for.',
  ],
  [/^400003$|-(2000|2001|2002)-\d+$/, ORGANIZATION],
  [/^403025$/, `${PROFILE} ${ORGANIZATION}`],
  [/-(2100|2101|2103|2105|2106)-\d+$/, SANDBOX],
  [
    /-1100-\d+$/,
    "The organization may not use this source: Chatlio is a beta of Adobe's. Ask Adobe for it, or run again with --authenticated, which uses the HTTP API source instead.",
  ],
  [
    /-1419-\d+$/,
    'Data Prep did not take the mapping. Usually the schema changed a moment ago, or the credential may not see a field: wait 15 minutes after a change of the schema, then run the same command again.',
  ],
  [
    /-1425-\d+$/,
    'Dataset and mapping must have the same schema. Run --status to see which of them differs, or use another --name.',
  ],
  [
    /-1521-\d+$/,
    'Titles are unique in the Schema Registry, across schemas, field groups, classes and data types. Choose another --name.',
  ],
  [
    /-152[678]-\d+$/,
    'The schema cannot take part in Profile without an identityMap or a primary identity.',
  ],
  [
    /-(1006|1007|1008|1009)-\d+$/,
    'Adobe did not take the Accept header: this version of the relay asks in a way that your region does not know. Please report it.',
  ],
  [
    /CONFLICT|CODE_EXISTS/,
    'A namespace of that code exists and is not visible to this credential. Give its role "Identity Management: View Identity Namespaces".',
  ],
]
