/**
 * The documented fields of each kind and the types they come in, by path (`messages.*.text`), from the one list of fields.
 * Free-form objects end at their name: what is in them is the customer's own.
 */
import { documentedIn, type Form, placeIn, type Shape, shapeOf } from '../chatlio/fields.ts'
import { EVENT_TYPES, type EventKind } from '../chatlio/kind.ts'

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

export const DOCUMENTED = Object.fromEntries(
  Object.keys(EVENT_TYPES).map((kind) => [kind, documented(shapeOf(kind as EventKind))]),
) as Record<EventKind, Documented>
