/** Promise 6: no personal data, no key and no token in any log line or error text. */
import { reset } from 'cloudflare:test'
import { afterEach, expect, it, vi } from 'vitest'
import conversationSample from '../fixtures/conversation.json'
import offline from '../fixtures/offline-message.json'
import transcript from '../fixtures/transcript.json'
import { captureLogs, drainAll, KEY, startAep, startClock, startRelay, TOKEN } from './support.ts'

afterEach(async () => {
  vi.useRealTimers()
  await reset()
})

const CANARY = 'canary-7f3a'

/** The same shape, a canary in every string (and beside every one, so that types stay right). */
function withCanaries(value: unknown): unknown {
  if (typeof value === 'string') return `${CANARY}@example.com ${value}`
  if (Array.isArray(value)) return value.map(withCanaries)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) => [
      [name, withCanaries(each)],
      [`${CANARY}-${name}`, CANARY],
    ]),
  )
}

/** The same names, every value a canary of the wrong type. */
function withWrongTypes(value: object): unknown {
  return Object.fromEntries(Object.keys(value).map((name) => [name, { [CANARY]: CANARY }]))
}

it('finds no canary in any log line or error body, whatever goes wrong', async () => {
  const logs = captureLogs()
  const clock = startClock()
  const aep = startAep()
  const quoting = { title: 'Invalid', report: { message: `found: ${CANARY}` } }
  const errors: string[] = []
  for (const variables of [{}, { FORWARD_TIMEOUT_MS: '0' }, { AEP_ENDPOINT: `${CANARY}://x` }]) {
    const relay = startRelay(variables)
    for (const [route, sample] of Object.entries({
      transcript,
      'offline-message': offline,
      'new-conversation': conversationSample,
      auto: conversationSample,
    })) {
      for (const answer of [
        { type: 'normal' as const },
        { type: 'status' as const, status: 400, body: quoting },
        { type: 'status' as const, status: 403, body: quoting },
        { type: 'status' as const, status: 500, body: CANARY },
        { type: 'garbage' as const, garbage: 'html' as const },
        { type: 'reset' as const },
      ]) {
        aep.script(answer, answer)
        await relay.post(route, withCanaries({ ...sample, serial: errors.length }))
        clock.advance(120_000)
      }
      for (const body of [
        withWrongTypes(sample),
        `{"${CANARY}": `,
        [CANARY],
        `"${CANARY}"`,
        { [CANARY]: CANARY },
      ]) {
        const { status, body: problem } = await relay.post(route, body)
        expect(status).toBeGreaterThanOrEqual(400)
        errors.push(JSON.stringify(problem))
      }
    }
    for (const [path, init] of [
      [`/chatlio/${CANARY}?key=${KEY}`, { method: 'POST' }],
      [`/chatlio/feedback?key=${CANARY}`, { method: 'POST', body: CANARY }],
      [`/${CANARY}`, {}],
      ['/admin/status', { headers: { authorization: `Bearer ${CANARY}` } }],
      [
        `/admin/events?state=${CANARY}&kind=${CANARY}`,
        { headers: { authorization: `Bearer ${TOKEN}` } },
      ],
      [
        '/admin/redrive',
        {
          method: 'POST',
          body: JSON.stringify({ state: CANARY }),
          headers: { authorization: `Bearer ${TOKEN}` },
        },
      ],
      ...(['/admin/find', '/admin/erase'] as const).flatMap((path) =>
        [
          { email: `${CANARY}@nobody.example` },
          { email: CANARY, visitor: CANARY },
          { id: [CANARY] },
        ].map(
          (body) =>
            [
              path,
              {
                method: 'POST',
                body: JSON.stringify(body),
                headers: { authorization: `Bearer ${TOKEN}` },
              },
            ] as const,
        ),
      ),
      ['/admin/log', { headers: { authorization: `Bearer ${TOKEN}` } }],
      ['/admin/suppressions', { headers: { authorization: `Bearer ${TOKEN}` } }],
      [
        `/chatlio/feedback?key=${KEY}`,
        { method: 'POST', body: CANARY, headers: { 'content-type': `x/${CANARY}` } },
      ],
    ] as const) {
      errors.push(JSON.stringify((await relay.send(path, init)).body))
    }
  }
  aep.reset()
  await drainAll(clock)
  expect(logs.length).toBeGreaterThan(50)
  expect(errors.length).toBeGreaterThan(50)
  for (const line of [...logs, ...errors]) {
    expect(line).not.toContain(CANARY)
    expect(line).not.toContain(KEY)
    expect(line).not.toContain(TOKEN)
  }
})
