/** The OpenAPI 3.1 description and the JSON Schema of the webhooks, as data. Pure. */
import { ANSWERS } from './answers.ts'
import { payloadSchema } from './payload-schema.ts'
import { OPERATIONS, type Operation } from './routes.ts'
import { type JsonSchema, ref } from './schema.ts'

/** OpenAPI 3.1 leaves the schema of raw bytes out. */
const BYTES = { 'application/octet-stream': {} }

const PAYLOADS: Readonly<Record<string, JsonSchema>> = {
  transcript: payloadSchema('transcript'),
  'offline-message': payloadSchema('offline-message'),
  conversation: payloadSchema('conversation'),
}

const PROBLEM = {
  description: 'What is wrong, with a stable `code`',
  content: { 'application/problem+json': { schema: ref('Problem') } },
}

/** One definition a webhook: `webhooks.schema.json#/$defs/transcript`. */
export function webhookSchemas(): JsonSchema {
  const conversation = { $ref: '#/$defs/conversation' }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What Chatlio posts, as the relay takes it',
    description:
      'Fields that nobody documents are allowed, and relayed as they come. Empty text and null count as absent.',
    $defs: {
      ...PAYLOADS,
      'new-conversation': conversation,
      unanswered: conversation,
      feedback: conversation,
    },
  }
}

/** `version`: the one of package.json. */
export function openApi(version: string) {
  return {
    openapi: '3.1.0',
    info: { title: 'Chatlio edge relay', version, license: { name: 'See LICENSE' } },
    servers: [{ url: '/' }],
    paths: pathsOf(OPERATIONS),
    components: {
      securitySchemes: {
        key: { type: 'apiKey', in: 'query', name: 'key' },
        admin: { type: 'http', scheme: 'bearer' },
      },
      responses: { Problem: PROBLEM },
      schemas: { ...PAYLOADS, ...ANSWERS, Description: { type: 'object' } },
    },
  }
}

function pathsOf(operations: readonly Operation[]) {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    const path = paths[operation.path] ?? {}
    path[operation.method] = described(operation)
    paths[operation.path] = path
  }
  return paths
}

/** What any route of an operator may answer: no such route or thing, a wrong token, a shard that does not answer. */
const ADMIN_PROBLEMS = [401, 404, 503]

/** What Access admits without a token, and another site sent. */
const FORBIDDEN = 403

function described(operation: Operation) {
  const { method, summary, access, parameters, body, answers, problems = [] } = operation
  const refused = access === 'admin' ? [...problems, ...ADMIN_PROBLEMS] : [...problems]
  if (access === 'admin' && method !== 'get') refused.push(FORBIDDEN)
  return {
    summary,
    security: access === 'open' ? [] : [{ [access]: [] }],
    ...(parameters && { parameters }),
    ...(body && { requestBody: { required: true, content: json(body) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, name]) => [
          status,
          {
            description: summary,
            ...(name && { content: name === 'bytes' ? BYTES : json(ref(name)) }),
          },
        ]),
      ),
      ...Object.fromEntries(
        refused.map((status) => [String(status), { $ref: '#/components/responses/Problem' }]),
      ),
    },
  }
}

const json = (schema: JsonSchema) => ({ 'application/json': { schema } })
