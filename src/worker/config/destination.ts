/**
 * Parses the variables that say where events go: AEP_ENDPOINT and its companions.
 * Promises: every missing or inconsistent variable adds a problem. If there are problems, the returned destination is
 * not usable; `config.ts` then discards it.
 */
import * as v from 'valibot'
import { SCHEMA_EXTRAS, type SchemaExtra } from '../chatlio/fields.ts'
import { type ConfigProblem, listOf, type ReadVariable, text } from './variables.ts'

/** Where Adobe gives out tokens, and for what. `imsUrl` has no trailing slash. */
export type Ims = { imsUrl: string; scopes: string }

/** OAuth server-to-server credentials (AUTH). */
export type Credentials = { clientId: string; clientSecret: string } & Ims

type Inlet = {
  /** The streaming endpoint as configured, with its query: `https://dcs.adobedc.net/collection/{INLET_ID}`. */
  url: string
  /** `null`: the inlet needs no authentication. */
  credentials: Credentials | null
}
export type RawDestination = Inlet & { format: 'raw'; flowId: string }
export type XdmDestination = Inlet & {
  format: 'xdm'
  /** `/collection/batch/{INLET_ID}` of the same endpoint (MULTI). */
  batchUrl: string
  flowId: string | null
  orgId: string
  datasetId: string
  schemaId: string
  schemaVersion: string
  /** Tenant id without the underscore. */
  tenant: string
  visitorNamespace: string
  schemaExtras: readonly SchemaExtra[]
}
export type Destination = RawDestination | XdmDestination

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** An address that may receive credentials and events: encrypted, except on loopback. */
export const httpUrl = v.pipe(
  v.string(),
  v.check((value) => !/[{}]/.test(value), 'the real address, with no {PLACEHOLDER} left'),
  v.check((value) => URL.canParse(value), 'a URL'),
  v.transform((value) => new URL(value)),
  v.check(
    ({ protocol, hostname }) =>
      protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname)),
    'an https URL (http only for loopback)',
  ),
  v.check(({ username, password }) => username + password === '', 'a URL without user or password'),
)

/** Adds to `problems`; if it added any, the result holds empty strings in place of invalid values. */
export function readDestination(
  format: 'raw' | 'xdm',
  read: ReadVariable,
  problems: ConfigProblem[],
  ims: Ims,
): Destination {
  const before = problems.length
  const required = (variable: string) => {
    const value = read(variable, text)
    if (value === undefined) problems.push({ variable, expected: `a value (${format} needs it)` })
    return value ?? ''
  }
  const endpoint = read('AEP_ENDPOINT', httpUrl)
  if (!endpoint && problems.length === before) {
    problems.push({ variable: 'AEP_ENDPOINT', expected: 'the streaming endpoint' })
  }
  const flowId = flowIdOf(endpoint, read, problems)
  if (format === 'raw' && flowId === null) {
    problems.push({ variable: 'AEP_FLOW_ID', expected: 'a value (raw needs it)' })
  }
  const inlet = { url: endpoint?.href ?? '', credentials: credentials(read, problems, ims) }
  if (format === 'raw') {
    return { ...inlet, format, flowId: flowId ?? '' }
  }
  const schemaId = required('AEP_SCHEMA_ID')
  return {
    ...inlet,
    format,
    batchUrl: endpoint ? batchUrl(endpoint, problems) : '',
    flowId,
    orgId: required('AEP_ORG_ID'),
    datasetId: required('AEP_DATASET_ID'),
    schemaId,
    schemaVersion: read('AEP_SCHEMA_VERSION', text) ?? '1',
    tenant: tenantOf(required('AEP_TENANT'), schemaId, problems),
    visitorNamespace: read('AEP_VISITOR_NAMESPACE', text) ?? 'ChatlioVisitor',
    schemaExtras: read('AEP_SCHEMA_EXTRAS', listOf(SCHEMA_EXTRAS)) ?? [],
  }
}

