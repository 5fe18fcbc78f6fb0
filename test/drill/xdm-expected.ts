/**
 * The XDM record that a webhook must become, by a table that is independent of the relay's, so that the comparison means
 * something. Pure.
 */
import type { JsonObject } from './fields.ts'
import type { Webhook } from './webhooks.ts'

/** An event with its parts joined, without the fields that depend on its receipt and its id (see `xdm.ts`). */
export type XdmContents = {
  readonly record: JsonObject
  readonly texts: JsonObject
  readonly messages: readonly JsonObject[]
  readonly unmapped: JsonObject
}

/** Paths below `_{tenant}.chatlio`. */
const OWN = new Map([
  ['visitor.UUID', 'visitor.uuid'],
  ['visitor.email', 'visitor.email'],
  ['visitor.name', 'visitor.name'],
  ['visitor.identTraits', 'visitor.identTraits'],
  ['visitor.createdAt', 'visitor.createdAt'],
  ['visitorEmail', 'visitor.email'],
  ['visitorName', 'visitor.name'],
  ['conversationUUID', 'conversationUuid'],
  ['channelId', 'channelId'],
  ['channelName', 'channelName'],
  ['slackChannelId', 'slackChannelId'],
  ['slackChannelName', 'slackChannelName'],
  ['name', 'name'],
  ['email', 'email'],
  ['emailPretty', 'emailPretty'],
  ['agentEmail', 'agent.email'],
  ['agentName', 'agent.name'],
  ['archiveUrl', 'archiveUrl'],
  ['startedAt', 'startedAt'],
  ['endedAt', 'endedAt'],
])

/** Paths of Adobe's standard fields. */
const STANDARD = new Map([
  ['visitor.userAgent', 'environment.browserDetails.userAgent'],
  ['visitor.currentPage', 'web.webPageDetails.URL'],
  ['visitor.IPAddress', 'environment.ipV4'],
])

const TEXTS = ['message', 'textBody', 'htmlBody']
/** Events that no person caused. */
const BY_SYSTEM = ['chatlio.transcript', 'chatlio.unanswered']

export function xdmContents({ eventType, payload }: Webhook, tenant: string): XdmContents {
  const record: JsonObject = {
    eventType,
    producedBy: BY_SYSTEM.includes(eventType) ? 'system' : 'self',
  }
  const texts: JsonObject = {}
  const unmapped: JsonObject = {}
  const fields = fieldsOf(payload)
  for (const [from, value] of fields) {
    const own = OWN.get(from)
    const place = own === undefined ? STANDARD.get(from) : `_${tenant}.chatlio.${own}`
    if (place !== undefined) put(record, place, value)
    else if (TEXTS.includes(from)) texts[from] = value
    else unmapped[from] = value
  }
  if (fields.has('visitor.userAgent')) put(record, 'environment.type', 'browser')
  const messages = Array.isArray(payload.messages) ? payload.messages : []
  if (messages.length > 0) put(record, `_${tenant}.chatlio.messageCount`, messages.length)
  const identities = identityMap(fields)
  if (Object.keys(identities).length > 0) record.identityMap = identities
  return {
    record,
    texts,
    messages: messages.map((message: JsonObject, index) => ({ index, ...message })),
    unmapped,
  }
}

/** Values by their paths in the payload. Leaves out the parsed traits, which repeat `identTraits`. */
function fieldsOf({ visitor, messages: _, ...rest }: JsonObject): Map<string, unknown> {
  const { identTraitsParsed: __, ...known } = (visitor ?? {}) as JsonObject
  const ofVisitor = Object.entries(known).map(([key, value]) => [`visitor.${key}`, value] as const)
  return new Map([...Object.entries(rest), ...ofVisitor])
}

/** The visitor is primary, the address only if there is no visitor; never an agent's address. */
function identityMap(fields: ReadonlyMap<string, unknown>): JsonObject {
  const visitor = fields.get('visitor.UUID')
  // The last is an offline message's own.
  const email = ['visitor.email', 'visitorEmail', 'email'].find((from) => fields.has(from))
  const item = (id: unknown, primary: boolean) => [{ id, authenticatedState: 'ambiguous', primary }]
  return {
    ...(visitor !== undefined && { ChatlioVisitor: item(visitor, true) }),
    ...(email !== undefined && { Email: item(fields.get(email), visitor === undefined) }),
  }
}

function put(record: JsonObject, place: string, value: unknown): void {
  const keys = place.split('.')
  const last = keys.pop() ?? ''
  let holder = record
  for (const key of keys) {
    holder[key] ??= {}
    holder = holder[key] as JsonObject
  }
  holder[last] = value
}
