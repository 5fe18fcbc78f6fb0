/**
 * Step: one thing that must exist in AEP, as data: how to find it, what it should be, how to make it, how to mend it.
 * The runner knows steps only by this type, so planning, making, `--status` and `--dry-run` agree by construction.
 *
 * Promises: apart from `find`, everything is pure. `compare` reports only what matters to the relay: what somebody
 * added beside it is theirs. No step deletes.
 */
import type { Send } from '../lib/platform-client.ts'
import type { ApiRequest, Json } from '../lib/platform-request.ts'
import type { Wanted } from './wanted.ts'

export type Key =
  | 'namespace'
  | 'fieldGroup'
  | 'schema'
  | 'visitorDescriptor'
  | 'visitorEmailDescriptor'
  | 'emailDescriptor'
  | 'union'
  | 'dataset'
  | 'base'
  | 'source'
  | 'target'
  | 'mapping'
  | 'flow'

/** `body` as Adobe shows it. */
export type Found = { readonly id: string; readonly body: Json }

export type Difference = {
  readonly field: string
  readonly expected: string
  readonly found: string
}

/** A change to something that exists; `what` completes "This would …". */
export type Amendment = {
  readonly what: string
  readonly request: ApiRequest
  /** Where the change makes a new thing that takes the place of the old one. */
  readonly replaces?: boolean
}

export type Context = {
  readonly send: Send
  readonly wanted: Wanted
  /** What is known to exist so far. */
  readonly known: ReadonlyMap<Key, Found>
}

export type Step = {
  readonly key: Key
  readonly title: string
  name(wanted: Wanted): string
  /** The permission in Adobe's own words. */
  readonly permission: string
  /** A sentence, where making it cannot be undone. */
  readonly forever?: string
  /** Everything of its name: none, one, or too many. */
  find(context: Context): Promise<readonly Found[]>
  compare(found: Found, context: Context): readonly Difference[]
  create(context: Context): ApiRequest
  /** From the answer to `create`. */
  made(answer: Json, context: Context): Found | null
  /** Null when a difference cannot be corrected. */
  amend?(found: Found, differences: readonly Difference[], context: Context): Amendment | null
}

/** The id of another step's thing; a placeholder as long as it does not exist. */
export function idOf({ known }: Context, key: Key): string {
  return known.get(key)?.id ?? `{${key}}`
}

export function difference(field: string, expected: Json, found: Json): readonly Difference[] {
  const text = (value: Json) => (typeof value === 'string' ? value : JSON.stringify(value))
  if (text(expected) === text(found)) return []
  return [{ field, expected: text(expected), found: found === null ? 'nothing' : text(found) }]
}
