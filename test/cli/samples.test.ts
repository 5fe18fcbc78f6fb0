import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CHATLIO_FIELDS } from '../../src/cli/lib/chatlio-fields.ts'
import { samplePayloads } from '../../src/cli/provision/sample.ts'
import { applyRows, readRow } from '../../src/local-adobe/platform/mapping/rows.ts'
import { Envelope } from '../../src/worker/aep/client/client.ts'
import { encode } from '../../src/worker/aep/record/encode.ts'
import { fieldGroup } from '../../src/worker/aep/schema/field-group.ts'
import { describedRows, mappingRows } from '../../src/worker/aep/schema/mapping.ts'
import { readEvent } from '../../src/worker/chatlio/event.ts'
import { FIELDS } from '../../src/worker/chatlio/fields.ts'
import { ROUTE_KINDS, type RouteKind } from '../../src/worker/chatlio/kind.ts'
import { utcDay } from '../../src/worker/chatlio/timestamp.ts'
import type { Destination } from '../../src/worker/config/config.ts'
import { parseJson } from '../../src/worker/lib/json.ts'

/**
 * `docs/samples` holds what the encoder sends, for Adobe's "upload a sample" and for reading. To write them anew, with the
 * table in docs/setup.md, the events in docs/reference.md and the picture in README.md, after the encoder or the list of
 * fields has changed: npm run test:cli -- test/cli/samples.test.ts -u
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

  it.each(ROUTE_KINDS)('xdm-%s.json is what the encoder sends', async (kind) => {
    const path = file(`docs/samples/xdm-${kind}.json`)
    await expect(shown(await fixture(kind, XDM))).toMatchFileSnapshot(path)
  })

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

type Event = Record<string, unknown>

/** The ExperienceEvent, without its envelope, which no dataset has. */
async function experienceEvent(kind: RouteKind): Promise<Event> {
  const { body } = await fixture(kind, XDM)
  const { _id, timestamp, eventType, producedBy, identityMap, ...rest } = (
    body as { xdmEntity: Event }
  ).xdmEntity
  return { _id, timestamp, eventType, producedBy, identityMap, ...rest }
}

/** JSON to be read: what fits into a line stands on one. */
function readable(value: unknown, indent = '', before = 0): string {
  const line = JSON.stringify(value)
    .replaceAll(/("(?:[^"\\]|\\.)*")|([,:])/g, (_, text, mark) => text ?? `${mark} `)
    .replaceAll(/^\{(.+)\}$/g, '{ $1 }')
  if (indent.length + before + line.length <= 110 || Object(value) !== value) return line
  const inner = `${indent}  `
  const isList = Array.isArray(value)
  const items = Object.entries(value as object)
    .filter(([, held]) => held !== undefined)
    .map(([key, held]) => {
      const name = isList ? '' : `"${key}": `
      return `${inner}${name}${readable(held, inner, name.length)}`
    })
  const [open, close] = isList ? '[]' : '{}'
  return `${open}\n${items.join(',\n')}\n${indent}${close}`
}

const json = (value: unknown) => `\`\`\`json\n${readable(value)}\n\`\`\``

/** The text between two comments of this name, replaced. */
function replaced(text: string, name: string, by: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`no ${begin}`)
  return `${text.slice(0, from + begin.length)}${by}${text.slice(to)}`
}

const ROWS = mappingRows('TENANT', 'ChatlioVisitor', true)
  .map(readRow)
  .filter((row) => row !== null)

/** What the mapping makes of a raw record. */
const mapped = (raw: Event) => applyRows(ROWS, raw, {}, RECEIVED_AT).data

/** Paths that hold a value, with `[]` for the items of a list. */
function leaves(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => leaves(each, `${at}[]`))
  if (Object(value) !== value) return value === undefined ? [] : [at.slice(1)]
  return Object.entries(value as object).flatMap(([key, held]) => leaves(held, `${at}.${key}`))
}

function differences(xdm: Event, raw: Event): string {
  const [inXdm, inRaw] = [new Set(leaves(xdm)), new Set(leaves(raw))]
  const named = (paths: Set<string>) =>
    [...paths].map((each) => `\`${each.replace(/^_TENANT/, '_{TENANT}')}\``).join(', ')
  const texts = [
    ['Only in xdm', named(inXdm.difference(inRaw))],
    ['Only by way of raw', named(inRaw.difference(inXdm))],
  ]
  return texts
    .filter(([, paths]) => paths)
    .map(([title, paths]) => `${title}: ${paths}.`)
    .join(' ')
}

describe('docs/reference.md', () => {
  it('shows one event of each kind, as the dataset and as the raw dataflow get it', async () => {
    const samples = await Promise.all(
      ROUTE_KINDS.map(async (kind) => {
        const event = await experienceEvent(kind)
        const title = `<details><summary><code>${event.eventType}</code></summary>`
        const raw = await fixture(kind, RAW)
        return [
          title,
          'In the dataset, and what xdm sends:',
          json(event),
          'What raw sends to the mapping:',
          json(raw),
          differences(event, mapped(raw)),
          '</details>',
        ].join('\n\n')
      }),
    )
    const path = file('docs/reference.md')
    const text = await readFile(path, 'utf8')
    await expect(replaced(text, 'events', samples.join('\n\n'))).toMatchFileSnapshot(path)
  })
})

/** In the picture of README.md. */
const SHOWN = [
  'eventType',
  'timestamp',
  ...[
    'source',
    'delaySeconds',
    'metrics.durationSeconds',
    'metrics.visitorMessages',
    'metrics.firstResponseSeconds',
    'metrics.answered',
    'metrics.endedBy',
    'messages[*].text',
  ].map((name) => `_TENANT.chatlio.${name}`),
]

describe('README.md', () => {
  it('shows what a chat becomes', async () => {
    const event = await experienceEvent('transcript')
    const lines = SHOWN.map((name) => {
      const value = valueAt(event, name)
      if (value === undefined) throw new Error(`no ${name}`)
      return `${name.replace('*', '0').padEnd(46)}${value}`
    })
    const path = file('README.md')
    const text = await readFile(path, 'utf8')
    const picture = `\`\`\`text\n${lines.join('\n')}\n\`\`\``
    await expect(replaced(text, 'event', picture)).toMatchFileSnapshot(path)
  })
})

function valueAt(record: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => {
    const name = key.replace('[*]', '')
    const held = (value as Record<string, unknown> | undefined)?.[name]
    return key.endsWith('[*]') ? (held as unknown[] | undefined)?.[0] : held
  }, record)
}