/**
 * Adobe's UI shows the tenant id with a leading underscore, the API without it: both are accepted, in any case. The
 * schema's id names the tenant too. Events under another one are accepted with 200 and kept out of the dataset.
 */
function tenantOf(text: string, schemaId: string, problems: ConfigProblem[]): string {
  const tenant = text.replace(/^_+/, '').toLowerCase()
  const [, inId] = /^(?:https:\/\/ns\.adobe\.com\/|_)([^/.]+)[/.]schemas[/.]/i.exec(schemaId) ?? []
  if (text !== '' && tenant === '') {
    problems.push({ variable: 'AEP_TENANT', expected: 'the tenant id' })
  } else if (tenant !== '' && inId !== undefined && inId.toLowerCase() !== tenant) {
    problems.push({ variable: 'AEP_TENANT', expected: 'the tenant that AEP_SCHEMA_ID names' })
  }
  return inId !== undefined && inId.toLowerCase() === tenant ? inId : tenant
}

const FLOW_ID_PARAMETER = 'x-adobe-flow-id'

/** Sent as a header value, so only visible ASCII is accepted. */
const flowId = v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/, 'an id without spaces'))

/**
 * Also reads the endpoint's query, where Adobe's UI puts the flow id ("as either a query parameter or as part of your
 * HTTP header", HTTP).
 */
function flowIdOf(
  endpoint: URL | undefined,
  read: ReadVariable,
  problems: ConfigProblem[],
): string | null {
  const given = read('AEP_FLOW_ID', flowId)
  const inUrl = endpoint?.searchParams.get(FLOW_ID_PARAMETER) || undefined
  if (inUrl !== undefined && !v.is(flowId, inUrl)) {
    problems.push({ variable: 'AEP_ENDPOINT', expected: `an id in its ${FLOW_ID_PARAMETER}` })
  }
  if (given !== undefined && inUrl !== undefined && given !== inUrl) {
    problems.push({
      variable: 'AEP_FLOW_ID',
      expected: `the same flow id as in AEP_ENDPOINT's ${FLOW_ID_PARAMETER}, or none`,
    })
  }
  return given ?? inUrl ?? null
}

/** The endpoint with `/collection/` replaced by `/collection/batch/`; host and query stay (MULTI). */
function batchUrl(endpoint: URL, problems: ConfigProblem[]): string {
  const url = new URL(endpoint)
  const inlet = /^\/collection\/([^/]+)$/.exec(endpoint.pathname)?.[1]
  if (!inlet) {
    problems.push({ variable: 'AEP_ENDPOINT', expected: 'a path of the form /collection/INLET_ID' })
  }
  url.pathname = `/collection/batch/${inlet}`
  return url.href
}

/** The scopes that Adobe's own streaming connector requests. The Developer Console shows those of each project. */
export const DEFAULT_SCOPES =
  'openid,AdobeID,read_organizations,additional_info.projectedProductContext,session'

export const DEFAULT_IMS_URL = 'https://ims-na1.adobelogin.com'

export function readIms(read: ReadVariable): Ims {
  const imsUrl = (read('AEP_IMS_URL', httpUrl)?.href ?? DEFAULT_IMS_URL).replace(/\/+$/, '')
  return { imsUrl, scopes: read('AEP_SCOPES', text) ?? DEFAULT_SCOPES }
}

function credentials(read: ReadVariable, problems: ConfigProblem[], ims: Ims): Credentials | null {
  const clientId = read('AEP_CLIENT_ID', text)
  const clientSecret = read('AEP_CLIENT_SECRET', text)
  if (clientId === undefined && clientSecret === undefined) return null
  for (const [variable, value] of Object.entries({
    AEP_CLIENT_ID: clientId,
    AEP_CLIENT_SECRET: clientSecret,
  })) {
    if (value === undefined) {
      problems.push({ variable, expected: 'a value, since its counterpart is set' })
    }
  }
  return { clientId: clientId ?? '', clientSecret: clientSecret ?? '', ...ims }
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
