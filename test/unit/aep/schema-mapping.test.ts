/** The mapping set of a raw dataflow covers what the encoder can send, and leads to what the schema has. */
import { describe, expect, it } from 'vitest'
import { sampleRecords } from '../../../src/cli/provision/sample.ts'
import { encodeRaw } from '../../../src/worker/aep/record/encode.ts'
import { mappingRows } from '../../../src/worker/aep/schema/mapping.ts'
import { documentedIn } from '../../../src/worker/chatlio/fields.ts'
import conversation from '../../fixtures/conversation.json'
import offlineMessage from '../../fixtures/offline-message.json'
import transcript from '../../fixtures/transcript.json'
import { encodeParts } from './encode-parts.ts'
import { eventSchema } from './schema-validator.ts'
import { eventOf, RAW } from './split-arbitraries.ts'

const ROWS = mappingRows('acme', 'ChatlioVisitor', true)

/** Paths that some row reads, in expressions too. */
const READ = new Set(
  ROWS.flatMap(({ source, sourceType }) =>
    sourceType === 'ATTRIBUTE'
      ? [source]
      : (source.replaceAll(/"[^"]*"/g, '').match(/[A-Za-z_][\w.]*(?![\w.]*\()/g) ?? []),
  ),
)

const isCovered = (path: string) =>
  READ.has(path) ||
  // Repeats visitor.identTraits, under names of the customer's pages.
  /^visitor\.identTraitsParsed(\.|$)/.test(path) ||
  // A map takes every key.
  path.startsWith('visitorTraits.')

describe('the mapping covers', () => {
  it.each(['conversation', 'offline-message', 'transcript'] as const)(
    'every documented field of a body: %s',
    (shape) => {
      const fields = documentedIn(shape).map(({ from }) => from)
      expect(fields.length).toBeGreaterThan(4)
      expect(fields.filter((path) => !isCovered(path))).toEqual([])
    },
  )

  it('every field of a record as it is sent', () => {
    const records = [
      encodeRaw(eventOf('feedback', conversation), 'shop'),
      encodeRaw(eventOf('offline-message', offlineMessage), 'shop'),
      encodeRaw(eventOf('transcript', transcript), 'shop'),
      encodeRaw(eventOf('transcript', { ...transcript, visitorTraits: 'not JSON' }), 'shop'),
      ...sampleRecords(),
    ]
    expect(records.flatMap(leaves).filter((path) => !isCovered(path))).toEqual([])
  })

  it('every field of the parts of an event that is too large', () => {
    const messages = [{ index: 1, text: 'x'.repeat(30_000) }]
    const long = { ...transcript, rating: 5, messages }
    const parts = encodeParts(eventOf('transcript', long), RAW, 9_500).map((part) =>
      JSON.parse(part),
    )
    expect(parts.length).toBeGreaterThan(1)
    const paths = parts.flatMap(leaves).filter((path) => path !== 'rating')
    expect(paths.some((path) => path.startsWith('part.'))).toBe(true)
    expect(paths.filter((path) => !isCovered(path))).toEqual([])
  })
})

describe('the mapping', () => {
  it('begins with what AEP refuses a record without', () => {
    expect(ROWS.slice(0, 2)).toEqual([
      { sourceType: 'ATTRIBUTE', source: '_id', destination: '_id' },
      { sourceType: 'ATTRIBUTE', source: 'timestamp', destination: 'timestamp' },
    ])
  })

  it('writes each place once', () => {
    const destinations = ROWS.map(({ destination }) => destination)
    expect(new Set(destinations).size).toBe(destinations.length)
  })

  it('writes only what the schema has', () => {
    const schema = eventSchema('acme')
    expect(ROWS.filter(({ destination }) => !hasPlace(schema, destination))).toEqual([])
  })

  it('has Adobe’s own sample mapping in it', () => {
    for (const path of [
      'visitor.UUID',
      'message',
      'channelId',
      'slackChannelId',
      'slackChannelName',
    ]) {
      expect(ROWS.filter(({ source }) => source === path)).toHaveLength(1)
    }
  })

  it('makes identities only of what the relay says they are', () => {
    const identity = ROWS.find(({ destination }) => destination === 'identityMap')?.source ?? ''
    const read = identity.replaceAll(/"[^"]*"/g, '').match(/[a-z]\w*\.\w+/g)
    expect(new Set(read)).toEqual(new Set(['identity.visitor', 'identity.email']))
  })

  it('has expressions that Data Prep takes: under 4,096 characters', () => {
    for (const { source } of ROWS) expect(source.length).toBeLessThan(4_096)
  })
})

/** Items of a list of objects under `[*]`, any other list as itself. */
function leaves(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return ['']
  if (Array.isArray(value)) {
    const isOfObjects = value.some((item) => typeof item === 'object')
    return isOfObjects ? [...new Set(value.flatMap(leaves))].map((path) => `[*].${path}`) : ['']
  }
  return Object.entries(value).flatMap(([key, held]) =>
    held === undefined
      ? []
      : leaves(held).map((path) =>
          path === '' || path.startsWith('[') ? key + path : `${key}.${path}`,
        ),
  )
}

type Node = { properties?: Record<string, Node>; items?: Node }

function hasPlace(schema: Node, destination: string): boolean {
  const place = destination
    .replaceAll('[*]', '')
    .split('.')
    .reduce<Node | undefined>((node, key) => (node?.items ?? node)?.properties?.[key], schema)
  return place !== undefined
}
