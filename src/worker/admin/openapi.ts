/**
 * The OpenAPI 3.1 description and the JSON Schema of the webhooks, as data: operators' routes from their list of commands,
 * payloads from the list of fields. Made when it is asked for: the text of it would be a twentieth of the bundle. Pure.
 *
 * Promises: says what is taken, so what normalizing drops (empty text, null, `[]` for an empty object) is allowed, and
 * unknown fields are too.
 */
import type * as v from 'valibot'
import { documentedIn, type Form, placeIn } from '../chatlio/fields.ts'
import type { Shape } from '../chatlio/kind.ts'
import { COMMANDS, type Command } from './api.ts'
import * as o from './output.ts'

type JsonSchema = { readonly [keyword: string]: unknown }

const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })
const json = (schema: JsonSchema) => ({ 'application/json': { schema } })

const payloads = (): Record<string, JsonSchema> => ({
  transcript: payloadSchema('transcript'),
  'offline-message': payloadSchema('offline-message'),
  conversation: payloadSchema('conversation'),
})

/** One definition a webhook: `webhooks.schema.json#/$defs/transcript`. */
export function webhookSchemas(): JsonSchema {
  const conversation = { $ref: '#/$defs/conversation' }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What Chatlio posts, as the relay takes it',
    description:
      'Fields that nobody documents are allowed, and relayed as they come. Empty text and null count as absent.',
    $defs: {
      ...payloads(),
      'new-conversation': conversation,
      unanswered: conversation,
      feedback: conversation,
    },
  }
}

const openAnswers = () => ({
  Taken: o.object({
    status: o.oneOf(['forwarded', 'buffered', 'dead-lettered', 'suppressed']),
    id: o.text,
  }),
  Health: o.object({
    status: o.oneOf(['ok', 'degraded']),
    reasons: o.optional(o.list(o.text)),
  }),
  Problem: o.object({
    ...o.each(o.text, 'type', 'title'),
    status: o.whole,
    ...o.each(o.text, 'detail', 'code'),
    id: o.optional(o.text),
    issues: o.optional(o.list(o.object(o.each(o.text, 'path', 'message')))),
  }),
})

/** `version`: the one of package.json. */
export function openApi(version: string) {
  const schemas = new Map<string, JsonSchema>(Object.entries(payloads()))
  for (const [name, schema] of Object.entries(openAnswers())) schemas.set(name, convert(schema))
  const paths: Record<string, Record<string, unknown>> = { ...webhooks(), ...health() }
  for (const command of Object.values(COMMANDS) as Command[]) {
    const path = `/admin${command.path}`
    paths[path] = { ...paths[path], [command.method.toLowerCase()]: operation(command, schemas) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Chatlio edge relay', version, license: { name: 'See LICENSE' } },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'apiKey', in: 'query', name: 'key' },
        admin: { type: 'http', scheme: 'bearer' },
      },
      responses: {
        Problem: {
          description: 'What is wrong, with a stable `code`',
          content: { 'application/problem+json': { schema: ref('Problem') } },
        },
      },
      schemas: Object.fromEntries(schemas),
    },
  }
}

function webhooks() {
  const route = (summary: string, body: JsonSchema) => ({
    post: {
      summary,
      security: [{ key: [] }],
      requestBody: { required: true, content: json(body) },
      responses: {
        200: { description: 'AEP accepted it', content: json(ref('Taken')) },
        202: { description: 'It is stored, or dropped as suppressed', content: json(ref('Taken')) },
        ...problems(400, 401, 404, 405, 413, 415, 422, 503),
      },
    },
  })
  const conversation = ref('conversation')
  return {
    '/chatlio/transcript': route('A transcript was exported', ref('transcript')),
    '/chatlio/offline-message': route('An offline message was left', ref('offline-message')),
    '/chatlio/new-conversation': route('A conversation started', conversation),
    '/chatlio/unanswered': route('A visitor got no answer in time', conversation),
    '/chatlio/feedback': route('A visitor left feedback', conversation),
    '/chatlio': route('One URL for every webhook: the kind follows from the shape', {
      anyOf: Object.keys(payloads()).map(ref),
    }),
  }
}

function health() {
  const summary = 'Whether webhooks can be taken into custody, and what an operator should look at'
  const answer = { description: summary, content: json(ref('Health')) }
  return { '/health': { get: { summary, security: [], responses: { 200: answer, 503: answer } } } }
}

