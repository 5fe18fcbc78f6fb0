import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CHATLIO_FIELDS } from '../../src/cli/lib/chatlio-fields.ts'
import { samplePayloads } from '../../src/cli/provision/sample.ts'
import { Envelope } from '../../src/worker/aep/client/envelope.ts'
import { encode } from '../../src/worker/aep/record/encode.ts'
import { fieldGroup } from '../../src/worker/aep/schema/field-group.ts'
import { describedRows } from '../../src/worker/aep/schema/mapping.ts'
import { readEvent } from '../../src/worker/chatlio/event.ts'
import { FIELDS } from '../../src/worker/chatlio/fields.ts'
import { ROUTE_KINDS, type RouteKind } from '../../src/worker/chatlio/kind.ts'
import { utcDay } from '../../src/worker/chatlio/timestamp.ts'
import type { Destination } from '../../src/worker/config/config.ts'
import { parseJson } from '../../src/worker/lib/json.ts'

/**
 * `docs/samples` holds what the encoder sends, for Adobe's "upload a sample" and for reading. To write them and the table
 * in docs/setup.md anew after the encoder or the list of fields has changed: npm run test:cli -- test/cli/samples.test.ts -u
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
  schemaExtras: ['chat', 'contact'],
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
  const encoded = encode(reading.event, destination, 1_000_000, {
    now: RECEIVED_AT + 1_200,
    source: 'shop',
    redact: ['card'],
  })
  if (encoded.split) throw new Error(`${kind} is too large for a sample`)
  return JSON.parse(new Envelope(destination).message(encoded.record))
}

async function fixture(kind: RouteKind, destination: Destination) {
  return sent(kind, await readFile(file(`test/fixtures/${FIXTURES[kind]}`)), destination)
}

const shown = (record: object) => `${JSON.stringify(record, null, 2)}\n`

/** One record with every field that any webhook can have, for the mapping step of Adobe's interface. */
function allFields(): Record<string, unknown> {
  const records = samplePayloads().map(([kind, payload]) =>
    sent(kind as RouteKind, Buffer.from(JSON.stringify(payload)), RAW),
  )
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
    const documented = FIELDS.filter(({ kinds }) => kinds.length > 0)
    const missing = documented.filter(({ from }) => valueAt(record, from) === undefined)
    expect(missing.map(({ from }) => from)).toEqual([])
  })

  it('field-group.json is what provision makes', async () => {
    await expect(shown(fieldGroup)).toMatchFileSnapshot(file('docs/samples/field-group.json'))
  })
})

const HEADING = '| Source field | Target (our schema) | Of |'

describe('docs/setup.md', () => {
  it('has in its table the rows that provision makes, in their order', async () => {
    const rows = describedRows('{TENANT}', 'ChatlioVisitor', true).map(
      ({ source, destination, of }) =>
        `| \`${source.replaceAll('|', '\\|')}\` | \`${destination}\` | ${of} |`,
    )
    const text = await readFile(file('docs/setup.md'), 'utf8')
    const table = text.indexOf(HEADING)
    const end = text.indexOf('\n\n', table)
    const written = text.slice(0, table) + [HEADING, '| --- | --- | --- |', ...rows].join('\n')
    expect(table).toBeGreaterThan(0)
    await expect(written + text.slice(end)).toMatchFileSnapshot(file('docs/setup.md'))
  })

  it('names Chatlio’s events as deploy does, each with its URL', async () => {
    const text = await readFile(file('docs/setup.md'), 'utf8')
    const rows = CHATLIO_FIELDS.map(
      ({ kind, label }) => `| *${label}* | \`https://WORKER/chatlio/${kind}?key=KEY\` |`,
    )
    expect(rows.filter((row) => !text.includes(row))).toEqual([])
  })
})

function valueAt(record: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => {
    const name = key.replace('[*]', '')
    const held = (value as Record<string, unknown> | undefined)?.[name]
    return key.endsWith('[*]') ? (held as unknown[] | undefined)?.[0] : held
  }, record)
}
