/**
 * The mapping set of a raw dataflow: from the raw record to the schema, as rows of Adobe's Data Prep.
 *
 * Promises: pure; made of the one list of fields, so each field the encoder knows has its row; `_id` and `timestamp`,
 * without which AEP refuses a record, come first, and each place is written by one row. Only functions that Adobe's
 * pages show in the same use (`coalesce`, `iif`, `to_map` for an identityMap).
 * Not mapped, since XDM has no place for it: fields that Chatlio does not document, and `visitor.identTraitsParsed`,
 * which repeats `visitor.identTraits`.
 * Accepts: Data Prep empties a field whose value does not fit (traits that are not texts, a date that cannot be read) and
 * takes the rest of the record.
 * Sources: data-prep/functions, data-prep/api/mapping-set, sources "Talon.One" (`[*]`) and "Lava" (identityMap).
 */
import { FIELDS, type Field, sentBy } from '../../chatlio/fields.ts'

/** A row in the dialect of Data Prep's own pages. */
export type MappingRow = {
  readonly sourceType: 'ATTRIBUTE' | 'EXPRESSION'
  readonly source: string
  readonly destination: string
}

/** `of`: which webhooks have it, and what to know of it, for docs/setup.md. */
export type DescribedRow = MappingRow & { readonly of: string }

/** Paths of a raw record that no row reads, and why. */
export const NOT_MAPPED: Readonly<Record<string, string>> = {
  'visitor.identTraitsParsed': 'repeats visitor.identTraits; its names are those of your pages',
}

/** `tenant` without its underscore. */
export function mappingRows(tenant: string, visitorNamespace: string): readonly MappingRow[] {
  return describedRows(tenant, visitorNamespace).map(({ of: _, ...row }) => row)
}

export function describedRows(tenant: string, visitorNamespace: string): readonly DescribedRow[] {
  const mapped = FIELDS.filter((field) => field.to !== null && field.in !== 'xdm')
  const places = Map.groupBy(mapped, ({ to }) => String(to))
  const at = (path: string) => (path.startsWith('chatlio.') ? `_${tenant}.${path}` : path)
  return [
    { ...attribute('_id', '_id'), of: 'all. Required' },
    { ...attribute('timestamp', 'timestamp'), of: 'all. Required' },
    { ...attribute('eventType', 'eventType'), of: 'all' },
    {
      ...expression(identityMap(visitorNamespace), 'identityMap'),
      of: 'all with a visitor UUID or an email: what Profile needs',
    },
    ...[...places].flatMap(([to, sources]) =>
      rowsOf(sources, at(to)).map((row) => ({ ...row, of: describe(sources) })),
    ),
  ]
}

function describe(sources: readonly Field[]): string {
  const kinds = [...new Set(sources.flatMap(({ kinds }) => kinds))]
  const [first] = sources
  return first ? [sentBy({ ...first, kinds }), first.note].filter((text) => text).join('; ') : ''
}

function rowsOf(fields: readonly Field[], destination: string): readonly MappingRow[] {
  const [first, ...others] = fields
  if (!first) return []
  if (others.length > 0) {
    return [expression(`coalesce(${fields.map(({ from }) => from).join(', ')})`, destination)]
  }
  if (first.form === 'textMap') return [expression(`object_to_map(${first.from})`, destination)]
  if (first.form === 'ip') {
    const when = (pattern: string) =>
      `iif(matches_regex(${first.from}, "${pattern}"), ${first.from}, nullify())`
    return [
      expression(when('^[0-9.]+$'), `${destination}.ipV4`),
      expression(when('^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$'), `${destination}.ipV6`),
    ]
  }
  return [attribute(first.from, destination)]
}

/** Where the visitor's address can stand: in a conversation, a transcript, an offline message. */
const EMAIL = 'coalesce(visitor.email, visitorEmail, email)'

/** The visitor's UUID is the primary identity; without one the email is, as in the XDM encoder. */
function identityMap(visitorNamespace: string): string {
  const one = (namespace: string, id: string, primary: boolean) =>
    `"${namespace}", to_array(false, to_object("id", ${id}, "authenticatedState", "ambiguous", "primary", ${primary}))`
  const visitor = one(visitorNamespace, 'visitor.UUID', true)
  const withEmail = (then: string, otherwise: string) =>
    `iif(${EMAIL} != null, ${then}, ${otherwise})`
  const known = withEmail(`to_map(${visitor}, ${one('Email', EMAIL, false)})`, `to_map(${visitor})`)
  const unknown = withEmail(`to_map(${one('Email', EMAIL, true)})`, 'nullify()')
  return `iif(visitor.UUID != null, ${known}, ${unknown})`
}

function attribute(source: string, destination: string): MappingRow {
  return { sourceType: 'ATTRIBUTE', source, destination }
}

function expression(source: string, destination: string): MappingRow {
  return { sourceType: 'EXPRESSION', source, destination }
}
