import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventId } from '../../../src/worker/chatlio/event.ts'
import { ROUTE_KINDS, type Route } from '../../../src/worker/chatlio/kind.ts'
import { parseJson } from '../../../src/worker/lib/json.ts'
import { RUNTIME } from '../../../src/worker/lib/rim.ts'
import conversation from '../../fixtures/conversation.json'
import conversationMinimal from '../../fixtures/conversation-minimal.json'
import offlineMessage from '../../fixtures/offline-message.json'
import transcript from '../../fixtures/transcript.json'
import transcriptSparse from '../../fixtures/transcript-sparse.json'

const NOON = Date.parse('2026-11-01T12:00:00.000Z')
const MONTH_LATER = Date.parse('2026-12-01T12:00:00.000Z')
const ROUTES: readonly Route[] = [...ROUTE_KINDS, 'auto']
const utf8 = (text: string) => new TextEncoder().encode(text)

function idOf(route: Route, body: string | Uint8Array, receivedAt = NOON): Promise<string> {
  const bytes = typeof body === 'string' ? utf8(body) : body
  return eventId(route, bytes, parseJson(bytes), receivedAt, RUNTIME.sha256)
}

/** The contract, implemented independently: SHA-256 in hexadecimal of the concatenated parts. */
async function sha256Hex(...parts: (string | Uint8Array)[]): Promise<string> {
  const bytes = await new Blob(parts).arrayBuffer()
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

describe('the id of an event', () => {
  // Expected values: sha256sum of the bytes named in the contract.
  it.each<[Route, string, string]>([
    [
      'transcript',
      '{"messages":[],"endedAt":"2018-05-19T18:14:32Z"}',
      '4c7adef5077fe8c41b15ce1d6b48863650a0d088875779ec4b99a170864e7fa3',
    ],
    [
      'new-conversation',
      '{"conversationUUID":"b9d3"}',
      'd4b1be1d5dd3f6f43b7902c011235b1c3c3e3324d2dd23c669ab3a074b0e61bd',
    ],
    [
      'auto',
      '{"message":"Hi"}',
      '9ed1e613e1e8224f7ebea5661ece92201d96af729b8c551c50966e504887ab6c',
    ],
    ['offline-message', '', '0767dc772612f3d147d0ec551bc7dc3a7845ce5216f982c5c17c140434932f14'],
  ])('is the SHA-256 of the route, the day if needed, and the body: %s %s', async (...row) => {
    const [route, body, id] = row
    expect(await idOf(route, body)).toBe(id)
  })

  it('depends on the exact bytes, even if they are not text', async () => {
    expect(await idOf('feedback', new Uint8Array([0xff]))).toBe(
      'f04f8b88d1f189562567a313f9f40ed2a7b2cb0b99ef4fae26d5fb3c8d1c9a08',
    )
  })

  it('is the same on another day if the body identifies itself', async () => {
    for (const sample of [conversation, transcript]) {
      const body = JSON.stringify(sample)
      expect(await idOf('auto', body, MONTH_LATER)).toBe(await idOf('auto', body, NOON))
    }
  })

  it('is the same within one UTC day only, if the body does not identify itself', async () => {
    const midnight = Date.parse('2026-11-01T00:00:00.000Z')
    const lastMoment = Date.parse('2026-11-01T23:59:59.999Z')
    for (const sample of [conversationMinimal, offlineMessage, transcriptSparse]) {
      const body = JSON.stringify(sample)
      const id = await idOf('auto', body, NOON)
      expect(await idOf('auto', body, midnight)).toBe(id)
      expect(await idOf('auto', body, lastMoment)).toBe(id)
      expect(await idOf('auto', body, midnight - 1)).not.toBe(id)
      expect(await idOf('auto', body, lastMoment + 1)).not.toBe(id)
    }
  })

  it('differs between routes', async () => {
    const body = JSON.stringify(conversation)
    const ids = await Promise.all(ROUTES.map((route) => idOf(route, body)))
    expect(new Set(ids).size).toBe(ROUTES.length)
  })

  it('differs between bodies that are equal as JSON but not in bytes', async () => {
    const bodies = [
      '{"conversationUUID":"c","message":"Hi"}',
      '{"conversationUUID":"c", "message":"Hi"}',
      '{"message":"Hi","conversationUUID":"c"}',
      '\uFEFF{"conversationUUID":"c","message":"Hi"}',
      String.raw`{"conversationUUID":"c","message":"\u0048i"}`,
    ]
    const ids = await Promise.all(bodies.map((body) => idOf('feedback', body)))
    expect(new Set(ids).size).toBe(bodies.length)
  })

  it('leaves the body unchanged', async () => {
    const bytes = utf8('{"message":"Hi"}')
    await idOf('feedback', bytes)
    expect(bytes).toEqual(utf8('{"message":"Hi"}'))
  })
})

describe('a field that identifies a body', () => {
  it.each([
    '{"conversationUUID":"b9d3"}',
    '{"endedAt":"2018-05-19T18:14:32Z"}',
    '{"endedAt":"soon"}',
    '{"endedAt":" "}',
    '{"conversationUUID":"","endedAt":"x"}',
    '{"conversationUUID":7,"endedAt":"x"}',
    '\uFEFF{"conversationUUID":"b9d3"}',
  ])('is a conversationUUID or endedAt that is a non-empty string: %s', async (body) => {
    for (const route of ROUTES) {
      expect(await idOf(route, body, NOON)).toBe(await sha256Hex(`${route}\n`, body))
      expect(await idOf(route, body, MONTH_LATER)).toBe(await sha256Hex(`${route}\n`, body))
    }
  })

  it.each([
    '{}',
    '{"conversationUUID":""}',
    '{"conversationUUID":null,"endedAt":null}',
    '{"conversationUUID":7}',
    '{"conversationUUID":true}',
    '{"conversationUUID":["b9d3"]}',
    '{"endedAt":{"at":"x"}}',
    '{"ConversationUUID":"b9d3","ended_at":"x"}',
    '{"startedAt":"2018-05-19T18:14:32Z"}',
    '{"visitor":{"conversationUUID":"b9d3","endedAt":"x"}}',
    '{"__proto__":{"conversationUUID":"b9d3"}}',
    '{"conversationUUID":"b9d3","conversationUUID":""}',
    '[{"conversationUUID":"b9d3"}]',
    '"conversationUUID"',
    'null',
    '{"conversationUUID":"b9d3"',
    '',
  ])('is nothing else: %s', async (body) => {
    for (const route of ROUTES) {
      expect(await idOf(route, body, NOON)).toBe(
        await sha256Hex(`${route}\n`, '2026-11-01\n', body),
      )
      expect(await idOf(route, body, MONTH_LATER)).toBe(
        await sha256Hex(`${route}\n`, '2026-12-01\n', body),
      )
    }
  })

  it('follows the contract for any JSON and any bytes', async () => {
    const own = fc.record(
      {
        conversationUUID: fc.oneof(fc.constantFrom('', null, 0), fc.string()),
        endedAt: fc.oneof(fc.constantFrom('', null, false), fc.string()),
        message: fc.string(),
      },
      { requiredKeys: [] },
    )
    const body = fc.oneof(
      own.map((json) => utf8(JSON.stringify(json))),
      fc.json().map(utf8),
      fc.uint8Array(),
    )
    const receivedAt = fc
      .date({ min: new Date(0), max: new Date('2199-12-31'), noInvalidDate: true })
      .map(Number)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...ROUTES), body, receivedAt, async (route, bytes, at) => {
        const day = `${new Date(at).toISOString().split('T', 1)[0]}\n`
        const parts = namesItself(bytes) ? [bytes] : [day, bytes]
        const id = await idOf(route, bytes, at)
        expect(id).toBe(await sha256Hex(`${route}\n`, ...parts))
        expect(id).toMatch(/^[0-9a-f]{64}$/)
      }),
      { numRuns: 100 },
    )
  })
})

function namesItself(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
    const json = JSON.parse(text) as { conversationUUID?: unknown; endedAt?: unknown } | null
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return false
    return [json.conversationUUID, json.endedAt].some(
      (value) => typeof value === 'string' && value.length > 0,
    )
  } catch {
    return false
  }
}
