/**
 * Arrival: reads one request to the inlet and checks it as documented: AEP's own verdict, which the plan
 * may override.
 */
import type { Credential } from '../ims.ts'
import type { Target } from '../plan.ts'
import {
  authorizationProblem,
  inletProblem,
  type Problem,
  type Violation,
  validationProblem,
} from '../problem.ts'
import type { State } from '../state.ts'
import type { RequestRecord } from './lake.ts'
import {
  type Envelope,
  idOf,
  isObject,
  openRaw,
  openRawInBatch,
  openXdm,
  recordOf,
} from './message.ts'
import { violationsOf } from './violations.ts'

/** 1 MB for the whole request, taken at its smaller reading. */
const MAX_REQUEST_BYTES = 1_000_000

type Refusal = { readonly status: number; readonly body: Problem }

/** AEP's own verdict on one message. */
export type Judged =
  | { readonly status: 200; readonly envelope: Extract<Envelope, { ok: true }> }
  | {
      readonly status: 400
      readonly message: string
      readonly violations?: readonly Violation[]
    }

export type Arrival = {
  readonly entry: RequestRecord
  /** A POST to one of the inlet's two paths: only these can be scripted. */
  readonly routed: boolean
  readonly batch: boolean
  /** Why the request as a whole is refused; null when its messages are looked at. */
  readonly refusal: Refusal | null
  readonly messages: readonly unknown[]
  readonly targets: readonly Target[]
  readonly flowId: string | null
  /** Requested, and possible: a single XDM message. */
  readonly syncValidation: boolean
}

/** Reads any request and logs it. */
export async function readArrival(request: Request, state: State): Promise<Arrival> {
  const { settings, lake } = state
  const url = new URL(request.url)
  const bytes = new Uint8Array(await request.arrayBuffer())
  const text = new TextDecoder().decode(bytes)
  const batch = url.pathname.startsWith('/collection/batch/')
  const parsed = parse(text)
  const messages = batch ? messagesOf(parsed) : [parsed]
  const targets = messages.map((message) => ({
    id: idOf(recordOf(message, settings.mode)),
    text: JSON.stringify(message) ?? '',
  }))
  const credential = state.ims.check(request.headers.get('authorization'))
  const flowIdHeader = request.headers.get('x-adobe-flow-id')
  const entry: RequestRecord = {
    seq: lake.requests.length + 1,
    at: state.now(),
    method: request.method,
    path: url.pathname,
    query: url.search,
    contentType: request.headers.get('content-type'),
    flowIdHeader,
    authorization: credential.label,
    bytes: bytes.length,
    ids: targets.map((target) => target.id),
    ...(state.keepBodies ? { body: text } : {}),
    status: null,
  }
  lake.requests.push(entry)
  const misrouted = routeRefusal(entry, settings.inletId)
  const refusal = misrouted ?? refusalOf(entry, credential, parsed, batch, state)
  const flowId = flowIdHeader ?? url.searchParams.get('x-adobe-flow-id')
  const syncValidation =
    url.searchParams.get('syncValidation') === 'true' && !batch && settings.mode === 'xdm'
  const routed = misrouted === null
  return { entry, routed, batch, refusal, messages, targets, flowId, syncValidation }
}

export function judge(message: unknown, arrival: Arrival, state: State): Judged {
  const { settings } = state
  const envelope = open(message, arrival, state)
  if (!envelope.ok) return { status: 400, message: envelope.message }
  const { record, landing } = envelope
  const sync = landing !== undefined && arrival.syncValidation
  if (!settings.strict && !sync) return { status: 200, envelope }
  const violations =
    landing?.violations ?? violationsOf(record, settings, state.now(), state.validate)
  if (violations.length === 0) return { status: 200, envelope }
  const where = `inletId: [${settings.inletId}] imsOrgId: [${settings.orgId}]`
  return { status: 400, message: `${where} Message is invalid`, violations }
}

/** The body of the 400 that a single message gets for itself. */
export function problemOf(judged: Extract<Judged, { status: 400 }>): Problem {
  const { message, violations } = judged
  return violations ? validationProblem(message, violations) : inletProblem(400, message)
}

function open(
  message: unknown,
  { batch, flowId }: Arrival,
  { settings, destination }: State,
): Envelope {
  if (destination) return destination.open(message, flowId, batch)
  if (settings.mode === 'xdm') return openXdm(message, settings)
  return batch ? openRawInBatch(message, settings) : openRaw(message, flowId, settings)
}

function routeRefusal({ method, path }: RequestRecord, inletId: string): Refusal | null {
  if (path !== `/collection/${inletId}` && path !== `/collection/batch/${inletId}`) {
    // AEP's answer to an unknown inlet is not documented; 404 cannot be blamed on an event.
    return { status: 404, body: inletProblem(404, 'Inlet not found') }
  }
  return method === 'POST' ? null : { status: 405, body: inletProblem(405, 'Method not allowed') }
}

function refusalOf(
  entry: RequestRecord,
  credential: Credential,
  parsed: unknown,
  batch: boolean,
  { settings }: State,
): Refusal | null {
  if (settings.auth && (!credential.valid || credential.clientId === settings.readClientId)) {
    const status = credential.valid ? 403 : settings.authRefusal
    return { status, body: authorizationProblem(status, settings.inletId, credential.why) }
  }
  const refuse = (status: number, message: string): Refusal => ({
    status,
    body: inletProblem(status, message),
  })
  // Adobe documents the header, and no error for its absence.
  if (!/^application\/json\b/i.test(entry.contentType ?? '')) {
    return refuse(415, 'Content-Type must be application/json')
  }
  if (entry.bytes > MAX_REQUEST_BYTES) return refuse(413, 'Payload is larger than 1 MB')
  if (parsed === undefined) return refuse(400, 'Message is not JSON')
  if (!batch && !isObject(parsed)) return refuse(400, 'Message has unknown format')
  if (batch && messagesOf(parsed).length === 0) return refuse(400, 'There are no messages')
  return null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function messagesOf(parsed: unknown): readonly unknown[] {
  return isObject(parsed) && Array.isArray(parsed.messages) ? parsed.messages : []
}
