/**
 * The XDM message: an ExperienceEvent in the envelope of the streaming endpoint, `{header, body}` (TS, MULTI).
 *
 * Promises: the same event gives the same message, byte for byte: nothing in it is taken from a clock.
 * `createdAt` and `msgId` are optional, and left out: they would repeat `receivedAt` and `_id`.
 */

import type { ChatEvent } from '../../chatlio/event.ts'
import type { XdmDestination } from '../../config/config.ts'
import type { JsonObject } from '../../lib/json.ts'
import { recordOf } from './draft.ts'
import { draftXdm } from './xdm-draft.ts'

type SchemaRef = { id: string; contentType: string }

export type Envelope = {
  header: {
    schemaRef: SchemaRef
    imsOrgId: string
    datasetId: string
    flowId?: string
    source: { name: string }
  }
  xdmMeta: { schemaRef: SchemaRef }
}

export type XdmMessage = {
  header: Envelope['header']
  body: { xdmMeta: Envelope['xdmMeta']; xdmEntity: JsonObject }
}

export function encodeXdm(event: ChatEvent, destination: XdmDestination): XdmMessage {
  const { header, xdmMeta } = envelopeOf(destination)
  return { header, body: { xdmMeta, xdmEntity: recordOf(draftXdm(event, destination)) } }
}

export function envelopeOf(destination: XdmDestination): Envelope {
  const { schemaId, schemaVersion, orgId, datasetId, flowId } = destination
  const contentType = `application/vnd.adobe.xed-full+json;version=${schemaVersion}`
  const schemaRef = { id: schemaId, contentType }
  const flow = flowId === null ? {} : { flowId }
  return {
    header: { schemaRef, imsOrgId: orgId, datasetId, ...flow, source: { name: 'Chatlio' } },
    xdmMeta: { schemaRef },
  }
}
