/**
 * Chain: what belongs to a dataflow, or to a dataset, followed by ids, so that it is found whatever it is called.
 * Reads only.
 */
import type { Send } from '../lib/platform-client.ts'
import { type Json, textAt } from '../lib/platform-request.ts'
import { byFlowServiceId, datasetById, orNull } from './lookup.ts'
import { DEFAULT_NAME } from './options.ts'
import type { Ids } from './wanted.ts'

/**
 * `name`: by which `provision` calls what it makes; null: the usual one. `dataset`: the id of one that it has not made, into
 * which this is a second dataflow.
 */
export type Chain =
  | { readonly ids: Ids; readonly name: string | null; readonly dataset: string | null }
  | { readonly wrong: string }

/** Of the dataflow that the relay is set up with. Nothing, when all has the `usual` name: by that it is found. */
export async function chainOfFlow(
  send: Send,
  { flowId, usual, sandbox }: { flowId: string; usual: string; sandbox: string },
): Promise<Chain> {
  const flow = await orNull(() => byFlowServiceId(send, 'flows', flowId))
  if (flow === null) {
    return {
      wrong: `AEP_FLOW_ID is ${flowId}: sandbox ${sandbox} has no such dataflow. Either it is deleted, or AEP_SANDBOX is another one.`,
    }
  }
  const one = async (kind: 'sourceConnections' | 'targetConnections', id: string | null) =>
    id === null ? null : orNull(() => byFlowServiceId(send, kind, id))
  const sourceId = textAt(flow, 'sourceConnectionIds', 0)
  const targetId = textAt(flow, 'targetConnectionIds', 0)
  const source = await one('sourceConnections', sourceId)
  const target = await one('targetConnections', targetId)
  const datasetId = textAt(target, 'params', 'dataSetId')
  const dataset = datasetId === null ? null : await datasetById(send, datasetId)
  const ids = known({
    flow: flowId,
    source: source && sourceId,
    target: target && targetId,
    base: textAt(source, 'baseConnectionId'),
    dataset: dataset && datasetId,
    schema: textAt(target, 'data', 'schema', 'id'),
  })
  const [flowName, datasetName] = [textAt(flow, 'name') ?? '', textAt(dataset, 'name')]
  const own = withoutKind(flowName, usual)
  // What `provision` has made is all of one name, but for a dataset that was there before.
  const isSecond = textAt(source, 'name') === flowName && datasetName !== own
  if (isSecond && ids.dataset !== undefined) {
    return { ids, name: own === DEFAULT_NAME ? null : own, dataset: ids.dataset }
  }
  if (flowName === usual) return { ids: {}, name: null, dataset: null }
  return { ids, name: datasetName, dataset: null }
}

/** The name of a dataflow without what tells kinds of dataflows apart. */
function withoutKind(flowName: string, usual: string): string {
  const kind = usual.slice(DEFAULT_NAME.length)
  return flowName.endsWith(kind) ? flowName.slice(0, flowName.length - kind.length) : flowName
}

/** For a second dataflow into it. */
export async function chainOfDataset(send: Send, id: string, sandbox: string): Promise<Chain> {
  const dataset = await datasetById(send, id)
  if (dataset === null) {
    return {
      wrong: `Sandbox ${sandbox} has no dataset ${id}. Its id is in its address in AEP; it is not its name.`,
    }
  }
  const schema = textAt(dataset, 'schemaRef', 'id')
  if (schema === null) return { wrong: `The dataset ${id} has no schema.` }
  return { ids: { dataset: id, schema }, name: null, dataset: id }
}

function known(ids: Readonly<Record<string, Json>>): Ids {
  return Object.fromEntries(Object.entries(ids).filter(([, id]) => typeof id === 'string' && id))
}