const problems = (...statuses: number[]) =>
  Object.fromEntries(statuses.map((status) => [status, { $ref: '#/components/responses/Problem' }]))

/** Any route of an operator may answer: no such route or thing, a wrong token, an outbox that does not answer. */
function operation(command: Command, schemas: Map<string, JsonSchema>) {
  const { method, path, summary, takes, answers } = command
  const isRead = method === 'GET'
  const parameters = [
    ...(path.includes('{id}') ? [parameter('id', 'path', true, { type: 'string' })] : []),
    ...(isRead && takes ? queryOf(takes) : []),
  ]
  const content =
    answers === null
      ? undefined
      : typeof answers === 'string'
        ? // OpenAPI 3.1 leaves the schema of raw bytes out.
          { [answers]: {} }
        : json(convert(answers(), schemas))
  return {
    summary,
    security: [{ admin: [] }],
    ...(parameters.length > 0 && { parameters }),
    ...(!isRead && takes && { requestBody: { required: true, content: json(bodyOf(takes)) } }),
    responses: {
      [answers === null ? 204 : 200]: { description: summary, ...(content && { content }) },
      ...problems(...(takes ? [400] : []), 401, ...(isRead ? [] : [403]), 404, 503),
    },
  }
}

function parameter(name: string, where: 'path' | 'query', required: boolean, schema: JsonSchema) {
  return { name, in: where, required, schema }
}

/** Each field of a schema as a parameter of the query. */
function queryOf(schema: v.GenericSchema) {
  const { properties = {}, required = [] } = jsonSchemaOf(schema, 'input')
  return Object.entries(properties as Record<string, JsonSchema>).map(([name, each]) =>
    parameter(name, 'query', (required as string[]).includes(name), each),
  )
}

/** What an operator sends, as the Worker checks it. */
function bodyOf(schema: v.GenericSchema): JsonSchema {
  const { oneOf, ...json } = jsonSchemaOf(schema, 'input')
  return { ...json, additionalProperties: false, ...(oneOf !== undefined && { oneOf }) }
}

/** What has a title goes into `schemas` under it, and is referred to. */
function convert(schema: v.GenericSchema, schemas = new Map<string, JsonSchema>()): JsonSchema {
  const hoist = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(hoist)
    if (typeof value !== 'object' || value === null) return value
    const { title, ...rest } = value as JsonSchema
    const converted = Object.fromEntries(
      Object.entries(rest).map(([keyword, each]) => [keyword, hoist(each)]),
    )
    if (typeof title !== 'string') {
      return { ...converted, ...(title !== undefined && { title: hoist(title) }) }
    }
    schemas.set(title, converted)
    return ref(title)
  }
  return hoist(jsonSchemaOf(schema)) as JsonSchema
}

const TEXT: JsonSchema = { type: ['string', 'null'] }
const EMPTY_TEXT: JsonSchema = { const: '' }
const EMPTY_LIST: JsonSchema = { type: 'array', maxItems: 0 }

const FORMS: { readonly [form in Form]?: JsonSchema } = {
  traits: { anyOf: [{ type: ['string', 'object', 'null'] }, EMPTY_LIST] },
  texts: { anyOf: [{ type: ['array', 'null'] }, EMPTY_TEXT] },
  boolean: { anyOf: [{ type: ['boolean', 'null'] }, EMPTY_TEXT] },
}

function payloadSchema(shape: Shape): JsonSchema {
  const own = propertiesAt(shape, '')
  const visitor = propertiesAt(shape, 'visitor')
  switch (shape) {
    case 'conversation': {
      const UUID = { type: 'string', minLength: 1 }
      const known = objectOf({ ...visitor, UUID }, ['UUID'])
      return objectOf({ visitor: known, ...own }, ['visitor'])
    }
    case 'offline-message': {
      const known = { type: ['object', 'null'], properties: visitor }
      const properties = { visitor: { anyOf: [known, EMPTY_TEXT, EMPTY_LIST] }, ...own }
      return objectOf({ ...properties, message: { type: 'string' } }, ['message'])
    }
    case 'transcript': {
      const message = { anyOf: [objectOf(propertiesAt(shape, 'messages[*]'), []), EMPTY_LIST] }
      return objectOf({ messages: { type: ['array', 'null'], items: message }, ...own }, [
        'messages',
      ])
    }
  }
}

