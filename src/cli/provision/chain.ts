/**
 * Chain: what belongs to a dataflow, or to a dataset, followed by ids, so that it is found whatever it is called.
 * Reads only.
 */
import type { Send } from '../lib/platform-client.ts'
import { type Json, textAt } from '../lib/platform-request.ts'
import { byFlowServiceId, datasetById, orNull } from './lookup.ts'
import type { Ids } from './wanted.ts'

/** `name`: of the dataset, by which `provision` calls the rest; null: the usual one. */
export type Chain = { readonly ids: Ids; readonly name: string | null } | { readonly wrong: string }

/** Of the dataflow that the relay is set up with. Nothing, when it has the `usual` name: by that all is found. */
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
  if (textAt(flow, 'name') === usual) return { ids: {}, name: null }
  const one = async (kind: 'sourceConnections' | 'targetConnections', id: string | null) =>
    id === null ? null : orNull(() => byFlowServiceId(send, kind, id))
  const sourceId = textAt(flow, 'sourceConnectionIds', 0)
  const targetId = textAt(flow, 'targetConnectionIds', 0)
  const source = await one('sourceConnections', sourceId)
  const target = await one('targetConnections', targetId)
  const datasetId = textAt(target, 'params', 'dataSetId')
  const dataset = datasetId === null ? null : await datasetById(send, datasetId)
  return {
    name: textAt(dataset, 'name'),
    ids: known({
      flow: flowId,
      source: source && sourceId,
      target: target && targetId,
      base: textAt(source, 'baseConnectionId'),
      dataset: dataset && datasetId,
      schema: textAt(target, 'data', 'schema', 'id'),
    }),
  }
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
  return { ids: { dataset: id, schema }, name: null }
}

function known(ids: Readonly<Record<string, Json>>): Ids {
  return Object.fromEntries(Object.entries(ids).filter(([, id]) => typeof id === 'string' && id))
}
