import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { CHATLIO_FIELDS } from '../../src/cli/lib/chatlio-fields.ts'
import { Envelope } from '../../src/worker/aep/client/envelope.ts'
import { encode } from '../../src/worker/aep/record/encode.ts'
import { mappingRows } from '../../src/worker/aep/schema/mapping.ts'
import { readEvent } from '../../src/worker/chatlio/event.ts'
import { ROUTE_KINDS, type RouteKind } from '../../src/worker/chatlio/kind.ts'
import {
  ConversationSchema,
  OfflineMessageSchema,
  TranscriptSchema,
} from '../../src/worker/chatlio/payload.ts'
import { utcDay } from '../../src/worker/chatlio/timestamp.ts'
import type { Destination } from '../../src/worker/config/config.ts'
import { parseJson } from '../../src/worker/lib/json.ts'

/**
 * `docs/samples` holds what the encoder sends, for Adobe's "upload a sample" and for reading. To write the files anew
 * after the encoder has changed: npm run test:cli -- test/cli/samples.test.ts -u
 */
const FIXTURES = {
  transcript: 'transcript.json',
  'offline-message': 'offline-message.json',
  'new-conversation': 'conversation.json',
  unanswered: 'conversation.json',
  feedback: 'conversation-minimal.json',
} as const satisfies Record<RouteKind, string>

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

const RECEIVED_AT = Date.UTC(2026, 10, 24, 10, 0, 0)

const RAW: Destination = {
  format: 'raw',
  url: 'https://dcs.adobedc.net/collection/INLET_ID',
  credentials: null,
  flowId: 'FLOW_ID',
}

const XDM: Destination = {
  format: 'xdm',
  url: 'https://dcs.adobedc.net/collection/INLET_ID',
  batchUrl: 'https://dcs.adobedc.net/collection/batch/INLET_ID',
  credentials: null,
  flowId: 'FLOW_ID',
  orgId: 'ORG_ID@AdobeOrg',
  datasetId: 'DATASET_ID',
  schemaId: 'https://ns.adobe.com/TENANT/schemas/SCHEMA_ID',
  schemaVersion: '1',
  tenant: 'TENANT',
  visitorNamespace: 'ChatlioVisitor',
  schemaExtras: [],
}

/** What AEP is sent for a webhook with this body. */
function sent(kind: RouteKind, body: Buffer, destination: Destination): Record<string, unknown> {
  const parsed = parseJson(body)
  const { conversationUUID, endedAt } = parsed.ok ? (parsed.value as Record<string, unknown>) : {}
  const day = conversationUUID || endedAt ? '' : `${utcDay(RECEIVED_AT)}\n`
  // Node lacks the `toHex` that the Worker's own function uses.
  const id = createHash('sha256').update(`${kind}\n${day}`).update(body).digest('hex')
  const reading = readEvent({ id, kind, receivedAt: RECEIVED_AT }, parsed)
  if (reading.outcome !== 'valid') throw new Error(`${kind} is ${reading.outcome}`)
  const encoded = encode(reading.event, destination, 1_000_000)
  if (encoded.split) throw new Error(`${kind} is too large for a sample`)
  return JSON.parse(new Envelope(destination).message(encoded.record))
}

async function fixture(kind: RouteKind, destination: Destination) {
  return sent(kind, await readFile(file(`test/fixtures/${FIXTURES[kind]}`)), destination)
}

const shown = (record: object) => `${JSON.stringify(record, null, 2)}\n`

const VISITOR = {
  UUID: '7c0e2b1a-52d4-4a7e-9f5e-0d8f4f1c6a21',
  email: 'ada@example.com',
  name: 'Ada Example',
  identUserId: 'user1234',
  identTraits: '{"plan":"gold"}',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0',
  handle: 'netherlands-12',
  currentPage: 'https://shop.example.com/checkout',
  referrerURL: 'https://search.example.com/',
  createdAt: '2016-02-07T11:02:17.839Z',
  IPAddress: '203.0.113.21',
  location: 'Utrecht, Utrecht, Netherlands',
}

/** Payloads with every documented field filled. */
const FULL: { [kind in 'transcript' | 'offline-message' | 'new-conversation']: object } = {
  'new-conversation': {
    visitor: VISITOR,
    message: 'Hi',
    conversationUUID: 'b9d3f0c2-6a1e-4c58-8a34-3f0f7a5d9e10',
    channelId: 'C1NABCDEF',
    slackChannelName: 'live-chat',
    slackChannelId: 'C1XPVTNKR',
  },
  'offline-message': {
    visitor: VISITOR,
    message: 'Do you ship to Belgium?',
    name: 'Ada Example',
    email: 'ada@example.com',
    emailPretty: '"Ada Example" <ada@example.com>',
    subject: 'Shipping',
  },
  transcript: {
    agentEmail: 'agent@example.com',
    agentName: 'Sam Agent',
    archiveUrl: 'https://example.slack.com/archives/cl-tiger128',
    extraData: ['extra'],
    channelId: 'C03FVS2UR',
    channelName: 'utrecht-netherlands-133',
    conversationUUID: 'b9d3f0c2-6a1e-4c58-8a34-3f0f7a5d9e10',
    startedAt: '2018-05-19T15:58:02.560Z',
    endedAt: '2018-05-19T16:14:32.000Z',
    htmlBody: '<p>Where is my parcel?</p>',
    textBody: 'Where is my parcel?',
    messages: [
      {
        text: 'Where is my parcel?',
        ts: '1526745489.000005',
        sentAt: '2018-05-19T15:58:09.000Z',
        userId: 'U0N2GKA2G',
        username: 'utrecht-netherlands',
        isVisitorMsg: true,
      },
    ],
    visitorEmail: 'ada@example.com',
    replyToEmail: 'fallback@example.com',
    visitorName: 'Ada Example',
    visitorTraits: { current_page: 'https://shop.example.com/orders' },
    slackTeamID: 'T0123ABCD',
  },
}

