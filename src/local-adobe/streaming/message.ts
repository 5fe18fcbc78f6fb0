/**
 * Message: checks the documented envelope, one message at a time. Pure. The event inside is checked by
 * `violations.ts`, in strict mode only.
 */
import type { Violation } from '../problem.ts'
import type { Settings } from '../settings.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export type Envelope =
  | {
      readonly ok: true
      readonly record: JsonObject
      readonly header: JsonObject | null
      readonly flowId: string | null
      /** Only at an inlet of the Flow Service. */
      readonly landing?: Landing
    }
  | { readonly ok: false; readonly message: string }

export type MarkedIdentity = {
  readonly namespace: string
  readonly id: string
  readonly primary: boolean
  /** The namespace exists in the organization. */
  readonly known: boolean
}

/** A record on its way into a dataset, with the violations that keep it out. */
export type Landing = {
  readonly datasetId: string | null
  /** XDM. */
  readonly record: JsonObject
  /** As it was sent. */
  readonly source: JsonObject
  readonly violations: readonly Violation[]
  /** Rows of the mapping that gave nothing because a value could not be converted. */
  readonly warnings: readonly string[]
  /** Null when the dataset is not enabled for Profile. */
  readonly profile: readonly MarkedIdentity[] | null
}

/** An inlet of the Flow Service, which opens messages itself. */
export type Destination = {
  open(message: unknown, flowId: string | null, batch: boolean): Envelope
}

const NO_HEADER = "The 'header' field is mandatory. Provide a valid 'header' value and try again."
const CONTENT_TYPE = /^application\/vnd\.adobe\.xed-full(-notext)?\+json; ?version=\d+(\.\d+)?$/

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The event inside a message of either mode, however broken the rest is. */
export function recordOf(message: unknown, mode: Settings['mode']): JsonObject | null {
  if (mode === 'raw') return isObject(message) ? message : null
  const body = isObject(message) ? message.body : null
  const entity = isObject(body) ? body.xdmEntity : null
  return isObject(entity) ? entity : null
}

export function idOf(record: JsonObject | null): string | null {
  return typeof record?._id === 'string' ? record._id : null
}

/** A raw message of the single endpoint is the bare source object; the request names the flow. */
export function openRaw(message: unknown, flowId: string | null, settings: Settings): Envelope {
  const refuse = refuser(settings)
  if (!isObject(message)) return refuse('Message has unknown format')
  if (!flowId) return refuse('Message has an absent or wrong flow id')
  if (settings.flowId !== null && flowId !== settings.flowId) {
    return refuse('Message has an absent or wrong flow id')
  }
  return { ok: true, record: message, header: null, flowId }
}

/**
 * The batch endpoint is documented for XDM messages only. Bare raw objects in it were seen refused because
 * they have no header, and no header for raw messages is documented.
 */
export function openRawInBatch(message: unknown, settings: Settings): Envelope {
  if (!isObject(message) || !isObject(message.header)) return { ok: false, message: NO_HEADER }
  return refuser(settings)('Message has unknown format')
}

export function openXdm(message: unknown, settings: Settings): Envelope {
  const refuse = refuser(settings)
  const unknownFormat = () => refuse('Message has unknown xdm format')
  if (!isObject(message)) return unknownFormat()
  const { header, body } = message
  if (!isObject(header)) return { ok: false, message: NO_HEADER }
  // One page says that a missing organisation is filled in, another's error text that it is refused.
  // Refused here: a relay has no reason to leave it out.
  if (header.imsOrgId !== settings.orgId) {
    return refuse('Message has an absent or wrong ims org in the header')
  }
  if (header.datasetId !== settings.datasetId) {
    return refuse('Message has an absent or wrong dataset id in the header')
  }
  const flowId = typeof header.flowId === 'string' ? header.flowId : null
  if (settings.flowId !== null && flowId !== null && flowId !== settings.flowId) {
    return refuse('Message has an absent or wrong flow id in the header')
  }
  if (!isObject(body) || !isObject(body.xdmMeta) || !isObject(body.xdmEntity)) {
    return unknownFormat()
  }
  for (const schemaRef of [header.schemaRef, body.xdmMeta.schemaRef]) {
    if (!isObject(schemaRef) || schemaRef.id !== settings.schemaId) return unknownFormat()
    if (typeof schemaRef.contentType !== 'string') return unknownFormat()
    if (!CONTENT_TYPE.test(schemaRef.contentType)) return unknownFormat()
  }
  return { ok: true, record: body.xdmEntity, header, flowId }
}

const refuser =
  (settings: Settings) =>
  (reason: string): Envelope => ({
    ok: false,
    message: `inletId: [${settings.inletId}] imsOrgId: [${settings.orgId}] ${reason}`,
  })
