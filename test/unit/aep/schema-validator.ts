/**
 * The complete JSON Schema of an event: the field group in `src/worker/aep/schema` and the standard parts of XDM in use
 * (github.com/adobe/xdm: experienceevent, time-series, identitymap, webinfo, environment, placecontext, geo).
 *
 * Stricter than XDM: refuses unknown fields everywhere, as AEP does (VAL), and empty values.
 */
import { Ajv, type ErrorObject } from 'ajv'
import addFormats from 'ajv-formats'
import { fieldGroup } from '../../../src/worker/aep/schema/field-group.ts'

type Schema = { [keyword: string]: unknown }

const text = { type: 'string' }
const object = (properties: Schema) => ({ type: 'object', properties })

const STANDARD: Schema = {
  _id: { type: 'string', format: 'uri-reference', pattern: '^[^:]+$' },
  timestamp: { type: 'string', format: 'date-time' },
  eventType: text,
  producedBy: { enum: ['self', 'system', 'salesRef', 'customerRep'] },
  identityMap: {
    type: 'object',
    minProperties: 1,
    additionalProperties: {
      type: 'array',
      items: {
        ...object({
          id: { type: 'string', maxLength: 1024 },
          authenticatedState: { enum: ['ambiguous', 'authenticated', 'loggedOut'] },
          primary: { type: 'boolean' },
        }),
        required: ['id', 'authenticatedState', 'primary'],
      },
    },
  },
  web: object({
    webPageDetails: object({ URL: text }),
    webReferrer: object({ URL: text }),
  }),
  environment: object({
    type: { enum: ['browser', 'application', 'iot', 'external', 'widget'] },
    browserDetails: object({ userAgent: text }),
    ipV4: { type: 'string', format: 'ipv4' },
    ipV6: { type: 'string', format: 'ipv6' },
  }),
  customerFeedback: object({
    chatSessionID: text,
    subject: text,
    chatStart: { type: 'integer' },
    chatEnd: { type: 'integer' },
  }),
  placeContext: object({
    geo: object({ city: text, countryCode: { type: 'string', pattern: '^[A-Z]{2}$' } }),
  }),
}

export function eventSchema(tenant: string): Schema {
  const own = fieldGroup.definitions.chatlio.properties['_{TENANT_ID}']
  const event = object({ ...STANDARD, [`_${tenant}`]: own })
  return closed({ ...event, required: ['_id', 'timestamp'] }) as Schema
}

/** Refuses unknown fields and empty values on every level. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const mapped: Schema = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closed(value)]),
  )
  if (mapped.type === 'object') return { additionalProperties: false, minProperties: 1, ...mapped }
  if (mapped.type === 'array') return { minItems: 1, ...mapped }
  return mapped.type === 'string' ? { minLength: 1, ...mapped } : mapped
}

/** What is wrong with an event, in Ajv's words; nothing if it is right. */
export function validator(tenant: string): (entity: unknown) => readonly ErrorObject[] {
  const ajv = addFormats.default(new Ajv({ strict: true, allErrors: true }))
  const validate = ajv.compile(eventSchema(tenant))
  return (entity) => (validate(entity) ? [] : (validate.errors ?? []))
}
