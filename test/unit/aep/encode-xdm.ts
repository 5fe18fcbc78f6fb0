import { Envelope } from '../../../src/worker/aep/client/client.ts'
import { recordOf } from '../../../src/worker/aep/record/draft.ts'
import { draftXdm } from '../../../src/worker/aep/record/xdm.ts'
import type { ChatEvent } from '../../../src/worker/chatlio/event.ts'
import type { XdmDestination } from '../../../src/worker/config/config.ts'
import { SENDING } from './split-arbitraries.ts'

/** The XDM message of an event in one piece, as JSON text: the record, whatever its size, in its envelope. */
export function encodeXdm(event: ChatEvent, destination: XdmDestination): string {
  const record = JSON.stringify(recordOf(draftXdm(event, destination, SENDING.source, 0)))
  return new Envelope(destination).message(record)
}
