/**
 * The mapping set of a raw dataflow: from the raw record to the schema, as rows of Adobe's Data Prep.
 *
 * Promises: pure; made of the one list of fields, so each field the encoder knows has its row; `_id` and `timestamp`,
 * without which AEP refuses a record, come first, and each place is written by one row. Only functions that Adobe's
 * pages show in the same use (`coalesce`, `iif`, `to_map` for an identityMap).
 * Not mapped, since XDM has no place for it: fields that Chatlio does not document, and `visitor.identTraitsParsed`,
 * which repeats `visitor.identTraits`.
 * A value that a standard field would refuse (an invalid IP address or URL) is left out of that field, because AEP would
 * refuse the whole event for it.
 * Accepts: a condition cannot look into a list, so a message's unreadable time is left to Data Prep.
 * Sources: data-prep/functions, data-prep/api/mapping-set, sources "Talon.One" (`[*]`) and "Lava" (identityMap).
 */
import { FIELDS, type Field, sentBy } from '../../chatlio/fields.ts'
import { KINDS } from '../../chatlio/kind.ts'
import { PATTERNS } from './patterns.ts'

/** A row in the dialect of Data Prep's own pages. */
type MappingRow = {
  readonly sourceType: 'ATTRIBUTE' | 'EXPRESSION'
  readonly source: string
  readonly destination: string
}

/** `of`: which webhooks have it, and what to know of it, for docs/setup.md. */
type DescribedRow = MappingRow & { readonly of: string }

export function mappingRows(...of: Parameters<typeof describedRows>): readonly MappingRow[] {
  return describedRows(...of).map(({ of: _, ...mapped }) => mapped)
}

/** `tenant` without its underscore. `contact`: the schema has Adobe's Contact Request Details. */
export function describedRows(
  tenant: string,
  visitorNamespace: string,
  contact = false,
): readonly DescribedRow[] {
  const mapped = FIELDS.filter((field) => field.to !== null && field.in !== 'xdm')
  const places = Map.groupBy(mapped, ({ to }) => String(to))
  const at = (path: string) => (path.startsWith('chatlio.') ? `_${tenant}.${path}` : path)
  return [
    row('_id', '_id', 'all. Required'),
    row('timestamp', 'timestamp', 'all. Required'),
    row('eventType', 'eventType', 'all'),
    row(
      identityMap(visitorNamespace),
      'identityMap',
      'all with a visitor UUID or an email that can be an identity: what Profile needs',
    ),
    ...[...places].flatMap(([to, sources]) => rowsOf(sources, at(to))),
    ...(contact ? CONTACT : []),
  ]
}

/** Counters of Adobe's own group for chats; of a split event only the first part counts. */
const countOf = (eventType: string) =>
  `iif(eventType == "${eventType}", iif(coalesce(part.index, 0) == 0, 1, nullify()), nullify())`

const IN_CONTACT = 'where the schema has Contact Request Details'

const CONTACT: readonly DescribedRow[] = [
  row('conversationUUID', 'customerFeedback.chatSessionID', IN_CONTACT),
  row('subject', 'customerFeedback.subject', IN_CONTACT),
  row(countOf(KINDS['new-conversation'].eventType), 'customerFeedback.chatStart', IN_CONTACT),
  row(countOf(KINDS.transcript.eventType), 'customerFeedback.chatEnd', IN_CONTACT),
]

function rowsOf(fields: readonly Field[], destination: string): readonly DescribedRow[] {
  const [first, ...others] = fields
  if (!first) return []
  const kinds = [...new Set(fields.flatMap((field) => field.kinds))]
  const of = [sentBy({ ...first, kinds }), first.note].filter((text) => text !== '').join('; ')
  const source =
    others.length > 0 ? `coalesce(${fields.map(({ from }) => from).join(', ')})` : first.from
  const where = (pattern: string) =>
    `iif(matches_regex(${source}, "${pattern}"), ${source}, nullify())`
  const isWebhooks = first.kinds.length > 0 && !first.from.startsWith('messages[')
  switch (first.form) {
    case 'textMap':
      return [row(`object_to_map(${source})`, destination, of)]
    case 'ip':
      return [
        row(where(PATTERNS.ipV4), `${destination}.ipV4`, of),
        row(where(PATTERNS.ipV6), `${destination}.ipV6`, of),
      ]
    case 'url':
    case 'dateTime':
      // What the relay writes itself fits, and a condition cannot look into a list.
      if (isWebhooks) return [row(where(PATTERNS[first.form]), destination, of)]
  }
  return [row(source, destination, of)]
}

/** The visitor's UUID is the primary identity; without one the email is, as in the XDM encoder. */
function identityMap(visitorNamespace: string): string {
  const one = (namespace: string, id: string, primary: boolean) =>
    `"${namespace}", to_array(false, to_object("id", ${id}, "authenticatedState", "ambiguous", "primary", ${primary}))`
  const visitor = one(visitorNamespace, 'identity.visitor', true)
  const email = (primary: boolean) => one('Email', 'identity.email', primary)
  const withEmail = (then: string, otherwise: string) =>
    `iif(identity.email != null, ${then}, ${otherwise})`
  const known = withEmail(`to_map(${visitor}, ${email(false)})`, `to_map(${visitor})`)
  const unknown = withEmail(`to_map(${email(true)})`, 'nullify()')
  return `iif(identity.visitor != null, ${known}, ${unknown})`
}

/** What is more than a path is an expression. */
function row(source: string, destination: string, of: string): DescribedRow {
  const sourceType = /^[\w.[*\]]+$/.test(source) ? 'ATTRIBUTE' : 'EXPRESSION'
  return { sourceType, source, destination, of }
}