function propertiesAt(shape: Shape, holder: string): Record<string, JsonSchema> {
  const there = documentedIn(shape).filter((field) => placeIn(field).holder === holder)
  return Object.fromEntries(there.map((field) => [placeIn(field).name, FORMS[field.form] ?? TEXT]))
}

function objectOf(properties: Record<string, JsonSchema>, required: string[]): JsonSchema {
  return { type: 'object', properties, ...(required.length > 0 && { required }) }
}

type Side = 'input' | 'output'

/** As valibot's schemas and actions say of themselves. */
type Part = {
  readonly kind: string
  readonly type: string
  readonly pipe?: readonly Part[]
  readonly entries?: Readonly<Record<string, Part>>
  readonly item?: Part
  readonly wrapped?: Part
  readonly key?: Part
  readonly value?: Part
  readonly options?: readonly unknown[]
  readonly literal?: unknown
  readonly default?: unknown
  readonly requirement?: unknown
  readonly metadata?: object
  readonly title?: string
  readonly description?: string
}

/**
 * JSON Schema (draft 2020-12) of the valibot schemas that commands are made of: a schema of another type throws, and a test asks
 * for each command. What JSON Schema has no word for (a check, a transformation) is left out. `input`: what is taken; otherwise
 * what comes out.
 */
export function jsonSchemaOf(schema: v.GenericSchema, side: Side = 'output'): JsonSchema {
  return ofPart(schema as unknown as Part, side)
}

function ofPart(part: Part, side: Side): JsonSchema {
  const [own = part, ...others] = part.pipe ?? []
  let json = own.pipe && own !== part ? ofPart(own, side) : ofSchema(own, side)
  for (const each of others) {
    if (each.kind !== 'schema') json = { ...json, ...ofAction(each, json) }
    else if (side === 'input') break
    else json = { ...json, ...ofPart(each, side) }
  }
  return json
}

function ofSchema(part: Part, side: Side): JsonSchema {
  const of = (each: Part | undefined) => (each ? ofPart(each, side) : {})
  switch (part.type) {
    case 'string':
    case 'number':
    case 'boolean':
      return { type: part.type }
    case 'any':
    case 'unknown':
      return {}
    case 'literal':
      return { const: part.literal }
    case 'picklist':
      return { enum: part.options, type: 'string' }
    case 'array':
      return { type: 'array', items: of(part.item) }
    case 'record':
      return {
        type: 'object',
        propertyNames: of(part.key),
        additionalProperties: of(part.value),
      }
    case 'union':
      return { anyOf: (part.options as readonly Part[]).map(of) }
    case 'nullable':
      return { anyOf: [of(part.wrapped), { type: 'null' }] }
    case 'optional':
      return { ...of(part.wrapped), ...(part.default !== undefined && { default: part.default }) }
    case 'object':
    case 'loose_object':
    case 'strict_object': {
      const entries = Object.entries(part.entries ?? {})
      return {
        type: 'object',
        properties: Object.fromEntries(entries.map(([name, each]) => [name, of(each)])),
        required: entries.filter(([, { type }]) => type !== 'optional').map(([name]) => name),
        ...(part.type === 'strict_object' && { additionalProperties: false }),
      }
    }
  }
  throw new Error(`no JSON Schema of ${part.type}`)
}

function ofAction(
  { type, requirement, metadata, title, description }: Part,
  { type: of }: JsonSchema,
): JsonSchema {
  switch (type) {
    case 'integer':
      return { type: 'integer' }
    case 'iso_timestamp':
      return { format: 'date-time' }
    case 'regex':
      return { pattern: (requirement as RegExp).source }
    case 'min_value':
      return isNumber(of) ? { minimum: requirement } : {}
    case 'max_value':
      return isNumber(of) ? { maximum: requirement } : {}
    case 'min_length':
      return { [of === 'array' ? 'minItems' : 'minLength']: requirement }
    case 'max_length':
      return { [of === 'array' ? 'maxItems' : 'maxLength']: requirement }
    case 'metadata':
      return { ...metadata }
    case 'title':
      return { title }
    case 'description':
      return { description }
  }
  return {}
}

/** A number that is checked after a text has been turned into it says nothing of the text. */
function isNumber(type: unknown): boolean {
  return type === 'number' || type === 'integer'
}
