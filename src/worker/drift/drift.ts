/**
 * What Chatlio documents, and how what it sends may differ from that. Names and types, never a value.
 * Free-form objects end at their name: what is in them is the customer's own.
 */

import { documentedIn, type Form, placeIn, SHAPE_OF, type Shape } from '../chatlio/fields.ts'
import type { EventKind, StoredKind } from '../chatlio/kind.ts'

/** `new`: a field that nobody documents; `type`: a known one of another type; `gone`: one that always came, and does not. */
export const DRIFT_CHANGES = ['new', 'type', 'gone'] as const
type DriftChange = (typeof DRIFT_CHANGES)[number]

/** Field names joined by dots, `*` for an array's items and for keys that look like data. */
export type Finding = {
  path: string
  change: DriftChange
  from: string | null
  to: string | null
  /** The value's shape: `string(14)`, `object(3)`. */
  sample: string | null
}

/** `eventId`: one event with it; `count`: how many there were since the last report. */
export type CountedFinding = Finding & { eventId: string; count: number }

/** In how many events a field came, and how many could have had it since it last did. */
export type Came = readonly [came: number, missed: number]

/** What one isolate saw of one kind since its last report: how many events, and which documented fields came. */
export type DriftReport = {
  kind: StoredKind
  events: number
  /** The last of them. */
  eventId: string
  fields: { readonly [path: string]: Came }
  findings: readonly CountedFinding[]
}

export type DriftRow = CountedFinding & {
  kind: StoredKind
  firstAt: number
  lastAt: number
  accepted: boolean
}

export type DriftKey = { kind: StoredKind; path: string; change: DriftChange }

/** What is not accepted, for alerts: how many of each, and when the newest was first seen. */
export type DriftSummary = {
  kind: StoredKind
  change: DriftChange
  count: number
  newestAt: number
}[]

/** Who posts the samples of `npm start`: they say nothing of what Chatlio sends. */
export const SAMPLES_AGENT = 'chatlio-edge-relay'

/** What must be there for a field to be there; empty for one at the top. */
export function holderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('.'), 0))
}

export type Documented = { readonly [path: string]: string }

const TYPES: { readonly [form in Form]?: string } = {
  boolean: 'boolean',
  texts: 'array',
}

function documented(shape: Shape): Documented {
  const paths: Record<string, string> = {}
  for (const field of documentedIn(shape)) {
    const { holder } = placeIn(field)
    if (holder === 'messages[*]')
      Object.assign(paths, { messages: 'array', 'messages.*': 'object' })
    else if (holder !== '') paths[holder] = 'object'
    paths[field.from.replace('[*]', '.*')] = TYPES[field.form] ?? 'string'
  }
  // The JSON text in `identTraits` is documented; of `visitorTraits` it is the object, and older senders post text.
  if ('visitorTraits' in paths) paths.visitorTraits = 'object or string'
  return paths
}

/** The documented fields of each kind and the types they come in, by path (`messages.*.text`), from the one list of fields. */
export const DOCUMENTED = Object.fromEntries(
  Object.entries(SHAPE_OF).map(([kind, shape]) => [kind, documented(shape)]),
) as Record<EventKind, Documented>
