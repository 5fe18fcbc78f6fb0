/**
 * The addresses and credentials of others: where events go, with what AEP's own counts may be read, where alerts go.
 *
 * Promises: every missing or inconsistent variable of the destination is a problem; if there are any, the returned destination
 * is not usable, and `config.ts` discards it. Nothing of the rest can hold up an event: an address that does not parse closes
 * its own door, and what is missing or wrong for reading makes the comparison unavailable and says why. That credential is
 * never used for the inlet. The addresses of alerts and heartbeat are secrets, since anyone who has them can post there.
 */
import * as v from 'valibot'
import { SCHEMA_EXTRAS } from '../chatlio/fields.ts'
import { listOf, type VariableReader } from './variables.ts'

/** Where Adobe gives out tokens, and for what. `imsUrl` has no trailing slash. */
type Ims = { imsUrl: string; scopes: string }

/** OAuth server-to-server credentials (AUTH). */
export type Credentials = { clientId: string; clientSecret: string } & Ims

export type Destination = ReturnType<typeof readDestination>
export type RawDestination = Extract<Destination, { format: 'raw' }>
export type XdmDestination = Extract<Destination, { format: 'xdm' }>

export type ReadAccess = ReturnType<typeof readAccess>

/** PagerDuty names no key in its address, so ours does: `?routing_key=…`, or `/integration/KEY/enqueue`. */
export type AlertWebhook =
  | { service: 'slack'; url: string }
  | { service: 'pagerduty'; url: string; routingKey: string }

export function isOnThisMachine({ hostname }: URL): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}

/** May receive credentials and events: encrypted, except on loopback. */
export function isSafe(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isOnThisMachine(url))
}

const httpUrl = v.pipe(
  v.string(),
  v.check((value) => !/[{}]/.test(value), 'the real address, with no {PLACEHOLDER} left'),
  v.check((value) => URL.canParse(value), 'a URL'),
  v.transform((value) => new URL(value)),
  v.check(isSafe, 'an https URL (http only for loopback)'),
  v.check(({ username, password }) => username + password === '', 'a URL without user or password'),
)

/** If it finds problems, the result holds empty strings in place of invalid values. */
export function readDestination(format: 'raw' | 'xdm', variables: VariableReader, ims: Ims) {
  const before = variables.problems.length
  const required = (variable: string) => {
    const value = variables.text(variable)
    if (value === undefined) variables.wrong(variable, `a value (${format} needs it)`)
    return value ?? ''
  }
  const endpoint = variables.read('AEP_ENDPOINT', httpUrl)
  if (!endpoint && variables.problems.length === before) {
    variables.wrong('AEP_ENDPOINT', 'the streaming endpoint')
  }
  const flowId = flowIdOf(endpoint, variables)
  if (format === 'raw' && flowId === null) {
    variables.wrong('AEP_FLOW_ID', 'a value (raw needs it)')
  }
  const inlet = {
    /** The streaming endpoint as configured, with its query: `https://dcs.adobedc.net/collection/{INLET_ID}`. */
    url: endpoint?.href ?? '',
    /** `null`: the inlet needs no authentication. */
    credentials: credentials(variables, ims),
  }
  if (format === 'raw') {
    return { ...inlet, format, flowId: flowId ?? '' }
  }
  const schemaId = required('AEP_SCHEMA_ID')
  return {
    ...inlet,
    format,
    /** `/collection/batch/{INLET_ID}` of the same endpoint (MULTI). */
    batchUrl: endpoint ? batchUrl(endpoint, variables) : '',
    flowId,
    orgId: required('AEP_ORG_ID'),
    datasetId: required('AEP_DATASET_ID'),
    schemaId,
    schemaVersion: variables.text('AEP_SCHEMA_VERSION') ?? '1',
    /** Without the underscore. */
    tenant: tenantOf(required('AEP_TENANT'), schemaId, variables),
    visitorNamespace: variables.text('AEP_VISITOR_NAMESPACE') ?? 'ChatlioVisitor',
    schemaExtras: variables.read('AEP_SCHEMA_EXTRAS', listOf(SCHEMA_EXTRAS)) ?? [],
  }
}

/**
 * Adobe's UI shows the tenant id with a leading underscore, the API without it: both are accepted, in any case. The
 * schema's id names the tenant too. Events under another one are accepted with 200 and kept out of the dataset.
 */
function tenantOf(text: string, schemaId: string, variables: VariableReader): string {
  const tenant = text.replace(/^_+/, '').toLowerCase()
  const [, inId] = /^(?:https:\/\/ns\.adobe\.com\/|_)([^/.]+)[/.]schemas[/.]/i.exec(schemaId) ?? []
  const isNamed = inId?.toLowerCase() === tenant
  if (text !== '' && tenant === '') {
    variables.wrong('AEP_TENANT', 'the tenant id')
  } else if (tenant !== '' && inId !== undefined && !isNamed) {
    variables.wrong('AEP_TENANT', 'the tenant that AEP_SCHEMA_ID names')
  }
  return inId !== undefined && isNamed ? inId : tenant
}

/** In the query of an endpoint, or as a header. */
export const FLOW_ID_PARAMETER = 'x-adobe-flow-id'

/** Sent as a header value, so only visible ASCII is accepted. */
const flowId = v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/, 'an id without spaces'))

/**
 * Also reads the endpoint's query, where Adobe's UI puts the flow id ("as either a query parameter or as part of your
 * HTTP header", HTTP).
 */
