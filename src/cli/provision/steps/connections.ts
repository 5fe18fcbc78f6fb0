/**
 * Steps: base, source and target connection.
 *
 * Chatlio's source has no base connection and so no authentication; `--authenticated` and xdm use the HTTP API source.
 * A connection is never changed: Adobe's advice for a chain is a new pair and a new flow, so one that differs needs
 * another name.
 * Sources: sources/tutorials/api (chatlio-webhook, http), update-dataflows.
 */
import { at, type Json, textAt } from '../../lib/platform-request.ts'
import { FLOW_SERVICE, type FlowKind, flowServiceOne } from '../lookup.ts'
import { difference, idOf, type Key, type Step } from '../step.ts'
import { SCHEMA_CONTENT_TYPE, usesHttpApi, type Wanted } from '../wanted.ts'

export const SOURCES = 'Data Ingestion: Manage Sources'

const STREAMING_PROVIDER = '521eee4d-8cbe-4906-bb48-fb6bd4450033'
const CHATLIO_SPEC = '073127a3-26e3-496c-9d94-9f48fb93fba8'
const HTTP_API_SPEC = 'bc7b00d6-623a-4dfc-9fdb-f1240aeadaeb'
const DATA_LAKE_SPEC = 'c604ff05-7f1a-43c0-8e18-33bf874cb11c'

const spec = (id: string) => ({ id, version: '1.0' })
const sourceSpec = (wanted: Wanted) => (usesHttpApi(wanted) ? HTTP_API_SPEC : CHATLIO_SPEC)

const connection = (key: Key, kind: FlowKind) => ({
  key,
  name: ({ flowName }: Wanted) => flowName,
  permission: SOURCES,
  find: ({ send, wanted }: Parameters<Step['find']>[0]) =>
    flowServiceOne(send, kind, { id: wanted.ids[key], name: wanted.flowName }),
  made,
})

export const BASE: Step = {
  ...connection('base', 'connections'),
  title: 'Base connection',
  compare: ({ body }, { wanted }) => [
    ...difference('connectionSpec.id', HTTP_API_SPEC, textAt(body, 'connectionSpec', 'id')),
    ...difference(
      'auth.params.dataType',
      wanted.format,
      textAt(body, 'auth', 'params', 'dataType'),
    ),
    ...difference(
      'auth.params.authenticationRequired',
      wanted.authenticated,
      at(body, 'auth', 'params', 'authenticationRequired') === true,
    ),
  ],
  create: ({ wanted }) => ({
    method: 'POST',
    path: `${FLOW_SERVICE}/connections`,
    body: {
      name: wanted.flowName,
      description: 'Chatlio webhooks, relayed.',
      connectionSpec: spec(HTTP_API_SPEC),
      auth: {
        specName: 'Streaming Connection',
        params: {
          name: wanted.flowName,
          sourceId: 'Chatlio',
          dataType: wanted.format,
          authenticationRequired: wanted.authenticated,
        },
      },
    },
  }),
}

export const SOURCE: Step = {
  ...connection('source', 'sourceConnections'),
  title: 'Source connection',
  compare: ({ body }, context) => [
    ...difference(
      'connectionSpec.id',
      sourceSpec(context.wanted),
      textAt(body, 'connectionSpec', 'id'),
    ),
    ...(usesHttpApi(context.wanted)
      ? difference('baseConnectionId', idOf(context, 'base'), textAt(body, 'baseConnectionId'))
      : []),
  ],
  create: (context) => {
    const { wanted } = context
    const own = usesHttpApi(wanted)
      ? { baseConnectionId: idOf(context, 'base') }
      : { providerId: STREAMING_PROVIDER }
    return {
      method: 'POST',
      path: `${FLOW_SERVICE}/sourceConnections`,
      body: {
        name: wanted.flowName,
        description: 'Chatlio webhooks, relayed.',
        ...own,
        connectionSpec: spec(sourceSpec(wanted)),
        data: { format: 'json' },
      },
    }
  },
}

export const TARGET: Step = {
  ...connection('target', 'targetConnections'),
  title: 'Target connection',
  compare: ({ body }, context) => [
    ...difference('connectionSpec.id', DATA_LAKE_SPEC, textAt(body, 'connectionSpec', 'id')),
    ...difference('data.schema.id', idOf(context, 'schema'), textAt(body, 'data', 'schema', 'id')),
    ...difference('data.schema.version', '1', majorOf(at(body, 'data', 'schema', 'version'))),
    ...difference(
      'params.dataSetId',
      idOf(context, 'dataset'),
      textAt(body, 'params', 'dataSetId'),
    ),
  ],
  create: (context) => ({
    method: 'POST',
    path: `${FLOW_SERVICE}/targetConnections`,
    body: {
      name: context.wanted.flowName,
      description: 'Dataset of the Chatlio webhooks.',
      connectionSpec: spec(DATA_LAKE_SPEC),
      data: {
        format: 'json',
        schema: { id: idOf(context, 'schema'), version: SCHEMA_CONTENT_TYPE },
      },
      params: { dataSetId: idOf(context, 'dataset') },
    },
  }),
}

/** `…;version=1` and `…;version=1.0` are the same. */
function majorOf(contentType: Json): string | null {
  return /version=(\d+)/.exec(String(contentType))?.[1] ?? null
}

export function made(body: Json) {
  const id = textAt(body, 'id')
  return id === null ? null : { id, body }
}
