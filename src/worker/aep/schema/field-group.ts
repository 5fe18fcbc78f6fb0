/**
 * The field group: everything under `_{TENANT_ID}.chatlio`, as the Schema Registry takes it, made of the one list of
 * fields. `{TENANT_ID}` stands for the tenant. Pure.
 */
import { FIELDS, type Field, type Form, sentBy } from '../../chatlio/fields.ts'

type SchemaNode = {
  title?: string
  description?: string
  type: string
  format?: string
  minimum?: number
  properties?: Record<string, SchemaNode>
  items?: SchemaNode
  additionalProperties?: SchemaNode
}

const TEXT: SchemaNode = { type: 'string' }

/** The forms that our own fields have. */
const NODES: { readonly [form in Form]?: SchemaNode } = {
  dateTime: { type: 'string', format: 'date-time' },
  boolean: { type: 'boolean' },
  integer: { type: 'integer', minimum: 0 },
  texts: { type: 'array', items: TEXT },
  textMap: { type: 'object', additionalProperties: TEXT },
}

/** Objects that hold fields; a list of them where the path has `[*]`. */
const HOLDERS: Readonly<Record<string, Omit<SchemaNode, 'type'>>> = {
  visitor: { title: 'Visitor' },
  agent: { title: 'Agent', description: 'Transcript.' },
  metrics: { title: 'Numbers of the chat', description: 'Absent where the times cannot be read.' },
  messages: {
    title: 'Messages',
    description:
      'Of a split event: in each part the next ones. A message with the index of the one before it goes on with its text.',
  },
  part: { title: 'Part', description: 'Of an event that was too large to be sent in one piece.' },
}

const OWN = 'chatlio.'

function ownProperties(): Record<string, SchemaNode> {
  const properties: Record<string, SchemaNode> = {}
  for (const field of FIELDS) {
    if (!field.to?.startsWith(OWN)) continue
    const keys = field.to.slice(OWN.length).split('.')
    const name = keys.pop() ?? ''
    let holder = properties
    for (const key of keys) holder = propertiesOf(holder, key)
    // Of two sources of one place the first describes it.
    holder[name] ??= nodeOf(field)
  }
  return properties
}

function propertiesOf(holder: Record<string, SchemaNode>, key: string): Record<string, SchemaNode> {
  const name = key.replace('[*]', '')
  const properties: Record<string, SchemaNode> = {}
  const object: SchemaNode = { type: 'object', properties }
  const isList = name !== key
  holder[name] ??= { ...HOLDERS[name], ...(isList ? { type: 'array', items: object } : object) }
  const node = holder[name]
  return (isList ? node.items?.properties : node.properties) ?? properties
}

function nodeOf(field: Field): SchemaNode {
  const words = [sentBy(field), field.note].filter((text) => text !== '').join(': ')
  const description = `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
  return { title: field.title, description, ...(NODES[field.form] ?? TEXT) }
}

export const fieldGroup = {
  title: 'Chatlio chat event',
  description: 'What Chatlio’s webhooks say about a chat, beyond the standard fields.',
  type: 'object',
  'meta:intendedToExtend': ['https://ns.adobe.com/xdm/context/experienceevent'],
  definitions: {
    chatlio: {
      properties: {
        '_{TENANT_ID}': {
          type: 'object',
          properties: {
            chatlio: { title: 'Chatlio', type: 'object', properties: ownProperties() },
          },
        },
      },
    },
  },
  allOf: [{ $ref: '#/definitions/chatlio' }],
}