function flowIdOf(endpoint: URL | undefined, variables: VariableReader): string | null {
  const given = variables.read('AEP_FLOW_ID', flowId)
  const inUrl = endpoint?.searchParams.get(FLOW_ID_PARAMETER) || undefined
  if (inUrl !== undefined && !v.is(flowId, inUrl)) {
    variables.wrong('AEP_ENDPOINT', `an id in its ${FLOW_ID_PARAMETER}`)
  }
  if (given !== undefined && inUrl !== undefined && given !== inUrl) {
    const expected = `the same flow id as in AEP_ENDPOINT's ${FLOW_ID_PARAMETER}, or none`
    variables.wrong('AEP_FLOW_ID', expected)
  }
  return given ?? inUrl ?? null
}

/** The endpoint with `/collection/` replaced by `/collection/batch/`; host and query stay (MULTI). */
function batchUrl(endpoint: URL, variables: VariableReader): string {
  const url = new URL(endpoint)
  const inlet = /^\/collection\/([^/]+)$/.exec(endpoint.pathname)?.[1]
  if (!inlet) variables.wrong('AEP_ENDPOINT', 'a path of the form /collection/INLET_ID')
  url.pathname = `/collection/batch/${inlet}`
  return url.href
}

/** The scopes that Adobe's own streaming connector requests. The Developer Console shows those of each project. */
export const DEFAULT_SCOPES =
  'openid,AdobeID,read_organizations,additional_info.projectedProductContext,session'

export const DEFAULT_IMS_URL = 'https://ims-na1.adobelogin.com'

export const DEFAULT_PLATFORM_URL = 'https://platform.adobe.io'

/** Without a slash at its end. */
function baseUrl(variables: VariableReader, variable: string): string | undefined {
  return variables.read(variable, httpUrl)?.href.replace(/\/+$/, '')
}

export function readIms(variables: VariableReader): Ims {
  const imsUrl = baseUrl(variables, 'AEP_IMS_URL') ?? DEFAULT_IMS_URL
  return { imsUrl, scopes: variables.text('AEP_SCOPES') ?? DEFAULT_SCOPES }
}

function credentials(variables: VariableReader, ims: Ims): Credentials | null {
  const clientId = variables.text('AEP_CLIENT_ID')
  const clientSecret = variables.text('AEP_CLIENT_SECRET')
  if (!clientId && !clientSecret) return null
  const counterpart = 'a value, since its counterpart is set'
  if (!clientId) variables.wrong('AEP_CLIENT_ID', counterpart)
  if (!clientSecret) variables.wrong('AEP_CLIENT_SECRET', counterpart)
  return { clientId: clientId ?? '', clientSecret: clientSecret ?? '', ...ims }
}

/** `flowId`: of the destination, since it may stand in the endpoint; `null` without a dataflow. `why`: names what is missing. */
export function readAccess(variables: VariableReader, ims: Ims, flowId: string | null) {
  const clientId = variables.text('AEP_READ_CLIENT_ID')
  const clientSecret = variables.text('AEP_READ_CLIENT_SECRET')
  const orgId = variables.text('AEP_ORG_ID')
  const datasetId = variables.text('AEP_DATASET_ID')
  const before = variables.problems.length
  const platformUrl = baseUrl(variables, 'AEP_PLATFORM_URL') ?? DEFAULT_PLATFORM_URL
  if (variables.problems.length > before) {
    return { available: false as const, why: 'AEP_PLATFORM_URL is wrong.' }
  }
  if (!clientId || !clientSecret || !orgId || !datasetId) {
    const missing = [
      clientId ? [] : 'AEP_READ_CLIENT_ID',
      clientSecret ? [] : 'AEP_READ_CLIENT_SECRET',
      orgId ? [] : 'AEP_ORG_ID',
      datasetId ? [] : 'AEP_DATASET_ID',
    ]
    return { available: false as const, why: `Not set: ${missing.flat().join(', ')}.` }
  }
  const credentials = { clientId, clientSecret, ...ims }
  const sandbox = variables.text('AEP_SANDBOX') ?? 'prod'
  const access = { credentials, platformUrl, sandbox, orgId, datasetId, flowId }
  return { available: true as const, ...access }
}

const PAGERDUTY = /^events(\.eu)?\.pagerduty\.com$/

const alertWebhook = v.pipe(
  httpUrl,
  v.transform((url): AlertWebhook | null => {
    if (!PAGERDUTY.test(url.hostname)) return { service: 'slack', url: url.href }
    const inPath = /^\/integration\/([^/]+)/.exec(url.pathname)?.[1]
    const routingKey = url.searchParams.get('routing_key') || inPath
    return routingKey ? { service: 'pagerduty', url: `${url.origin}/v2/enqueue`, routingKey } : null
  }),
  v.check((found) => found !== null, 'an address with ?routing_key=KEY (PagerDuty)'),
)

export function readAlertUrls(variables: VariableReader) {
  return {
    /** `null`: no alerts are sent; their states can be read all the same. */
    webhook: variables.read('ALERT_WEBHOOK_URL', alertWebhook) ?? null,
    /** A dead man's switch; `null`: none is pinged. */
    heartbeatUrl: variables.read('ALERT_HEARTBEAT_URL', httpUrl)?.href ?? null,
    /** The Worker's own address, without a slash at its end; `null`: alerts have no links. */
    publicUrl: baseUrl(variables, 'PUBLIC_URL') ?? null,
  }
}

/** Compared as text; empty when there is no destination. */
export function settingsOf(destination: Destination | null): string {
  if (!destination) return ''
  const { url, format, flowId } = destination
  const own = { url, format, flowId }
  if (destination.format === 'raw') return JSON.stringify(own)
  const { orgId, datasetId, schemaId, schemaVersion, tenant } = destination
  return JSON.stringify({ ...own, orgId, datasetId, schemaId, schemaVersion, tenant })
}
