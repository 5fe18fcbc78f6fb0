/**
 * Common: the parts that all Flow Service collections share: lists with filters and pages, the error for a
 * missing resource, and the check of the etag that a change must bring.
 */
import type { Context } from 'hono'
import type { JsonObject } from '../../streaming/message.ts'
import { flowError, invalidFlow } from '../errors.ts'
import { type Condition, holds, parseCondition, withAlternatives } from '../filter.ts'
import type { Caller, PlatformEnv } from '../gateway.ts'
import { applyPatch } from '../json-patch.ts'
import type { Kind, Resource, Store } from '../store.ts'

type FlowContext = Context<PlatformEnv>

export const invalidBody = (message: string) => invalidFlow('1405-400', message)

export function found(store: Store, kind: Kind, id: string, caller: Caller): Resource {
  const resource = store.find(kind, caller.sandbox, id)
  if (!resource) throw notFound(kind, id)
  return resource
}

export const notFound = (kind: string, id: string) =>
  flowError(
    '1439-404',
    'Resource not found',
    `The requested ${kind} resource ${id} is not found. Verify the resource ID before trying again.`,
  )

/** The fields that all Flow Service resources show. */
export function commonView(resource: Resource, caller: Caller): JsonObject {
  return {
    id: resource.id,
    createdAt: resource.createdAt,
    updatedAt: resource.updatedAt,
    createdBy: 'local-user@AdobeID',
    updatedBy: 'local-user@AdobeID',
    createdClient: caller.clientId,
    updatedClient: caller.clientId,
    sandboxId: sandboxId(resource.sandbox),
    sandboxName: resource.sandbox,
    imsOrgId: caller.orgId,
    ...resource.body,
    version: resource.etag,
    etag: resource.etag,
  }
}

/** The same for every object of a sandbox, and of the form of Adobe's. */
function sandboxId(name: string): string {
  const digits = Array.from(name, (char) => (char.codePointAt(0) ?? 0).toString(16)).join('')
  return `1f2fcb6c-8a1b-4a55-8f34-${digits.padEnd(12, '0').slice(0, 12)}`
}

const DEFAULT_LIMIT = 100
const DEFAULT_SPEC_LIMIT = 1000

/** Adobe documents that `limit` and `count` exclude each other; its own clients send `count=false`. */
export function listed(
  c: FlowContext,
  kind: string,
  views: readonly JsonObject[],
  most = Infinity,
): Response {
  const url = new URL(c.req.url)
  const token = url.searchParams.get('continuationToken')
  const resumed = token ? resume(token) : null
  const query = resumed?.query ?? url.searchParams
  const limit = query.get('limit')
  const count = query.get('count')?.toLowerCase() === 'true'
  if (limit !== null && count) {
    throw invalidFlow(
      '1401-400',
      'The limit and count parameters cannot be given together in the same request. Please provide either only the limit or the count parameter and try again.',
    )
  }
  const conditions = query.getAll('property').filter(Boolean).map(conditionOf)
  const matching = views.filter((view) => conditions.every((condition) => holds(condition, view)))
  if (count) return c.json({ items: [], count: matching.length, _links: {} })
  const size =
    limit === null ? (kind.endsWith('Specs') ? DEFAULT_SPEC_LIMIT : DEFAULT_LIMIT) : Number(limit)
  if (!Number.isInteger(size) || size < 1) {
    throw invalidFlow('1452-400', `Invalid value ${limit} for field limit.`)
  }
  const start = resumed?.start ?? 0
  const end = start + Math.min(size, most)
  const items = ordered(matching, query.get('orderby')).slice(start, end)
  if (end >= matching.length) return c.json({ items, _links: {} })
  const next = `/${kind}?continuationToken=${tokenFor(end, query)}`
  return c.json({ items, _links: { next: { href: next } } })
}

/** Holds the whole query, so that a client may follow the link with or without its own parameters. */
function tokenFor(start: number, query: URLSearchParams): string {
  const kept = new URLSearchParams(query)
  kept.delete('continuationToken')
  const text = btoa(encodeURIComponent(`${start}?${kept}`))
  return text.replaceAll('=', '').replaceAll('+', '-').replaceAll('/', '_')
}

function resume(token: string): { start: number; query: URLSearchParams } {
  try {
    const text = decodeURIComponent(atob(token.replaceAll('-', '+').replaceAll('_', '/')))
    const at = text.indexOf('?')
    const start = Number(text.slice(0, at))
    if (at > 0 && Number.isInteger(start)) {
      return { start, query: new URLSearchParams(text.slice(at + 1)) }
    }
  } catch {
    // Refused below.
  }
  throw invalidFlow('1452-400', 'Invalid value for field continuationToken.')
}

function conditionOf(text: string): Condition {
  const condition = withAlternatives(parseCondition(text))
  if (condition.operator === '~') {
    throw invalidFlow('1440-400', "Operator '~' not implemented.")
  }
  if (condition.operator === null) {
    throw invalidFlow('1450-400', `Invalid operator in filter params: ${text}.`)
  }
  if (condition.values.every((value) => value === '')) {
    throw invalidFlow('1453-400', `Invalid query value ${text} provided in query param.`)
  }
  return condition
}

function ordered(views: readonly JsonObject[], orderby: string | null): readonly JsonObject[] {
  if (!orderby) return views
  const sign = orderby.startsWith('-') ? -1 : 1
  const field = orderby.replace(/^[-+ ]/, '')
  const key = (view: JsonObject) => view[field]
  return views.toSorted((a, b) => {
    const [left, right] = [key(a), key(b)]
    if (typeof left === 'number' && typeof right === 'number') return sign * (left - right)
    return sign * String(left ?? '').localeCompare(String(right ?? ''))
  })
}

/** Refuses a change that does not bring the current etag. */
export function requireMatch(c: FlowContext, resource: Resource): void {
  const given = c.req.header('if-match')
  if (!given) {
    throw flowError(
      '1403-400',
      'Header is missing',
      "The header 'If-Match' is missing in the request. Please provide the header and try again.",
    )
  }
  const bare = (etag: string) => etag.replaceAll('"', '')
  if (given !== '*' && bare(given) !== bare(resource.etag)) {
    throw flowError(
      '1404-412',
      'Version not matching',
      `The supplied version '${given}' does not match the current version on entity '${resource.etag}'. Please ensure that the supplied version matches the current version on entity and try again.`,
    )
  }
}

export function patchedBody(body: JsonObject, operations: unknown): JsonObject {
  if (!Array.isArray(operations) || operations.length === 0) {
    throw invalidBody(
      'The request body cannot be null or empty. Please provide a request body and try again.',
    )
  }
  const result = applyPatch(body, operations)
  if (result.ok) return result.value
  const { failure } = result
  throw 'unsupported' in failure
    ? invalidFlow(
        '1434-400',
        `Unsupported operation '${failure.unsupported}' received. Please use one of the supported operation types and try again.`,
      )
    : invalidFlow(
        '1455-400',
        `An error has occurred while validating patch instructions: Missing field "${failure.missing}".`,
      )
}
