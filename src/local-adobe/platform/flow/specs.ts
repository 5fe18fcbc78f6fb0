/** Specs: the connection and flow specifications that a flow into the data lake can be built from. */
type ConnectionSpec = {
  readonly id: string
  readonly name: string
  readonly role: 'source' | 'target'
  /** Needs a base connection, whose `auth` says which kind of data comes. */
  readonly needsBase?: boolean
}

const STREAMING_PROVIDER = '521eee4d-8cbe-4906-bb48-fb6bd4450033'
export const HTTP_API = 'bc7b00d6-623a-4dfc-9fdb-f1240aeadaeb'
const DATA_LAKE = 'c604ff05-7f1a-43c0-8e18-33bf874cb11c'

export const CONNECTION_SPECS: readonly ConnectionSpec[] = [
  { id: '073127a3-26e3-496c-9d94-9f48fb93fba8', name: 'chatlio-webhook', role: 'source' },
  { id: 'e77fd9d2-22a8-11ed-861d-0242ac120002', name: 'streaming-generic', role: 'source' },
  { id: HTTP_API, name: 'Streaming Connection', role: 'source', needsBase: true },
  { id: DATA_LAKE, name: 'datalake', role: 'target' },
]

type FlowSpec = {
  readonly id: string
  readonly name: string
  readonly sources: readonly string[]
  readonly mapping: boolean
}

const WEBHOOKS = CONNECTION_SPECS.filter((one) => one.role === 'source' && !one.needsBase)
export const FLOW_SPECS: readonly FlowSpec[] = [
  {
    id: 'e77fde5a-22a8-11ed-861d-0242ac120002',
    name: 'Streaming Source to AEP',
    sources: WEBHOOKS.map(({ id }) => id),
    mapping: true,
  },
  {
    id: 'c1a19761-d2c7-4702-b9fa-fe91f0613e81',
    name: 'Steam data with transformation',
    sources: [HTTP_API],
    mapping: true,
  },
  {
    id: 'd8a6f005-7eaf-4153-983e-e8574508b877',
    name: 'Stream data without transformation',
    sources: [HTTP_API],
    mapping: false,
  },
]

export function connectionSpecView({ id, name, role, needsBase }: ConnectionSpec) {
  const common = { id, name, providerId: STREAMING_PROVIDER, version: '1.0', permissionsInfo: {} }
  if (role === 'target') {
    const spec = { type: 'object', properties: { dataSetId: { type: 'string' } } }
    const targetSpec = { name: 'User based target', type: 'UserNamespace', spec }
    return { ...common, type: 'DATALAKE', targetSpec, attributes: { isTarget: true } }
  }
  const authSpec = needsBase
    ? [{ name: 'Streaming Connection', type: 'streaming', spec: { type: 'object' } }]
    : []
  return {
    ...common,
    authSpec,
    sourceSpec: { name: 'Streaming', type: 'streaming', spec: { type: 'object' } },
    attributes: { category: 'streaming', connectorName: name, isSource: true },
  }
}

export function flowSpecView({ id, name, sources, mapping }: FlowSpec) {
  const spec = { type: 'object', properties: { mappingId: {}, mappingVersion: {} } }
  return {
    id,
    name,
    providerId: STREAMING_PROVIDER,
    version: '1.0',
    sourceConnectionSpecIds: sources,
    targetConnectionSpecIds: [DATA_LAKE],
    transformationSpecs: mapping ? [{ name: 'Mapping', spec }] : [],
    attributes: { isSourceFlow: true, flacValidationSupported: true, frequency: 'streaming' },
    permissionsInfo: {},
  }
}
