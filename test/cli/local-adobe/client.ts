/** What the tests of the Platform APIs share: a server, a client with the headers Adobe demands, a chain. */
import { fieldGroup } from '../../../src/worker/aep/schema/field-group.ts'
import namespace from '../../../src/worker/aep/schema/identity-namespace.json'
import schemaBody from '../../../src/worker/aep/schema/schema.json'

export const REGISTRY = '/data/foundation/schemaregistry'
export const CATALOG = '/data/foundation/catalog'
export const FLOWS = '/data/foundation/flowservice'
export const MAPPINGS = '/data/foundation/conversion/mappingSets'
export const NAMESPACES = '/data/core/idnamespace/identities'

/** An answer is read field by field, as JSON is; a field that is not there fails the test. */
type Answered = {
  status: number
  body: ReturnType<(typeof JSON)['parse']>
  headers: Headers
}
export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answered>

async function tokenOf(url: string): Promise<string> {
  const form = {
    client_id: 'local-client',
    client_secret: 'local-client-secret',
    grant_type: 'client_credentials',
    scope: 'openid',
  }
  const response = await fetch(`${url}/ims/token/v3`, {
    method: 'POST',
    body: new URLSearchParams(form),
  })
  const { access_token } = (await response.json()) as { access_token: string }
  return access_token
}

/** An empty value in `headers` takes that header away. */
export async function clientOf(url: string): Promise<Call> {
  const common = {
    authorization: `Bearer ${await tokenOf(url)}`,
    'x-api-key': 'local-client',
    'x-gw-ims-org-id': 'LOCAL@AdobeOrg',
    'x-sandbox-name': 'prod',
  }
  return async (method, path, body, headers = {}) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const all = Object.entries({ ...common, ...json, ...headers }).filter(([, value]) => value)
    const address = path.startsWith('http') ? path : `${url}${path}`
    const response = await fetch(address, {
      method,
      headers: Object.fromEntries(all),
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      body: text === '' ? null : JSON.parse(text),
      headers: response.headers,
    }
  }
}

export const FIELD_GROUP = JSON.parse(
  JSON.stringify(fieldGroup).replaceAll('{TENANT_ID}', 'localtenant'),
)
export const NAMESPACE = namespace
export const LIST = { accept: 'application/vnd.adobe.xed-id+json' }
export const LOOKUP = { accept: 'application/vnd.adobe.xed+json; version=1' }
const XED = 'application/vnd.adobe.xed-full+json;version=1'

export const CHATLIO_SPEC = { id: '073127a3-26e3-496c-9d94-9f48fb93fba8', version: '1.0' }
export const HTTP_SPEC = { id: 'bc7b00d6-623a-4dfc-9fdb-f1240aeadaeb', version: '1.0' }
export const LAKE_SPEC = { id: 'c604ff05-7f1a-43c0-8e18-33bf874cb11c', version: '1.0' }
export const RAW_FLOW = { id: 'e77fde5a-22a8-11ed-861d-0242ac120002', version: '1.0' }
export const XDM_FLOW = { id: 'd8a6f005-7eaf-4153-983e-e8574508b877', version: '1.0' }

export const MAPPING_ROWS = [
  { sourceType: 'ATTRIBUTE', source: '_id', destination: '_id' },
  { sourceType: 'ATTRIBUTE', source: 'timestamp', destination: 'timestamp' },
  { sourceAttribute: 'visitor.UUID', destinationXdmPath: '_localtenant.chatlio.visitor.uuid' },
  {
    sourceType: 'ATTRIBUTE',
    source: 'messages[*].text',
    destination: '_localtenant.chatlio.messages[*].text',
  },
  {
    sourceType: 'EXPRESSION',
    source: 'iif(is_empty(message), "none", upper(trim(message)))',
    destination: '_localtenant.chatlio.message',
  },
]

export async function makeSchema(call: Call): Promise<{ groupId: string; schemaId: string }> {
  const group = await call('POST', `${REGISTRY}/tenant/fieldgroups`, FIELD_GROUP)
  const groupId: string = group.body.$id
  const { 'meta:immutableTags': _union, ...body } = JSON.parse(
    JSON.stringify(schemaBody).replace('{FIELD_GROUP_ID}', groupId),
  )
  const schema = await call('POST', `${REGISTRY}/tenant/schemas`, body)
  return { groupId, schemaId: schema.body.$id }
}

export async function makeDataSet(call: Call, schemaId: string, tags = {}): Promise<string> {
  const schemaRef = { id: schemaId, contentType: XED }
  const made = await call('POST', `${CATALOG}/dataSets`, { name: 'Events', schemaRef, tags })
  return made.body[0].replace('@/dataSets/', '')
}

export function mappingSet(schemaId: string, mappings: unknown = MAPPING_ROWS) {
  return {
    name: 'Mapping',
    outputSchema: { schemaRef: { id: schemaId, contentType: XED } },
    mappings,
  }
}

export async function makeTarget(call: Call, schemaId: string, dataSetId: string) {
  const made = await call('POST', `${FLOWS}/targetConnections`, {
    name: 'Target',
    connectionSpec: LAKE_SPEC,
    data: { format: 'json', schema: { id: schemaId, version: `${XED}.0` } },
    params: { dataSetId },
  })
  return made.body.id as string
}

type Chain = {
  schemaId: string
  dataSetId: string
  sourceId: string
  targetId: string
  mappingId: string
  flowId: string
  etag: string
}

/** Everything that a raw flow needs, and the flow. */
export async function makeRawChain(call: Call, mappings?: unknown): Promise<Chain> {
  const { schemaId } = await makeSchema(call)
  const dataSetId = await makeDataSet(call, schemaId)
  const source = await call('POST', `${FLOWS}/sourceConnections`, {
    name: 'Source',
    connectionSpec: CHATLIO_SPEC,
    data: { format: 'json' },
  })
  const targetId = await makeTarget(call, schemaId, dataSetId)
  const mapping = await call('POST', MAPPINGS, mappingSet(schemaId, mappings))
  const flow = await call('POST', `${FLOWS}/flows`, {
    name: 'Flow',
    flowSpec: RAW_FLOW,
    sourceConnectionIds: [source.body.id],
    targetConnectionIds: [targetId],
    transformations: [
      { name: 'Mapping', params: { mappingId: mapping.body.id, mappingVersion: 0 } },
    ],
  })
  return {
    schemaId,
    dataSetId,
    sourceId: source.body.id,
    targetId,
    mappingId: mapping.body.id,
    flowId: flow.body.id,
    etag: flow.body.etag,
  }
}

export async function flowOf(call: Call, id: string) {
  return (await call('GET', `${FLOWS}/flows/${id}`)).body.items[0]
}
