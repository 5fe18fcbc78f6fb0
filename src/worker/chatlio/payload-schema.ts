/**
 * JSON Schema of what Chatlio posts, from the one list of fields.
 * Promises: says what is taken, so what normalizing drops (empty text, null, `[]` for an empty object) is allowed, and
 * unknown fields are too.
 */

import type { JsonSchema } from '../lib/json-schema.ts'
import { documentedIn, type Form, placeIn, type Shape } from './fields.ts'

const TEXT: JsonSchema = { type: ['string', 'null'] }
const EMPTY_TEXT: JsonSchema = { const: '' }
const EMPTY_LIST: JsonSchema = { type: 'array', maxItems: 0 }

const FORMS: { readonly [form in Form]?: JsonSchema } = {
  traits: { anyOf: [{ type: ['string', 'object', 'null'] }, EMPTY_LIST] },
  texts: { anyOf: [{ type: ['array', 'null'] }, EMPTY_TEXT] },
  boolean: { anyOf: [{ type: ['boolean', 'null'] }, EMPTY_TEXT] },
}

export function payloadSchema(shape: Shape): JsonSchema {
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
