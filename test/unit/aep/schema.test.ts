import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { samplePayloads } from '../../../src/cli/provision/sample.ts'
import { fieldGroup } from '../../../src/worker/aep/schema/field-group.ts'
import namespace from '../../../src/worker/aep/schema/identity-namespace.json'
import schema from '../../../src/worker/aep/schema/schema.json'
import { FIELDS } from '../../../src/worker/chatlio/fields.ts'
import { ROUTE_KINDS } from '../../../src/worker/chatlio/kind.ts'
import { parseConfig } from '../../../src/worker/config/config.ts'
import conversation from '../../fixtures/conversation.json'
import minimal from '../../fixtures/conversation-minimal.json'
import offlineMessage from '../../fixtures/offline-message.json'
import transcript from '../../fixtures/transcript.json'
import sparse from '../../fixtures/transcript-sparse.json'
import { encodeParts } from './encode-parts.ts'
import { encodeXdm } from './encode-xdm.ts'
import { validator } from './schema-validator.ts'
import { anyEvent, eventOf, holds, XDM_EXTRAS } from './split-arbitraries.ts'

const validate = validator('acme')
const entityOf = (event: ReturnType<typeof eventOf>): unknown =>
  JSON.parse(encodeXdm(event, XDM_EXTRAS)).body.xdmEntity

describe('every event is valid by the schema', () => {
  it.each([
    ['new-conversation', conversation],
    ['unanswered', conversation],
    ['feedback', minimal],
    ['conversation', minimal],
    ['offline-message', offlineMessage],
    ['transcript', transcript],
    ['transcript', sparse],
  ] as const)('%s', (kind, payload) => {
    expect(validate(entityOf(eventOf(kind, payload)))).toEqual([])
  })

  it('with any content', () => {
    holds(
      fc.property(anyEvent, (event) => {
        expect(validate(entityOf(event))).toEqual([])
      }),
      300,
    )
  })
})

describe('the schema refuses', () => {
  const entity = () => entityOf(eventOf('feedback', conversation)) as Record<string, unknown>

  it.each([
    ['an unknown field', { stranger: 1 }],
    ['another tenant', { _other: {} }],
    ['an invalid time', { timestamp: 'yesterday' }],
    ['an id with a colon', { _id: 'a:b' }],
    ['an empty object', { web: {} }],
    ['an empty text', { eventType: '' }],
    ['null', { producedBy: null }],
    ['an invalid IP address', { environment: { ipV4: '1.2.3' } }],
  ])('%s', (_, change) => {
    expect(validate({ ...entity(), ...change })).not.toEqual([])
  })
})

describe('the schema as data', () => {
  const own = fieldGroup.definitions.chatlio.properties['_{TENANT_ID}'].properties

  it('has no field that every event leaves empty', () => {
    const events = [
      ...samplePayloads().map(([kind, payload]) => eventOf(kind, payload)),
      eventOf('feedback', { ...conversation, rating: 5 }),
    ]
    const long = { ...transcript, htmlBody: 'x'.repeat(9_500) }
    const parts = encodeParts(eventOf('transcript', long), XDM_EXTRAS, 9_500).map((part) =>
      JSON.parse(part),
    )
    const filled = new Set(
      [...events.map(entityOf), ...parts.map(({ body }) => body.xdmEntity)].flatMap(leaves),
    )
    const declared = leavesOfSchema({ properties: own }).map((path) => `_acme.${path}`)
    const rawOnly = FIELDS.filter((field) => field.in === 'raw').map(({ to }) => `_acme.${to}`)
    expect(declared.filter((path) => !filled.has(path))).toEqual([...new Set(rawOnly)])
  })

  it('has only names that XDM accepts', () => {
    for (const path of leavesOfSchema({ properties: own })) {
      for (const name of path.split('.')) expect(name).toMatch(/^[a-z][A-Za-z0-9]*$/)
    }
  })

  it('consists of the class, two standard groups and our own, enabled for Profile', () => {
    expect(schema.allOf.map(({ $ref }) => $ref)).toEqual([
      ...fieldGroup['meta:intendedToExtend'],
      'https://ns.adobe.com/xdm/context/experienceevent-web',
      'https://ns.adobe.com/xdm/context/experienceevent-environment-details',
      '{FIELD_GROUP_ID}',
    ])
    expect(schema['meta:immutableTags']).toEqual(['union'])
    expect(fieldGroup.allOf).toEqual([{ $ref: '#/definitions/chatlio' }])
  })

  it('defines the namespace that the configuration uses by default', () => {
    const { destination } = parseConfig({
      AEP_FORMAT: 'xdm',
      AEP_ENDPOINT: 'https://dcs.adobedc.net/collection/inlet',
      AEP_ORG_ID: 'o',
      AEP_DATASET_ID: 'd',
      AEP_SCHEMA_ID: 's',
      AEP_TENANT: 't',
    })
    expect(destination).toMatchObject({ visitorNamespace: namespace.code })
  })
})

describe('kinds', () => {
  it('each has its own event type', () => {
    const types = ROUTE_KINDS.map((kind) => {
      const payload = { visitor: { UUID: 'u' }, message: 'm', messages: [] }
      return (entityOf(eventOf(kind, payload)) as { eventType: string }).eventType
    })
    expect(new Set(types).size).toBe(ROUTE_KINDS.length)
  })
})

/** Paths of all values that are not objects; a list has the paths of its items. */
function leaves(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(leaves)
  if (typeof value !== 'object' || value === null) return ['']
  return Object.entries(value).flatMap(([key, held]) =>
    leaves(held).map((path) => (path === '' ? key : `${key}.${path}`)),
  )
}

type Node = { properties?: object; items?: object }

function leavesOfSchema({ properties, items }: Node): string[] {
  if (items) return leavesOfSchema(items)
  if (!properties) return ['']
  return Object.entries(properties).flatMap(([key, node]) =>
    leavesOfSchema(node).map((path) => (path === '' ? key : `${key}.${path}`)),
  )
}
