/** Step: the dataflow. Only its mapping may be changed; everything else that differs needs another name. */
import { at, type Json, type JsonRecord, textAt } from '../../lib/platform-request.ts'
import { FLOW_SERVICE, flowServiceOne } from '../lookup.ts'
import { type Context, difference, idOf, type Step } from '../step.ts'
import { usesHttpApi, type Wanted } from '../wanted.ts'
import { made, SOURCES } from './connections.ts'

const CHATLIO_FLOW_SPEC = 'e77fde5a-22a8-11ed-861d-0242ac120002'
const HTTP_API_MAPPED_FLOW_SPEC = 'c1a19761-d2c7-4702-b9fa-fe91f0613e81'
const HTTP_API_XDM_FLOW_SPEC = 'd8a6f005-7eaf-4153-983e-e8574508b877'

function flowSpec(wanted: Wanted): string {
  if (!usesHttpApi(wanted)) return CHATLIO_FLOW_SPEC
  return wanted.format === 'xdm' ? HTTP_API_XDM_FLOW_SPEC : HTTP_API_MAPPED_FLOW_SPEC
}

const TRANSFORMATION = 'transformations[0].params'

export const FLOW: Step = {
  key: 'flow',
  title: 'Dataflow',
  name: ({ flowName }) => flowName,
  permission: SOURCES,
  find: ({ send, wanted }) =>
    flowServiceOne(send, 'flows', { id: wanted.ids.flow, name: wanted.flowName }),
  compare: ({ body }, context) => [
    ...difference('flowSpec.id', flowSpec(context.wanted), textAt(body, 'flowSpec', 'id')),
    ...difference(
      'sourceConnectionIds',
      [idOf(context, 'source')],
      at(body, 'sourceConnectionIds'),
    ),
    ...difference(
      'targetConnectionIds',
      [idOf(context, 'target')],
      at(body, 'targetConnectionIds'),
    ),
    ...(context.wanted.format === 'raw' ? mappingDifference(body, context) : []),
    ...(PASSING_STATES.includes(textAt(body, 'state') ?? '')
      ? []
      : difference('state', 'enabled', textAt(body, 'state'))),
  ],
  create: (context) => ({
    method: 'POST',
    path: `${FLOW_SERVICE}/flows`,
    body: {
      name: context.wanted.flowName,
      description: 'Chatlio webhooks, relayed.',
      flowSpec: { id: flowSpec(context.wanted), version: '1.0' },
      sourceConnectionIds: [idOf(context, 'source')],
      targetConnectionIds: [idOf(context, 'target')],
      ...(context.wanted.format === 'raw' && { transformations: [transformation(context)] }),
    },
  }),
  made,
  amend({ id, body }, differences, context) {
    if (differences.some(({ field }) => field !== TRANSFORMATION)) return null
    return {
      what: 'let the dataflow use the mapping set. Wait five minutes afterwards: AEP may drop data until then',
      request: {
        method: 'PATCH',
        path: `${FLOW_SERVICE}/flows/${encodeURIComponent(id)}`,
        headers: { 'if-match': textAt(body, 'etag') ?? '' },
        body: [{ op: 'replace', path: '/transformations/0', value: transformation(context) }],
      },
    }
  },
}

/** A state that ends as `enabled` by itself. */
const PASSING_STATES = ['enabled', 'initializing', 'updating', 'enabled-finalizing', 'pending']

/** The name must be literally `Mapping` (HTTP). */
function transformation(context: Context): JsonRecord {
  return { name: 'Mapping', params: mappingOf(context) }
}

function mappingOf(context: Context): JsonRecord {
  const version = Number(at(context.known.get('mapping')?.body ?? null, 'version') ?? 0)
  return { mappingId: idOf(context, 'mapping'), mappingVersion: version }
}

/** The version comes back as a number or as text. */
function mappingDifference(body: Json, context: Context) {
  const params = at(body, 'transformations', 0, 'params')
  const there = params && {
    mappingId: at(params, 'mappingId'),
    mappingVersion: Number(at(params, 'mappingVersion') ?? 0),
  }
  return difference(TRANSFORMATION, mappingOf(context), there)
}
