/**
 * The environment, parsed once into what the relay works with.
 *
 * Promises: a broken value never throws and never costs an event. It becomes a problem that names the variable
 * and what is expected there, never its value; the relay then stores instead of relaying. Fails closed: without
 * a usable webhook key nothing is let in, without a usable admin token there are no admin routes.
 * Defaults live here; `wrangler.toml` only overrides.
 */
import * as v from 'valibot'
import { AEP_MAX_REQUEST_BYTES, MIN_SECRET_CHARACTERS } from './limits.ts'

/** What is wrong with one variable. */
export type Problem = { variable: string; expected: string }

/** OAuth server-to-server credentials of an authenticated inlet (landing/api-authentication). */
export type Credentials = { clientId: string; clientSecret: string; scopes: string; imsUrl: string }

type Inlet = {
  /** The streaming endpoint, as configured: `https://dcs.adobedc.net/collection/{INLET_ID}`, its query included. */
  url: string
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
}
export type Destination = RawDestination | XdmDestination

export type Config = {
  /** Empty: no webhook is let in. */
  webhookKeys: readonly string[]
  /** `null`: there are no admin routes. */
  adminToken: string | null
  /** `null`: something about AEP, or a number, does not parse. Everything is stored, nothing relayed (hold `configuration`). */
  destination: Destination | null
  problems: readonly Problem[]
  forwardTimeoutMs: number
  drainTimeoutMs: number
  outboxShards: number
  maxEventBytes: number
  retryBaseMs: number
  retryCapMs: number
  retentionMs: number
}

/** Any record of variables: numbers and booleans are what `[vars]` in TOML may hold. */
export type Variables = { readonly [name: string]: unknown }

/** Parsed once per isolate: the runtime hands every request the same environment. */
const parsed = new WeakMap<object, Config>()

export function configOf(env: object): Config {
  let config = parsed.get(env)
  if (!config) {
    config = parseConfig(env as Variables)
    parsed.set(env, config)
  }
  return config
}

export function parseConfig(env: Variables): Config {
  const problems: Problem[] = []
  const read = reader(env, problems)
  const forwardTimeoutMs = read('FORWARD_TIMEOUT_MS', whole(0, 60_000)) ?? 3_000
  const drainTimeoutMs = read('DRAIN_TIMEOUT_MS', whole(1, 300_000)) ?? 15_000
  const retryBaseMs = read('RETRY_BASE_MS', whole(1, 3_600_000)) ?? 1_000
  const retryCapMs = read('RETRY_CAP_MS', whole(1, 86_400_000)) ?? 60_000
  const format = read('AEP_FORMAT', v.picklist(['raw', 'xdm'], 'raw or xdm')) ?? 'raw'
  const maxEventBytes = read('MAX_EVENT_BYTES', whole(MIN_EVENT_BYTES, AEP_MAX_REQUEST_BYTES))
  const outboxShards = read('OUTBOX_SHARDS', whole(1, 256)) ?? 1
  const retentionDays = read('RETENTION_DAYS', days) ?? 30
  const parsedDestination = destination(format, read, problems)
  const usable = problems.length === 0
  // Read last: a secret of the wrong form closes its own door, it does not stop relaying.
  return {
    webhookKeys: webhookKeys(env.WEBHOOK_KEYS, problems),
    adminToken: read('ADMIN_TOKEN', secret) ?? null,
    destination: usable ? parsedDestination : null,
    problems,
    forwardTimeoutMs,
    drainTimeoutMs: Math.max(drainTimeoutMs, forwardTimeoutMs),
    outboxShards,
    maxEventBytes: maxEventBytes ?? (format === 'xdm' ? 9_500 : 1_000_000),
    retryBaseMs,
    retryCapMs: Math.max(retryCapMs, retryBaseMs),
    retentionMs: retentionDays * 86_400_000,
  }
}

/** Below this there is no room for a part's own fields beside its text. */
const MIN_EVENT_BYTES = 2_000

type Read = <T>(variable: string, schema: v.GenericSchema<string, T>) => T | undefined

/** Reads one variable; unset or blank is `undefined`, a value that does not parse is a problem and `undefined`. */
function reader(env: Variables, problems: Problem[]): Read {
  return (variable, schema) => {
    const text = plain(env[variable])
    if (text === '') return undefined
    const result = v.safeParse(schema, text, { abortEarly: true })
    if (result.success) return result.output
    problems.push({ variable, expected: result.issues[0].message })
    return undefined
  }
}

function plain(value: unknown): string {
  return value === undefined || value === null ? '' : String(value).trim()
}

function whole(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/, expected),
    v.transform(Number),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  )
}