/** One record with every field that any webhook can have, for the mapping step of Adobe's interface. */
function allFields(): Record<string, unknown> {
  const kinds = ['new-conversation', 'offline-message', 'transcript'] as const
  const records = kinds.map((kind) => sent(kind, Buffer.from(JSON.stringify(FULL[kind])), RAW))
  return Object.assign({}, ...records)
}

describe('docs/samples', () => {
  it.each(ROUTE_KINDS)('raw-%s.json is what the encoder sends', async (kind) => {
    const path = file(`docs/samples/raw-${kind}.json`)
    await expect(shown(await fixture(kind, RAW))).toMatchFileSnapshot(path)
  })

  it.each(['transcript', 'offline-message'] as const)(
    'xdm-%s.json is what the encoder sends',
    async (kind) => {
      const path = file(`docs/samples/xdm-${kind}.json`)
      await expect(shown(await fixture(kind, XDM))).toMatchFileSnapshot(path)
    },
  )

  it('raw-all-fields.json has every documented field of every webhook', async () => {
    const record = allFields()
    await expect(shown(record)).toMatchFileSnapshot(file('docs/samples/raw-all-fields.json'))
    const missing = [...documentedPaths()].filter((path) => valueAt(record, path) === undefined)
    expect(missing).toEqual([])
  })
})

describe('docs/setup.md', () => {
  it('has in its table the rows that provision makes, in their order', async () => {
    const made = mappingRows('{TENANT}', 'ChatlioVisitor')
    expect(await rowsOfTable('| Source field |')).toEqual(
      made.map(({ source, destination }) => [source, destination]),
    )
  })

  it('names Chatlio’s events as deploy does, each with its URL', async () => {
    const text = await readFile(file('docs/setup.md'), 'utf8')
    const rows = CHATLIO_FIELDS.map(
      ({ kind, label }) => `| *${label}* | \`https://WORKER/chatlio/${kind}?key=KEY\` |`,
    )
    expect(rows.filter((row) => !text.includes(row))).toEqual([])
  })
})

/** The code in the first two cells of each row. */
async function rowsOfTable(heading: string): Promise<string[][]> {
  const text = await readFile(file('docs/setup.md'), 'utf8')
  const table = text.slice(text.indexOf(heading))
  const rows = table.slice(0, table.indexOf('\n\n')).split('\n').slice(2)
  return rows.map((row) =>
    [...row.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '').slice(0, 2),
  )
}

/** Every path in the wire schemas; `messages[*]` for what stands in each message. */
function documentedPaths(): Set<string> {
  const schemas = [ConversationSchema, OfflineMessageSchema, TranscriptSchema]
  const paths = schemas.flatMap((schema) => [...pathsOf(schema)])
  const inMessages = ['text', 'ts', 'sentAt', 'userId', 'username', 'isVisitorMsg']
  paths.push(...inMessages.map((name) => `messages[*].${name}`))
  return new Set(paths.filter((path) => path !== 'messages'))
}

function* pathsOf(schema: v.GenericSchema, prefix = ''): Generator<string> {
  const entries = entriesOf(schema)
  if (!entries) {
    yield prefix
    return
  }
  for (const [name, entry] of Object.entries(entries)) {
    yield* pathsOf(entry, prefix === '' ? name : `${prefix}.${name}`)
  }
}

/** Of an object schema, however deep it stands in pipes and wrappers. */
function entriesOf(schema: object): Record<string, v.GenericSchema> | null {
  if ('entries' in schema) return schema.entries as Record<string, v.GenericSchema>
  const inner = 'pipe' in schema ? (schema.pipe as object[]) : []
  const wrapped = 'wrapped' in schema ? [schema.wrapped as object] : []
  for (const each of [...inner.filter((item) => item !== schema), ...wrapped]) {
    const entries = entriesOf(each)
    if (entries) return entries
  }
  return null
}

function valueAt(record: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => {
    const name = key.replace('[*]', '')
    const held = (value as Record<string, unknown> | undefined)?.[name]
    return key.endsWith('[*]') ? (held as unknown[] | undefined)?.[0] : held
  }, record)
}