const days = v.pipe(
  v.string(),
  v.regex(/^\d{1,4}(\.\d{1,6})?$/, 'a number of days'),
  v.transform(Number),
  v.minValue(0.000_01, 'a number of days above 0'),
)

const text = v.string()

const secret = v.pipe(
  v.string(),
  v.minLength(MIN_SECRET_CHARACTERS, `${MIN_SECRET_CHARACTERS} characters or more`),
)

/** One key too short, and none counts: a typing error must not leave an easy key beside the good ones. */
function webhookKeys(value: unknown, problems: Problem[]): string[] {
  const keys = plain(value)
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
  if (keys.length > 0 && keys.every((key) => key.length >= MIN_SECRET_CHARACTERS)) return keys
  problems.push({
    variable: 'WEBHOOK_KEYS',
    expected: `keys of ${MIN_SECRET_CHARACTERS} characters or more, separated by commas`,
  })
  return []
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** An address that credentials and events may be sent to: encrypted, unless it never leaves this machine. */
const httpUrl = v.pipe(
  v.string(),
  v.check((value) => !/[{}]/.test(value), 'the real address, with no {PLACEHOLDER} left'),
  v.check(URL.canParse, 'a URL'),
  v.transform((value) => new URL(value)),
  v.check(
    ({ protocol, hostname }) =>
      protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname)),
    'an https URL (http only for loopback)',
  ),
  v.check(({ username, password }) => username + password === '', 'a URL without user or password'),
)

function destination(format: 'raw' | 'xdm', read: Read, problems: Problem[]): Destination {
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
  const inlet = { url: endpoint?.href ?? '', credentials: credentials(read, problems) }
  if (format === 'raw') {
    return { ...inlet, format, flowId: flowId ?? '' }
  }
  return {
    ...inlet,
    format,
    batchUrl: endpoint ? batchUrl(endpoint, problems) : '',
    flowId,
    orgId: required('AEP_ORG_ID'),
    datasetId: required('AEP_DATASET_ID'),
    schemaId: required('AEP_SCHEMA_ID'),
    schemaVersion: read('AEP_SCHEMA_VERSION', text) ?? '1',
    tenant: required('AEP_TENANT').replace(/^_/, ''),
    visitorNamespace: read('AEP_VISITOR_NAMESPACE', text) ?? 'ChatlioVisitor',
  }
}

const FLOW_ID_PARAMETER = 'x-adobe-flow-id'

/** Adobe's UI hands the endpoint out with the flow id in its query ("as either a query parameter or as part of your HTTP header", HTTP). */
function flowIdOf(endpoint: URL | undefined, read: Read, problems: Problem[]): string | null {
  const given = read('AEP_FLOW_ID', text)
  const inUrl = endpoint?.searchParams.get(FLOW_ID_PARAMETER) || undefined
  if (given !== undefined && inUrl !== undefined && given !== inUrl) {
    problems.push({
      variable: 'AEP_FLOW_ID',
      expected: `the same flow id as in AEP_ENDPOINT's ${FLOW_ID_PARAMETER}, or none`,
    })
  }
  return given ?? inUrl ?? null
}

/** Same host and query, `/collection/` turned into `/collection/batch/`. */
function batchUrl(endpoint: URL, problems: Problem[]): string {
  const url = new URL(endpoint)
  const inlet = /^\/collection\/(?!batch\/)([^/]+)$/.exec(endpoint.pathname)?.[1]
  if (!inlet) {
    problems.push({ variable: 'AEP_ENDPOINT', expected: 'a path of the form /collection/INLET_ID' })
  }
  url.pathname = `/collection/batch/${inlet}`
  return url.href
}

/** Scopes that Adobe's own streaming connector asks for; a project's own are shown in the Developer Console. */
const DEFAULT_SCOPES =
  'openid,AdobeID,read_organizations,additional_info.projectedProductContext,session'

function credentials(read: Read, problems: Problem[]): Credentials | null {
  const clientId = read('AEP_CLIENT_ID', text)
  const clientSecret = read('AEP_CLIENT_SECRET', text)
  const imsUrl = read('AEP_IMS_URL', httpUrl)
  const scopes = read('AEP_SCOPES', text) ?? DEFAULT_SCOPES
  if (clientId === undefined && clientSecret === undefined) return null
  for (const [variable, value] of Object.entries({
    AEP_CLIENT_ID: clientId,
    AEP_CLIENT_SECRET: clientSecret,
  })) {
    if (value === undefined) {
      problems.push({ variable, expected: 'a value, since its counterpart is set' })
    }
  }
  return {
    clientId: clientId ?? '',
    clientSecret: clientSecret ?? '',
    scopes,
    imsUrl: (imsUrl?.href ?? 'https://ims-na1.adobelogin.com').replace(/\/+$/, ''),
  }
}
